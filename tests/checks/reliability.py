"""What the long checks share: each writes its own table into ``results/reliability.md``."""

import re
from collections.abc import Sequence
from pathlib import Path

from fashion_tl.files import replacing
from fashion_tl.runs import commit, machine
from tests import REPOSITORY

PAGE = REPOSITORY / "results" / "reliability.md"


def write_table(
    name: str, head: Sequence[str], rows: Sequence[Sequence[object]], page: Path = PAGE
) -> str:
    """Put a table in the place of the block ``<!-- reliability: NAME -->`` … ``<!-- end -->``;
    returns it.

    Under it stand machine and commit. ValueError when there is no such block.
    """
    lines = [head, ["---"] * len(head), *rows]
    table = "\n".join(f"| {' | '.join(map(str, line))} |" for line in lines)
    text, (start, end) = page.read_text(), (f"<!-- reliability: {name} -->\n", "<!-- end -->")
    new, found = re.subn(
        f"{start}.*?{end}",
        lambda _: f"{start}{table}\n\n{machine()}; commit {commit()}\n{end}",
        text,
        flags=re.DOTALL,
    )
    if found != 1:
        raise ValueError(f"{page} has no block {name!r}")
    with replacing(page) as temporary:
        temporary.write_text(new)
    return table

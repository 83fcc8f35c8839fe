"""The documents' marked blocks, made from ``results/``: what stands between a marker and the ``<!--
end -->`` after it.

A marker is a line of its own, ``<!-- results: NAME -->``; ``study/blocks`` has the function of this
name.
"""

import re
from collections.abc import Callable, Mapping
from pathlib import Path

from fashion_tl.errors import FashionTLError
from fashion_tl.files import replacing
from study.blocks import BLOCKS
from study.blocks.markdown import wrapped
from study.charts import draw_all
from study.places import REPOSITORY, RESULTS

LIKE_A_MARKER = re.compile(r"\s*<!--\s*results\b")
MARKER = re.compile(r"<!-- results: (\w+) -->")
END = "<!-- end -->"
Blocks = Mapping[str, Callable[[Path], str]]


class MarkerError(FashionTLError):
    """A document's markers and the functions that make their blocks don't fit."""


def main() -> None:
    """Make every block of every document anew, and the charts; nothing is written unless all can be
    made.
    """
    for file, text in render_all(documents(REPOSITORY), BLOCKS, RESULTS).items():
        if text != file.read_text(encoding="utf-8"):
            with replacing(file) as temporary:
                temporary.write_text(text, encoding="utf-8")
    draw_all(RESULTS, REPOSITORY / "images" / "results")


def documents(repository: Path) -> list[Path]:
    """Where markers may stand: the README, and every document in ``docs/`` and ``results/``."""
    return [
        repository / "README.md",
        *sorted(repository.glob("docs/*.md")),
        *sorted(repository.glob("results/*.md")),
    ]


def render_all(files: list[Path], blocks: Blocks, results: Path) -> dict[Path, str]:
    """The text of each document, its blocks made anew.

    MarkerError for a marker that no function makes, and for a function whose marker stands in no
    document.
    """
    texts, found = {}, set()
    for file in files:
        text = file.read_text(encoding="utf-8")
        texts[file] = render(text, blocks, results, str(file))
        found |= set(names(text))
    if missing := [name for name in blocks if name not in found]:
        raise MarkerError(
            f"no document has the marker <!-- results: {missing[0]} -->; put it and {END} into "
            f"one of {', '.join(file.name for file in files)}, "
            f"or remove {missing[0]!r} from study/blocks"
        )
    return texts


def names(text: str) -> list[str]:
    """The names in a text's markers."""
    return [found[1] for found in map(MARKER.fullmatch, text.split("\n")) if found]


def render(text: str, blocks: Blocks, results: Path, document: str) -> str:
    """A text with every block made anew. MarkerError names the document, the line and the marker
    that is wrong.
    """
    lines, opened = [], None  # where the marker of the block stands that we are in
    for number, line in enumerate(text.split("\n"), 1):
        place = f"{document}, line {number}: {line.strip()}"
        if LIKE_A_MARKER.match(line):
            if opened:
                raise MarkerError(f"{opened} has no {END} before the next marker")
            found = MARKER.fullmatch(line)
            if not found:
                raise MarkerError(
                    f"{place} is no marker; write <!-- results: NAME --> as the whole line"
                )
            if found[1] not in blocks:
                raise MarkerError(
                    f"{place}: no function makes this block; there are: {', '.join(sorted(blocks))}"
                )
            lines += [line, wrapped(blocks[found[1]](results))]
            opened = place
        elif line == END:
            lines.append(line)
            opened = None
        elif not opened:
            lines.append(line)
    if opened:
        raise MarkerError(f"{opened} has no {END} after it")
    return "\n".join(lines)

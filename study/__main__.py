"""Where ``python -m study`` starts."""

import sys
from collections.abc import Sequence

from fashion_tl.__main__ import start


def main(arguments: Sequence[str] | None = None) -> int:
    return start("study.commands", arguments)


if __name__ == "__main__":
    sys.exit(main())

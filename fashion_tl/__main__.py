"""Where the program starts. It imports nothing before ``main``, which then ends well at Ctrl-C."""

import sys
from collections.abc import Sequence


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; return its exit code, as :func:`fashion_tl.commandline.exit_code` does."""
    try:
        from fashion_tl import commandline, commands

        parser = commands.parser()
    except KeyboardInterrupt:
        print("stopped", file=sys.stderr)
        return 130
    return commandline.run(parser, arguments)


if __name__ == "__main__":
    sys.exit(main())

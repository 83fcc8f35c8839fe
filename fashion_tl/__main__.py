"""Where the program starts. It imports nothing before ``main``, which then ends well at Ctrl-C."""

import sys
from collections.abc import Sequence
from importlib import import_module


def start(commands: str, arguments: Sequence[str] | None) -> int:
    """Run a command of the module ``commands``, which has a ``parser``; return its exit code, as
    :func:`fashion_tl.commandline.exit_code` does.
    """
    try:
        commandline = import_module("fashion_tl.commandline")
        parser = import_module(commands).parser()
    except KeyboardInterrupt:
        print("stopped", file=sys.stderr)
        return 130
    return commandline.run(parser, arguments)


def main(arguments: Sequence[str] | None = None) -> int:
    return start("fashion_tl.commands", arguments)


if __name__ == "__main__":
    sys.exit(main())

"""The program `dfedsam`: Ctrl-C is one line from here on, while its imports run too."""

import os
import signal
import sys


def main() -> int:
    """Run the command line, and return its exit status."""
    usual = signal.getsignal(signal.SIGINT) is signal.default_int_handler  # else ignored, as in a shell's background
    if usual:  # an exception might be lost in an import's callbacks
        signal.signal(signal.SIGINT, _interrupted)
    from dfedsam.launch import cli

    if usual:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    return cli.main()


def _interrupted(*_: object) -> None:
    """End at once: nothing has been opened yet."""
    os.write(2, b"dfedsam: interrupted\n")
    os._exit(130)


if __name__ == "__main__":
    sys.exit(main())

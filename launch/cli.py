"""The program `dfedsam`: finds the command, and reports a user's mistake in one line with exit status 2.

Nothing heavy is imported here: only the requested command is loaded, after threads are divided among ranks.
"""

from __future__ import annotations

import inspect
import os
import sys
import traceback
from typing import TYPE_CHECKING

from dfedsam.launch import ranks
from dfedsam.launch.commands import COMMANDS
from dfedsam.machine import mpi_rank

if TYPE_CHECKING:
    from collections.abc import Callable

_HELP = """usage: dfedsam COMMAND [OPTIONS]

A simulator of decentralised, black-box prompt tuning: peers query a model for losses only, and average with their
neighbours on a graph.

commands:
{commands}
examples:
  dfedsam run --topology ring --peers 16 --algorithm dfedsam --rounds 100 --seed 0 --out runs/a
  dfedsam run --config demo.yaml --topology grid --ranks 2
  dfedsam plot runs/a runs/b --out figure.pdf

`dfedsam COMMAND --help` explains a command. Set DFEDSAM_TRACEBACK=1 in the environment to see tracebacks of errors.
"""


def main(argv: list[str] | None = None) -> int:
    """Run the command line `dfedsam ARGV` and return its exit status: 0, 1 (a run failed) or 2 (bad input)."""
    argv = sys.argv[1:] if argv is None else argv
    if "_ARGCOMPLETE" in os.environ:
        from dfedsam.launch.completion import complete

        complete()
    if not argv or argv[0] in ("--help", "-h", "help"):
        if mpi_rank() == 0:
            print(
                _HELP.format(commands="".join(f"  {name:<10}{_first(one)}\n" for name, one in COMMANDS.items())), end=""
            )
        return 0 if argv else 2
    ranks.prepare()
    try:
        return _run(argv[0], argv[1:])
    except ValueError as error:
        return _refuse(argv[0], error, str(error), 2)
    except BrokenPipeError:  # `dfedsam … | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        return _refuse(argv[0], error, f"{where}{error.strerror or error}; fix the path, or free some space", 1)
    except MemoryError as error:
        return _refuse(argv[0], error, "out of memory; use fewer peers or smaller values of options", 1)
    except KeyboardInterrupt as error:
        return _refuse(argv[0], error, "interrupted", 130)


def _run(name: str, argv: list[str]) -> int:
    if name == "--version":
        from importlib.metadata import version

        print(f"dfedsam {version('dfedsam')}")
        return 0
    if name not in COMMANDS:
        from dfedsam.errors import OptionError
        from dfedsam.registry import nearest

        guess = nearest(name, COMMANDS)
        hint = f"did you mean {guess}?" if guess else ""
        raise OptionError("command", name, f"must be one of {', '.join(COMMANDS)}", hint)
    command = COMMANDS[name]
    if "argv" in inspect.signature(command).parameters:
        return command(argv)
    from dfedsam.launch.parser import call

    return call(command, argv)


def _first(command: Callable[..., int]) -> str:
    """The first sentence of a command's docstring, for the list of commands."""
    line = (inspect.getdoc(command) or " ").partition("\n")[0].removesuffix(".")
    return line[0].lower() + line[1:]


def _refuse(command: str, error: BaseException, message: str, status: int) -> int:
    """Print the error in one line. All ranks meet the same error, so only the root prints it."""
    prog = f"dfedsam {command}" if command in COMMANDS else "dfedsam"
    line = f"{prog}: {' '.join(message.split())}"
    if os.environ.get("DFEDSAM_TRACEBACK"):
        traceback.print_exception(error)
    elif mpi_rank() == 0:
        print(line, file=sys.stderr, flush=True)
    if mpi_rank() != 0:
        ranks.end_together(f"rank {mpi_rank()}: {line}", status)
    else:
        ranks.end_together("", status)
    return status


if __name__ == "__main__":
    sys.exit(main())

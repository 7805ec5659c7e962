"""The program `dfedsam`: finds the command, and reports a user's mistake in one line with exit status 2.

Nothing heavy is imported here: only the requested command is loaded, after threads are divided among ranks.
"""

from __future__ import annotations

import inspect
import os
import sys
import sysconfig
import traceback
from typing import TYPE_CHECKING

from dfedsam.errors import OptionError, RunError, reason
from dfedsam.launch import ranks
from dfedsam.launch.commands import COMMANDS, load
from dfedsam.machine import mpi_rank

if TYPE_CHECKING:
    from collections.abc import Callable

_HELP = """usage: dfedsam COMMAND [OPTIONS]

A simulator of decentralised, black-box prompt tuning: peers only query a model for losses or class scores, and
average with their neighbours on a graph.

commands:
{commands}
examples:
  dfedsam run --topology ring --peers 16 --algorithm dfedsam --rounds 100 --seed 0 --out runs/a
  dfedsam run --config demo.yaml --topology grid --ranks 2
  dfedsam plot runs/a runs/b --out figure.pdf

`dfedsam COMMAND --help` explains a command. Set DFEDSAM_TRACEBACK=1 in the environment to see tracebacks of errors.
"""
_INTERRUPTED = "interrupted"
_PIPE_CLOSED = 141  # as of a program that SIGPIPE ends


def main(argv: list[str] | None = None) -> int:
    """Run the command line `dfedsam ARGV` and return its exit status: 0, 1 (a run failed) or 2 (bad input)."""
    argv = sys.argv[1:] if argv is None else argv
    name = argv[0] if argv else "help"
    hook, sys.unraisablehook = sys.unraisablehook, lambda ignored: _unraisable(name, ignored, hook)
    try:
        if "_ARGCOMPLETE" in os.environ:
            from dfedsam.launch.completion import complete

            complete()
        status = _run(name, argv[1:])
        sys.stdout.flush()
        return status if argv else 2
    except ValueError as error:
        return _refuse(name, error, str(error), 2)
    except BrokenPipeError:  # `dfedsam … | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return _PIPE_CLOSED
    except OSError as error:
        return _refuse(name, error, reason(error), 1)
    except RunError as error:  # of a rehearsal, such as `plan` makes
        return _refuse(name, error, str(error), 1)
    except MemoryError as error:
        return _refuse(name, error, "out of memory; use fewer peers or smaller values of options", 1)
    except KeyboardInterrupt as error:
        return _refuse(name, error, _INTERRUPTED, 130)
    except Exception as error:
        place = _users_code(error)
        if place is None:
            raise  # a fault of this program
        message = (
            f"{place}: {type(error).__name__}: {error}; DFEDSAM_TRACEBACK=1 in the environment shows the traceback"
        )
        return _refuse(name, error, message, 1)
    finally:
        sys.unraisablehook = hook


def _users_code(error: BaseException) -> str | None:
    """File and line of the innermost call that is neither ours nor of an installed package; None without one."""
    installed = tuple(sysconfig.get_paths()[name] for name in ("stdlib", "purelib", "platlib"))
    place = None
    for frame, line in traceback.walk_tb(error.__traceback__):
        file = frame.f_code.co_filename
        ours = str(frame.f_globals.get("__name__")).partition(".")[0] == "dfedsam"
        if not (ours or file.startswith((*installed, "<"))):
            place = f"{file}, line {line}"
    return place


def _unraisable(
    command: str, ignored: sys.UnraisableHookArgs, hook: Callable[[sys.UnraisableHookArgs], object]
) -> None:
    """End at a Ctrl-C that came while the garbage collector ran a destructor or a callback, where Python ignores it."""
    if not isinstance(ignored.exc_value, KeyboardInterrupt):
        hook(ignored)
        return
    _refuse(command, ignored.exc_value, _INTERRUPTED, 130)
    os._exit(130)


def call(command: Callable[..., int], argv: list[str]) -> int:
    """Run a command with the options of a command line, typed by its signature.

    The command's docstring is its help. Its positional parameter receives words that belong to no option; a parameter
    called "_dotted" receives the options with a dot.

    Raises:
        OptionError: for an option that is unknown, missing, or has a value of the wrong type.
    """
    from dfedsam.launch import arguments, help, signatures

    known = dict(signatures.options_of(command))
    takes_dotted = known.pop("_dotted", None) is not None
    words, pairs = arguments.split(argv, [*(name for name, one in known.items() if one.hint is bool), "help"])
    text = help.answer(pairs, lambda: help.command_help(command))
    if text is not None:
        print(text)
        return 0
    dotted = [pair for pair in pairs if takes_dotted and "." in pair[0]]
    tree = {option: arguments.value_of(text) for option, text in pairs if (option, text) not in dotted}
    first, several = help.positional(command)
    if words and first is None:
        raise signatures.MissingValue(words[0], arguments.NO_OPTION)
    if len(words) > 1 and not several:
        raise OptionError(str(first), " ".join(words), "must be a single name", "a name with spaces needs quotes")
    if words:
        tree[str(first)] = words if several else words[0]
    elif first is not None and known[first].default is signatures.EMPTY:
        rule = f"is missing: it has no default; name it, as in `{help.examples(command)[0]}`"
        raise signatures.MissingValue(first, rule)
    return command(**arguments.bind(known, tree), **({"_dotted": tuple(dotted)} if takes_dotted else {}))


def _run(name: str, argv: list[str]) -> int:
    if name in ("--help", "-h", "help"):
        if mpi_rank() == 0:
            commands = "".join(f"  {name:<10}{text}\n" for name, (_, text) in COMMANDS.items())
            print(_HELP.format(commands=commands), end="")
        return 0
    if name == "--version":
        from importlib.metadata import version

        print(f"dfedsam {version('dfedsam')}")
        return 0
    if name not in COMMANDS:
        from dfedsam.names import did_you_mean

        rule = f"must be one of {', '.join(COMMANDS)}"
        raise OptionError("command", name, rule, did_you_mean(name, COMMANDS))
    ranks.prepare()
    command = load(name)
    return command(argv) if "argv" in inspect.signature(command).parameters else call(command, argv)


def _refuse(command: str, error: BaseException, message: str, status: int) -> int:
    """Print the error in one line. All ranks meet the same error, so only the root prints it."""
    line = f"{f'dfedsam {command}' if command in COMMANDS else 'dfedsam'}: {' '.join(message.split())}"
    if os.environ.get("DFEDSAM_TRACEBACK"):
        traceback.print_exception(error)
    elif mpi_rank() == 0:
        print(line, file=sys.stderr, flush=True)
    ranks.end_together(f"rank {mpi_rank()}: {line}" if mpi_rank() != 0 else "", status)
    return status


if __name__ == "__main__":
    sys.exit(main())

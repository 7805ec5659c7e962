"""`dfedsam`: finds the subcommand, and turns what a user got wrong into one line and exit status 2.

Nothing heavy is imported here: only the subcommand that is asked for is loaded, after threads have been dealt.
"""

from __future__ import annotations

import importlib
import os
import sys
import traceback

from dfedsam.launch import ranks

COMMANDS = {
    "run": ("dfedsam.launch.run", "play an experiment: peers on a graph minimise an objective by queries and gossip"),
    "resume": ("dfedsam.launch.resume", "go on with a run that was stopped, or make it longer"),
    "sweep": ("dfedsam.launch.sweep", "many runs from one file, on this machine or as a SLURM array"),
    "status": ("dfedsam.launch.status", "how far a study is: what is done, running, failed, to do"),
    "watch": ("dfedsam.launch.watch", "follow a run that goes on, here or on another machine"),
    "topology": (
        "dfedsam.launch.topology",
        "graphs and schedules: which there are, their spectral gaps side by side, drawings",
    ),
    "plot": ("dfedsam.launch.plot", "loss, accuracy and consensus distance of runs, as a figure"),
    "report": ("dfedsam.launch.report", "a study or several runs as one page, with figures and tables for a paper"),
    "export": ("dfedsam.launch.export", "a run's prompt as an adapter that peft loads onto the model"),
    "doctor": ("dfedsam.launch.doctor", "what this machine has for it, and what to do about what is missing"),
}
HELP = """usage: dfedsam COMMAND [OPTIONS]

A simulator of decentralised, black-box prompt tuning: peers ask a model for losses only, and average with their
neighbours on a graph.

commands:
{commands}
examples:
  dfedsam run --topology ring --peers 16 --algorithm DFedSAM --rounds 100 --seed 0 --out runs/a
  dfedsam run --config demo.yaml --topology grid --ranks 2
  dfedsam plot runs/a runs/b --out figure.pdf

Each command says more with --help. With DFEDSAM_TRACEBACK=1 in the environment an error shows where it came from.
"""


def main(argv: list[str] | None = None) -> int:
    """Run the command line `dfedsam ARGV` and return its exit status: 0, 1 (a run failed) or 2 (bad input)."""
    argv = sys.argv[1:] if argv is None else argv
    if not argv or argv[0] in ("--help", "-h", "help"):
        if ranks.rank() == 0:
            print(
                HELP.format(commands="".join(f"  {name:<10}{text}\n" for name, (_, text) in COMMANDS.items())), end=""
            )
        return 0 if argv else 2
    ranks.prepare()
    try:
        if argv[0] == "--version":
            from importlib.metadata import version

            print(f"dfedsam {version('dfedsam')}")
            return 0
        if argv[0] not in COMMANDS:
            raise ValueError(_unknown(argv[0]))
        return importlib.import_module(COMMANDS[argv[0]][0]).main(argv[1:])
    except ValueError as error:
        return _refuse(argv[0], error)
    except BrokenPipeError:  # `dfedsam … | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0


def _unknown(command: str) -> str:
    import difflib

    nearest = difflib.get_close_matches(command, COMMANDS, n=1)
    guess = f"; did you mean {nearest[0]}?" if nearest else ""
    return f"command is {command}: it must be one of {', '.join(COMMANDS)}{guess}"


def _refuse(command: str, error: ValueError) -> int:
    """Say in one line what is wrong. All ranks find the same mistake, so the root alone speaks."""
    if os.environ.get("DFEDSAM_TRACEBACK"):
        traceback.print_exception(error)
    elif ranks.rank() == 0:
        prog = f"dfedsam {command}" if command in COMMANDS else "dfedsam"
        print(f"{prog}: {' '.join(str(error).split())}", file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main())

"""`dfedsam watch`: follow a run in the terminal, by what it writes; it may go on on another machine."""

from __future__ import annotations

import sys
import time
from pathlib import Path

from dfedsam.launch import merge
from dfedsam.launch.progress import progress
from dfedsam.launch.sweeps import study

HELP = """usage: dfedsam watch FOLDER [--every SECONDS]

Follow a run that goes on, here or on another machine that shares the file system: its round, its latest figures and the
time left. It ends when the run has played its rounds, or when its study notes that it failed; Ctrl-C ends it and leaves
the run alone.

options:
  FOLDER           a run's folder; it may be there only later
  --every SECONDS  how often to look (default: 1)

examples:
  dfedsam watch runs/a
  dfedsam watch studies/topology_ablation/runs/topology=ring,peers=16,seed=0 --every 10"""


def main(argv: list[str]) -> int:
    """Run `dfedsam watch ARGV`."""
    if "--help" in argv or "-h" in argv:
        print(HELP)
        return 0
    words, options = merge.split(argv, ())
    every = 1.0
    for option, value in options:
        if option != "every":
            raise ValueError(f"--{option} is not an option: there is --every SECONDS")
        every = _seconds(value)
    if len(words) != 1:
        raise ValueError("folder is missing: name one run, such as `dfedsam watch runs/a`")
    folder = Path(words[0])
    if folder.exists() and not folder.is_dir():
        raise ValueError(f"folder is {folder}: it must be a run's folder, but it is a file; mend the path")
    if folder.is_dir() and (folder / "sweep.yaml").is_file():
        raise ValueError(f"folder is {folder}: it is a study; see `dfedsam status {folder}`, or name one of its runs")
    if not folder.is_dir() and not folder.parent.is_dir():
        raise ValueError(f"folder is {folder}: neither it nor {folder.parent} is there; mend the path")
    try:
        return follow(folder, every)
    except KeyboardInterrupt:
        return 130


def follow(folder: Path, every: float) -> int:
    """Show a run's figures until it has played its rounds; looks every so many seconds.

    Returns:
        0; 1 if the run's study has noted that it failed.
    """
    place = study.Folder(folder.parent.parent)
    if study.last_row(folder) is None:
        print(f"waiting for {folder}", file=sys.stderr)
    with progress(True) as tell:
        assert tell is not None
        shown, wrote = -1, 0.0
        while True:
            row, rounds = study.last_row(folder), _rounds(folder)
            if row is not None and rounds is not None and (row["round"], row.get("seconds", 0.0)) != (shown, wrote):
                shown, wrote = row["round"], row.get("seconds", 0.0)
                tell({"rounds": rounds, **row})
            if rounds is not None and shown >= rounds:
                return 0
            if failure := place.failure(folder.name):
                print(f"{folder.name} failed: {failure['error']}", file=sys.stderr)
                return 1
            time.sleep(every)


def _rounds(folder: Path) -> int | None:
    """The rounds that a run is to play; they may grow when it is resumed."""
    try:
        return study.load_yaml((folder / "config.yaml").read_text(encoding="utf-8"))["rounds"]
    except (OSError, KeyError, TypeError):
        return None


def _seconds(value: str | None) -> float:
    try:
        seconds = float(value or "")
    except ValueError:
        seconds = 0.0
    if not 0 < seconds <= 3600:
        raise ValueError(f"every is {value}: it must be a number of seconds above 0 and at most 3600")
    return seconds

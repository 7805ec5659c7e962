"""`dfedsam status`: how far a study is."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from dfedsam.launch import merge, tables
from dfedsam.launch.progress import duration
from dfedsam.launch.sweeps import file, plan, study

HELP = """usage: dfedsam status FOLDER [--all]

Say how far a study is: which of its runs are done, running (their round, and how long ago they last wrote), failed
(with the reason), stopped (at which round), or to do. Runs on other machines are seen through the shared file system.

options:
  FOLDER  a study's folder
  --all   a line for every run, also those that are done or to do

example:
  dfedsam status studies/topology_ablation"""
STATES = ("done", "running", "failed", "stopped", "to do")


@dataclass(frozen=True)
class Standing:
    """One run: its name, one of STATES, its last round, and what else there is to say."""

    name: str
    state: str
    round: int | None = None
    text: str = ""


def main(argv: list[str]) -> int:
    """Run `dfedsam status ARGV`."""
    if "--help" in argv or "-h" in argv:
        print(HELP)
        return 0
    words, options = merge.split(argv, ("all",))
    for option, _ in options:
        if option != "all":
            raise ValueError(f"--{option} is not an option: there is --all")
    if len(words) != 1:
        raise ValueError("folder is missing: name one study, such as `dfedsam status studies/topology_ablation`")
    found = list(standings(Path(words[0])))
    counts = Counter(standing.state for standing in found)
    print(f"{len(found)} runs: " + ", ".join(f"{counts[state]} {state}" for state in STATES if counts[state]))
    shown = [standing for standing in found if options or standing.state not in ("done", "to do")]
    if shown:
        print()
        tables.show(
            ("run", "state", "round", ""),
            [(one.name, one.state, "–" if one.round is None else str(one.round), one.text) for one in shown],
        )
    return 0


def standings(path: Path) -> Iterator[Standing]:
    """Every run of a study, candidates of a search among them, as it stands.

    Raises:
        ValueError: if the folder is not a study.
    """
    if not (path / "sweep.yaml").is_file():
        raise ValueError(f"folder is {path}: it must be a study's folder, but it has no sweep.yaml; mend the path")
    cells = plan.plan(file.read(path / "sweep.yaml"))
    for cell in cells:
        stands = cell.runs if cell.candidates else ()
        for run in (*cell.jobs, *stands):
            yield _standing(study.Folder(path / run.part), run, chosen=bool(cell.candidates) and not run.part)


def _standing(folder: study.Folder, run: plan.Run, *, chosen: bool) -> Standing:
    name = f"{run.part}/{run.name}".lstrip("/")
    at = folder.run(run.name)
    row = study.last_row(at)
    last = None if row is None else row["round"]
    if folder.is_played(run.name):
        wrote = study.age_of(at)
        ago = f"of {run.rounds}, {duration(time.time() - wrote)} ago" if wrote else f"of {run.rounds}, starting"
        return Standing(name, "running", last, ago)
    failure = folder.failure(run.name)
    if failure is not None:
        return Standing(name, "failed", last, str(failure.get("error", "")))
    if study.is_done(at, run.rounds):
        return Standing(name, "done", last)
    if last is not None:
        return Standing(name, "stopped", last, f"of {run.rounds}")
    return Standing(name, "to do", text="the best of the search" if chosen else "")

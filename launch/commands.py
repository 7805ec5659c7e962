"""The commands by name, and those that read results.

A command is a function with the command's name in the module that COMMANDS gives: its signature has the options, its
docstring the help. Modules are loaded when a command runs, so that `dfedsam --help` is fast.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Generator
from contextlib import contextmanager
from hashlib import sha256
from importlib import import_module
from pathlib import Path

COMMANDS = {  # name: its module in dfedsam.launch, and its summary for the list of commands
    "run": ("run", "run an experiment: peers on a graph minimise an objective with queries and gossip"),
    "resume": ("run", "continue a stopped or killed run from its last checkpoint, or extend it by more rounds"),
    "sweep": ("sweep", "execute many runs from one file, on this machine or as a SLURM array"),
    "tune": ("tune", "search options, such as the learning rate, on validation data, by successive halving"),
    "plan": ("plan", "forecast the queries, cost, messages, memory and time of a run, before it is started"),
    "status": ("status", "show the progress of a study: which runs are done, running, failed, stopped, or to do"),
    "watch": ("status", "follow a run in the terminal, here or on another machine that shares the file system"),
    "topology": ("topology", "list graphs and schedules, compare their spectral gaps, or draw one"),
    "privacy": ("privacy", "show what a run has spent of its privacy budget: per peer, per neighbour, by distance"),
    "plot": ("commands", "draw metrics of runs against rounds, queries, bytes or time"),
    "report": ("commands", "write a report on a study or several runs: one page, with figures and tables for a paper"),
    "export": ("commands", "export a run's prompt as an adapter that peft loads onto the model"),
    "doctor": ("doctor", "check whether this machine can run experiments, and explain how to install what is missing"),
}


def load(name: str) -> Callable[..., int]:
    """The function of a command."""
    return getattr(import_module(f"dfedsam.launch.{COMMANDS[name][0]}"), name)


def plot(
    folders: list[Path],
    *,
    out: Path | None = None,
    x: str = "rounds,queries,bytes",
    y: str = "",
    color: str | None = None,
    columns: str | None = None,
    size: str | None = None,
    style: str = "paper",
    log: bool | None = None,
) -> int:
    """Draw metrics of runs against rounds, queries, bytes or time.

    Runs that differ only in their seed become one curve: the mean with its 95 % interval, or, below five seeds, with
    each seed as a thin line.

    Args:
        folders: runs' folders, finished or not, or studies.
        out: the figure: .pdf, .png or .svg (default: convergence.pdf, in the folder if there is one).
        x: horizontal axes, separated by commas: rounds, queries, bytes (both per peer), time (of messages) or
            seconds (of the runs' clocks); or one setting with numbers, such as adversary.peers, against which the
            metric's last value is drawn, a panel for each topology.
        y: metrics, one row of panels each, such as accuracy,loss (default: loss, accuracy and consensus distance).
        color: a setting, such as topology or gossip.steps; curves with the same value share a colour.
        columns: a setting; each value gets a column of panels. Needs a single x.
        size: "column" or "page" of a paper, or WIDTHxHEIGHT in inches, such as 3.4x2.5.
        style: paper, or slides (larger letters, thicker lines).
        log: whether vertical axes are logarithmic (default: decided by the data).

    Examples:
        dfedsam plot runs/a
        dfedsam plot runs/ring-0 runs/ring-1 runs/torus-0 --out figure.pdf
        dfedsam plot studies/robustness --x adversary.peers --y accuracy
        dfedsam plot studies/ablation --x rounds --y error --color topology --columns gossip.steps --log true
    """
    from dfedsam.analysis import plot_runs

    options = {"color": color, "columns": columns, "size": size, "style": style, "log": log}
    print(plot_runs(folders, out, x=x.split(","), y=[name for name in y.split(",") if name], **options))
    return 0


def report(
    folders: list[Path],
    *,
    out: str | None = None,
    metric: str | None = None,
    target: float | None = None,
    style: str | None = None,
    animate: bool = False,
) -> int:
    """Write a report on a study or several runs: one page, with figures and tables for a paper.

    The page (report.html) needs no network and no other file. It has tables, figures of convergence against the
    spectral gap with theory's predictions, a map of which graph reaches the target first at which bandwidth, latency
    and slowness of some peers, each run's settings, and a picker to compare runs. The same folder gets figures/ (PDF
    and PNG) and tables/ (CSV and LaTeX). An older report in that folder is replaced.

    Args:
        folders: studies, folders that contain runs, or folders of single runs.
        out: the report's folder (default: FOLDER/report if one FOLDER is given, else report).
        metric: the metric that compares runs (default: accuracy, else error_local, the squared distance from the
            optimum, else the loss).
        target: value of the metric; the report counts rounds and costs until it is reached (default: a value
            that most runs reach, for each heterogeneity).
        style: paper, or slides (larger letters, thicker lines) (default: paper).
        animate: also animate consensus on the drawn graphs.

    Examples:
        dfedsam report studies/ablation
        dfedsam report runs/a runs/b --out comparison --metric loss --target 0.5
        dfedsam report studies/ablation --style slides --animate
    """
    import math

    from dfedsam.analysis import write_report
    from dfedsam.errors import OptionError

    if target is not None and not math.isfinite(target):
        raise OptionError("target", target, "must be a finite number, such as 0.7")
    to = Path(out) if out else (folders[0] if len(folders) == 1 else Path()) / "report"
    options = {"metric": metric, "target": target, "style": style, "animate": animate or None}
    with _sole_writer(to):
        print(write_report(folders, to, **{name: value for name, value in options.items() if value is not None}))
    return 0


@contextmanager
def _sole_writer(folder: Path) -> Generator[None, None, None]:
    """Lock a folder that need not exist, and gets no file of the lock's: it is locked in the cache folder.

    Raises:
        FolderInUse: if another process writes it.
    """
    from dfedsam.lock import FolderInUse, FolderLock
    from dfedsam.whole_files import cache_folder

    place = cache_folder() / "locks" / sha256(os.fsencode(folder.resolve())).hexdigest()[:16]
    try:
        place.mkdir(parents=True, exist_ok=True)
        lock = FolderLock(place)
    except OSError:  # no cache: do without
        yield
        return
    try:
        lock.acquire()
    except FolderInUse as error:
        raise FolderInUse(folder, error.problem, error.hint) from None
    try:
        yield
    finally:
        lock.release()


def export(folder: Path, *, out: Path | None = None, crate: bool = False, licence: str | None = None) -> int:
    """Export a run's prompt as an adapter that peft loads onto the model, or describe its folder for archives.

    PeftModel.from_pretrained(model, OUT) then loads it. OUT/dfedsam.json describes the input format. A discrete prompt
    is also written as prompt.txt. Only prompts before the text can be exported. Requires pip install "dfedsam[peft]".

    Args:
        folder: a run's folder.
        out: the adapter's folder, which must not exist yet.
        crate: write RO-Crate metadata, ro-crate-metadata.json, into the run's folder.
        licence: licence of the run's files for these metadata, as an SPDX identifier (default: none is stated).

    Examples:
        dfedsam export runs/a --out adapters/a
        dfedsam export runs/a --crate --licence CC-BY-4.0
    """
    from dfedsam.errors import OptionError

    if out is None and not crate:
        raise OptionError("out", "missing", "must be the adapter's folder", "give --out FOLDER, or --crate")
    if licence is not None and not crate:
        raise OptionError("licence", licence, "belongs to the metadata of RO-Crate", "add --crate, or leave it out")
    if out is not None and out.exists():
        raise OptionError("out", out, "must not exist yet, because it is never overwritten", "choose another folder")
    written: list[Path] = []
    if crate:
        from dfedsam.crate import metadata

        metadata(folder, licence)  # what is wrong with it is found before the adapter is written
    if out is not None:
        from dfedsam.blackbox.adapter import export as write

        written += write(folder, out)
    if crate:
        from dfedsam.crate import write_crate

        written.append(write_crate(folder, licence))
    print("\n".join(map(str, written)))
    return 0

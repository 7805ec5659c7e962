"""`--log`: a run's figures also to TensorBoard, Weights & Biases or MLflow, each of which is an optional package."""

from __future__ import annotations

import importlib.util
import math
import os
import time
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from dfedsam.launch.progress import Row, Tell

LOGGERS = ("tensorboard", "wandb", "mlflow")  # each by the package, and the extra, of its name


def check(log: str | None) -> list[str]:
    """The loggers that `--log` names, such as "tensorboard" or "tensorboard,wandb".

    Raises:
        ValueError: for one that there is not, or whose package is not installed.
    """
    names = [name.strip() for name in (log or "").split(",") if name.strip()]
    for name in names:
        if name not in LOGGERS:
            raise ValueError(f"log is {name}: it must be one of {', '.join(LOGGERS)}, or several joined by commas")
        if importlib.util.find_spec(name) is None:
            raise ValueError(f"log is {name}: the package {name} is not installed; pip install {name}")
    return names


def start(stack: ExitStack, log: str | None, folder: Path, settings: Row, *, resume: bool) -> list[Tell]:
    """Start the loggers that `--log` names; `stack` ends them. Call it on the root alone.

    Args:
        stack: what closes them at the run's end.
        log: as `check` takes it.
        folder: the run's; TensorBoard's file goes into it, once the run has made it.
        settings: the run's, as `Simulation.description` gives them.
        resume: whether the run goes on from a checkpoint.

    Returns:
        What is told every evaluation's row.

    Raises:
        ValueError: if one cannot be started.
    """
    kinds = {"tensorboard": _tensorboard, "wandb": _wandb, "mlflow": _mlflow}
    tells = []
    for name in check(log):
        try:
            tells.append(stack.enter_context(kinds[name](folder, settings, resume)))
        except Exception as error:  # of a server that is away, a store that it refuses, a key that is missing
            raise ValueError(f"log is {name}: it cannot be started: {' '.join(str(error).split())}") from error
    return tells


def each(tells: Iterable[Tell | None]) -> Tell | None:
    """One that tells all of them; None if there are none."""
    there = [tell for tell in tells if tell is not None]

    def tell(row: Row) -> None:
        for one in there:
            one(row)

    return tell if there else None


def figures(row: Row) -> dict[str, float]:
    """The finite numbers of an evaluation by name, without its round; empty for a round that was not evaluated."""
    if "loss" not in row:
        return {}
    numbers = {name: value for name, value in row.items() if name not in ("round", "rounds")}
    return {
        name: float(value)
        for name, value in numbers.items()
        if isinstance(value, (int, float)) and math.isfinite(value)
    }


@contextmanager
def _tensorboard(folder: Path, settings: Row, resume: bool) -> Iterator[Tell]:
    """An event file in the run's folder; after a resume, what was written beyond the checkpoint is marked as void."""
    from tensorboard.compat.proto.event_pb2 import Event, SessionLog  # pyright: ignore[reportAttributeAccessIssue]
    from tensorboard.compat.proto.summary_pb2 import Summary  # pyright: ignore[reportAttributeAccessIssue]
    from tensorboard.summary.writer.event_file_writer import EventFileWriter

    writer: Any = None

    def tell(row: Row) -> None:
        nonlocal writer
        values = figures(row)
        if not values:
            return
        now = time.time()
        if writer is None:  # not before the run has made its folder, which must not be there
            writer = EventFileWriter(str(folder))
            if resume:
                begin = SessionLog(status=SessionLog.START)
                writer.add_event(Event(wall_time=now, step=row["round"], session_log=begin))
        summary = Summary(value=[Summary.Value(tag=name, simple_value=value) for name, value in values.items()])
        writer.add_event(Event(wall_time=now, step=row["round"], summary=summary))
        writer.flush()

    try:
        yield tell
    finally:
        if writer is not None:
            writer.close()


@contextmanager
def _wandb(folder: Path, settings: Row, resume: bool) -> Iterator[Tell]:
    """A run of Weights & Biases; WANDB_MODE=offline needs no communicator, WANDB_PROJECT names the project."""
    import wandb  # pyright: ignore[reportMissingImports]

    os.environ.setdefault("WANDB_SILENT", "true")
    project = os.environ.get("WANDB_PROJECT", "dfedsam")
    run: Any = wandb.init(project=project, name=folder.name[:128], config=settings)
    try:
        yield lambda row: run.log(figures(row), step=row["round"]) if figures(row) else None
    finally:
        run.finish()


@contextmanager
def _mlflow(folder: Path, settings: Row, resume: bool) -> Iterator[Tell]:
    """A run of MLflow, where MLFLOW_TRACKING_URI says (by default the current folder)."""
    import mlflow  # pyright: ignore[reportMissingImports]

    mlflow.set_experiment(os.environ.get("MLFLOW_EXPERIMENT_NAME", "dfedsam"))
    with mlflow.start_run(run_name=folder.name):
        mlflow.log_params({name: str(value)[:500] for name, value in settings.items()})
        yield lambda row: mlflow.log_metrics(figures(row), step=row["round"]) if figures(row) else None

"""Sends a run's metrics to TensorBoard, Weights & Biases or MLflow, which are optional packages."""

from __future__ import annotations

import hashlib
import importlib.util
import math
import os
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Literal, get_args

from dfedsam.callbacks.base import Callback
from dfedsam.errors import OptionError, one_line
from dfedsam.names import did_you_mean

if TYPE_CHECKING:
    from dfedsam.callbacks.base import Run

Service = Literal["tensorboard", "wandb", "mlflow"]
"""Services; each needs the package, and the extra, of the same name."""
_Log = Callable[[dict[str, float], int], None]


def services(log: str | None) -> list[Service]:
    """The services that `--log` names, such as "tensorboard" or "tensorboard,wandb".

    Raises:
        OptionError: for an unknown one, or one whose package is not installed.
    """
    names = [name.strip() for name in (log or "").split(",") if name.strip()]
    for name in names:
        if name not in get_args(Service):
            hint = did_you_mean(name, get_args(Service)) or "several are joined by commas"
            raise OptionError("log", name, f"must be one of {', '.join(get_args(Service))}", hint)
        if importlib.util.find_spec(name) is None:
            raise OptionError("log", name, f"needs the package {name}, which is not installed", f"pip install {name}")
    return names  # type: ignore[return-value]  # checked above


class Logger(Callback):
    """Sends every evaluation to a service, from the root only."""

    def __init__(self, service: Service) -> None:
        self._service: Service = service
        self._log: _Log | None = None
        self._end: Callable[[], object] = lambda: None

    def on_start(self, run: Run) -> None:
        """Start a run of the service, or continue that of an earlier part of this run.

        Raises:
            OptionError: if it cannot be started, as when a server is down or a key is missing.
        """
        if not run.communicator.is_root:
            return
        start = {"tensorboard": _tensorboard, "wandb": _wandb, "mlflow": _mlflow}[self._service]
        try:
            self._log, self._end = start(run)
        except Exception as error:
            rule = f"cannot be started: {one_line(error)}"
            raise OptionError("log", self._service, rule) from error

    def after_round(self, run: Run) -> None:
        if self._log is not None and run.row is not None:
            self._log(numbers(run.row), run.round)

    def close(self) -> None:
        self._end()


def numbers(row: dict[str, Any]) -> dict[str, float]:
    """The finite numbers of an evaluation by name, without its round."""
    return {
        name: float(value)
        for name, value in row.items()
        if name != "round" and isinstance(value, int | float) and math.isfinite(value)
    }


def _name(run: Run) -> str:
    return "run" if run.folder is None else run.folder.path.name


def _tensorboard(run: Run) -> tuple[_Log, Callable[[], object]]:
    """An event file in the run's folder; entries of an earlier part beyond the checkpoint are purged."""
    from torch.utils.tensorboard import SummaryWriter

    folder = None if run.folder is None else str(run.folder.path)
    writer = SummaryWriter(folder, purge_step=run.round + 1 if run.rows else None)

    def log(values: dict[str, float], step: int) -> None:
        for name, value in values.items():
            writer.add_scalar(name, value, step)
        writer.flush()

    return log, writer.close


def _wandb(run: Run) -> tuple[_Log, Callable[[], object]]:
    """A run of Weights & Biases, the same after a resume; WANDB_MODE=offline needs no network.

    WANDB_PROJECT names the project.
    """
    import wandb  # pyright: ignore[reportMissingImports]

    os.environ.setdefault("WANDB_SILENT", "true")
    project = os.environ.get("WANDB_PROJECT", "dfedsam")
    again: dict[str, Any] = {}
    if run.folder is not None:  # topology.json is written once, at the start
        born = f"{run.folder.path.resolve()} {run.folder.topology.stat().st_mtime_ns}"
        again = {"id": hashlib.sha256(born.encode()).hexdigest()[:16], "resume": "allow"}
    started: Any = wandb.init(project=project, name=_name(run)[:128], config=run.experiment.description(), **again)
    return lambda values, step: started.log(values, step=step), started.finish


def _mlflow(run: Run) -> tuple[_Log, Callable[[], object]]:
    """A run of MLflow, at MLFLOW_TRACKING_URI, by default in the current folder."""
    import mlflow  # pyright: ignore[reportMissingImports]

    mlflow.set_experiment(os.environ.get("MLFLOW_EXPERIMENT_NAME", "dfedsam"))
    mlflow.start_run(run_name=_name(run))
    mlflow.log_params({name: str(value)[:500] for name, value in run.experiment.description().items()})
    return lambda values, step: mlflow.log_metrics(values, step=step), mlflow.end_run

"""`--log`: what other programs read is what metrics.jsonl has, through a resume too."""

import math
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest

from dfedsam import simulate
from dfedsam.callbacks.loggers import Logger
from tests.launch.command import SMALL, metrics
from tests.launch.sweeps.files import write


def events(folder: str) -> dict[str, dict[int, float]]:
    """What TensorBoard shows of a run: tag → round → value."""
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    read = EventAccumulator(folder)
    read.Reload()
    return {tag: {event.step: event.value for event in read.Scalars(tag)} for tag in read.Tags()["scalars"]}


def check(folder: str) -> None:
    """Whether TensorBoard shows what metrics.jsonl has, in single precision."""
    rows, shown = metrics(folder), events(folder)
    assert {"loss", "consensus_distance", "queries", "bytes"} <= shown.keys()
    for tag, values in shown.items():
        if tag != "seconds":
            expected = {row["round"]: row[tag] for row in rows}
            assert values.keys() == expected.keys()
            assert all(math.isclose(values[at], expected[at], rel_tol=1e-6) for at in values)


def test_tensorboard_shows_a_run(dfedsam):
    pytest.importorskip("tensorboard")
    run = ("run", *SMALL, "--rounds", "6", "--evaluate_every", "2", "--log", "tensorboard")
    assert dfedsam(*run, "--out", "a").status == 0
    check("a")
    assert dfedsam("resume", "a", "--rounds", "8", "--log", "tensorboard").status == 0
    check("a")
    assert dfedsam("run", *SMALL, "--rounds", "8", "--evaluate_every", "2", "--out", "b").status == 0
    assert [row["round"] for row in metrics("a")] == [row["round"] for row in metrics("b")]


def test_tensorboard_shows_each_run_of_a_sweep(dfedsam):
    pytest.importorskip("tensorboard")
    assert dfedsam("sweep", write(seeds=2), "--log", "tensorboard").status == 0
    for seed in (0, 1):
        check(f"studies/small/runs/seed={seed}")


@pytest.mark.parametrize("name", ["wandb", "mlflow"])
def test_a_logger_that_is_not_installed(dfedsam, monkeypatch, name):
    monkeypatch.setitem(sys.modules, name, None)
    said = dfedsam("run", *SMALL, "--log", f"tensorboard,{name}", "--out", "a")
    assert said.status == 2
    assert f"log is {name}: it needs the package {name}, which is not installed; pip install {name}" in said.err
    assert not Path("a").exists()


def test_a_resumed_run_goes_on_in_its_run_of_wandb(tmp_path, monkeypatch):
    started = []

    class Wandb(ModuleType):
        def init(self, **options):
            started.append((options["id"], options["resume"]))
            return SimpleNamespace(log=lambda values, step: None, finish=lambda: None)

    monkeypatch.setitem(sys.modules, "wandb", Wandb("wandb"))
    options = {"objective": "quadratic", "topology": "ring", "algorithm": "dpsgd", "peers": 4}
    for name in ("a", "b"):
        simulate(rounds=1, out=tmp_path / name, callbacks=[Logger("wandb")], **options)
    simulate(rounds=2, out=tmp_path / "a", resume=True, callbacks=[Logger("wandb")], **options)
    assert started[0] == started[2] != started[1]

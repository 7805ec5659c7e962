"""What Python gets: metrics, models, metrics of each peer, topology, W, a figure and a notebook's view."""

import sys
from itertools import count
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from dfedsam import Callback, DFedSAM, LogisticRegression, OptionError, Progress, Quadratic, make, simulate
from dfedsam.analysis import convergence, read_runs
from dfedsam.launch.cli import main
from tests.launch.command import metrics


@pytest.fixture(scope="module")
def result():
    objective = LogisticRegression(features=3)
    return simulate(objective=objective, topology=make("ring", 6), algorithm=DFedSAM(), rounds=4, evaluate_every=2)


def test_metrics_and_models(result, tmp_path):
    assert list(result.metrics["round"]) == [0, 2, 4]
    assert result["loss"].iloc[-1] < result["loss"].iloc[0]
    assert result.x.shape[0] == 6
    assert result.stopped is None
    assert result.folder is None
    assert result.topology.n == 6
    np.testing.assert_allclose(result.W.sum(axis=0), 1)


def test_metrics_of_each_peer(result):
    assert list(result.peers.columns) == ["loss", "accuracy"]
    assert len(result.peers) == 6
    assert result.peers["loss"].mean() == pytest.approx(result.rows[-1]["loss_local"])
    assert result.peers["accuracy"].min() == result.rows[-1]["accuracy_worst"]


def test_a_figure_and_a_notebooks_view(result):
    assert result.plot(x=("rounds",)).axes
    view = result._repr_html_()
    assert "dfedsam, ring, logistic_regression, 6 peers" in view
    assert "consensus_distance" in view
    assert "data:image/png;base64," in view
    assert repr(result).startswith("<Result of dfedsam, ring, logistic_regression, 6 peers, round 4: loss")
    assert result.spectrum["gap"] == pytest.approx(4 / 3 * np.sin(np.pi / 6) ** 2)


def test_a_notebook_shows_a_bar_once_a_run_takes_long(monkeypatch):
    shown = []
    page = SimpleNamespace(HTML=str, display=lambda text, display_id: shown.append(text) or Handle())

    class Handle:
        def update(self, text):
            shown.append(text)

    monkeypatch.setitem(sys.modules, "ipykernel", SimpleNamespace())
    monkeypatch.setitem(sys.modules, "IPython.display", page)
    options = {"objective": Quadratic(dim=3), "topology": make("ring", 4), "algorithm": DFedSAM()}
    simulate(**options, rounds=3)
    assert not shown
    seconds = count(step=0.5)
    monkeypatch.setattr("dfedsam.callbacks.progress.time.monotonic", lambda: next(seconds))
    simulate(**options, rounds=3)
    assert shown[-1].startswith('<progress value="3" max="3"></progress> round 3/3: loss')


def test_results_have_the_columns_of_the_readers(tmp_path):
    options = {"objective": "quadratic", "topology": "ring", "algorithm": "dpsgd", "peers": 4, "rounds": 2}
    result = simulate(**options, out=tmp_path / "a")
    pd.testing.assert_frame_equal(result.metrics, read_runs(tmp_path / "a"))
    assert convergence(result, x=("rounds",)).axes


def test_names_are_accepted_where_the_command_line_accepts_them(tmp_path):
    by_name = simulate(objective="quadratic", topology="torus", algorithm="dfedsam_mg", peers=9, rounds=2)
    argv = ["--topology", "torus", "--peers", "9", "--algorithm", "dfedsam_mg", "--rounds", "2"]
    assert main(["run", *argv, "--out", str(tmp_path / "a")]) == 0
    assert [{k: v for k, v in row.items() if k != "seconds"} for row in by_name.rows] == metrics(tmp_path / "a")
    with pytest.raises(OptionError, match="did you mean dfedsam"):
        simulate(objective="quadratic", topology="ring", algorithm="dfedsan", rounds=1)


def test_callbacks_see_every_round_and_are_closed(capsys):
    seen = []

    class Watch(Callback):
        def after_round(self, run):
            seen.append((run.round, run.row is not None))

        def close(self):
            seen.append("closed")

    options = {"objective": Quadratic(dim=3), "topology": make("ring", 4), "algorithm": DFedSAM(), "rounds": 3}
    simulate(**options, evaluate_every=2, callbacks=[Watch(), Progress()])
    assert seen == [(0, True), (1, False), (2, True), (3, True), "closed"]
    assert "round 3/3: loss" in capsys.readouterr().out

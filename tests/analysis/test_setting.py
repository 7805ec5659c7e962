"""The last value of a metric against a setting: a line for each combination of the other settings."""

import numpy as np
import pytest

from dfedsam.analysis import plot_runs
from dfedsam.analysis.plot.setting import numeric_settings, setting_curves
from dfedsam.analysis.read.runs import read_study
from dfedsam.errors import OptionError
from tests.analysis.folders import config, row, spectrum, write

COUNTS, RULES, GRAPHS = (0, 1, 3), ("plain", "clipped"), {"torus": 0.4, "ring": 0.1}


@pytest.fixture
def folder(tmp_path):
    """Accuracies .9 − .1 f (clipped: .05 f less), .1 more on the torus; two seeds .02 apart."""
    for graph, gap in GRAPHS.items():
        for number, rule in enumerate(RULES):
            for f in COUNTS:
                for seed in (0, 1):
                    last = 0.9 - 0.1 * f + 0.05 * f * number - 0.1 * (graph == "ring") + 0.02 * seed
                    rows = [row(0, accuracy=0.25), row(100, accuracy=last)]
                    settings = config(topology=graph, seed=seed, gossip={"class_path": rule, "init_args": {}})
                    settings["adversary"] = {"class_path": "alie", "init_args": {"peers": f}}
                    where = tmp_path / "study" / f"{graph},{rule},{f},{seed}"
                    write(where, rows, settings, topology={"spectrum": spectrum(gap)})
    return tmp_path / "study"


def test_a_line_for_each_rule_and_a_panel_for_each_graph(folder):
    study = read_study([folder])
    assert numeric_settings(study) == ["adversary.peers"]
    figure = setting_curves(study, "adversary.peers")
    assert [ax.get_title() for ax in figure.axes] == ["ring", "torus"], "from the smallest gap to the largest"
    assert [ax.get_xlabel() for ax in figure.axes] == ["attackers"] * 2
    lines = {str(line.get_label()): np.asarray(line.get_xydata()).T for line in figure.axes[1].lines}
    np.testing.assert_allclose(lines["plain"][0], COUNTS)
    np.testing.assert_allclose(lines["plain"][1], [0.91, 0.81, 0.61])
    np.testing.assert_allclose(lines["clipped"][1], [0.91, 0.86, 0.76])


def test_against_a_setting_on_the_command_line(folder, tmp_path):
    out = plot_runs([folder], tmp_path / "a.pdf", x=["adversary.peers"], y=["accuracy"], columns="gossip")
    assert out.stat().st_size > 1000
    with pytest.raises(OptionError, match=r"x is peer: it must be one of rounds, .*, or a setting: .*adversary\.peers"):
        plot_runs([folder], x=["peer"])

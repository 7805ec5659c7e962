"""Studies: what is read of broken folders, and each figure and table of one on which theory is exact."""

import json

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure
from PIL import Image

from dfedsam import topologies
from dfedsam.analysis import marks, style
from dfedsam.analysis.animation import animate, gossiped
from dfedsam.analysis.consensus_rounds import consensus_rounds
from dfedsam.analysis.convergence_gap import convergence_gap
from dfedsam.analysis.gap_size import gap_size
from dfedsam.analysis.gossip_steps import gossip_steps
from dfedsam.analysis.predictors import agreements, predictors
from dfedsam.analysis.studies import read_study
from dfedsam.analysis.summary import summarise
from dfedsam.analysis.tables import study_table, write_tables
from tests.analysis.folders import config, row, write
from tests.analysis.quadratic_study import GRAPHS, SIZES, STEPS, model, write_study


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    return read_study([write_study(tmp_path_factory.mktemp("study"))])


@pytest.fixture(scope="module")
def summary(study):
    return summarise(study.evaluations, study.runs, "consensus_distance")


def test_theory_stands_beside_each_run(study):
    assert set(study.runs["state"]) == {"done"}
    assert study.notes == []
    run = study.runs[study.runs["run"] == "ring,8,2,1.0,0"].iloc[0]
    own = model("ring", 8, 2, 1.0)
    assert run["lambda_q"] == pytest.approx(run["lambda"] ** 2)
    assert (run["predicted_consensus"], run["predicted_error"]) == pytest.approx(own.steady())


def test_one_size_is_not_drawn_against_size(study):
    with pytest.raises(ValueError, match="at least two sizes"):
        gap_size(study.runs[study.runs["peers"] == SIZES[0]])


@pytest.mark.parametrize("look", ["paper", "slides"])
def test_each_figure_of_a_table(study, summary, look):
    with style.look(look):
        figures = {
            "gap": convergence_gap(summary),
            "predictors": predictors(summary),
            "steps": gossip_steps(summary),
            "size": gap_size(study.runs),
            "rounds": consensus_rounds(study.evaluations),
        }
    assert all(isinstance(figure, Figure) for figure in figures.values())
    steady = figures["gap"].axes[-1]
    assert "closed form, without a fit: $R^2$ = 1.000" in steady.get_title()
    shown = np.concatenate([line.get_ydata() for line in steady.lines if line.get_marker() == "+"])
    known = [model(g, n, q, 1.0).steady()[0] for g in ("ring", "star") for n in SIZES for q in STEPS]
    np.testing.assert_allclose(np.sort(shown), np.sort(known))  # not the complete graph's, which agrees at once
    (ring,) = (line for line in figures["size"].axes[0].lines if line.get_label() == "ring")
    np.testing.assert_allclose(
        np.asarray(ring.get_ydata(), float), [2 / 3, (2 - np.sqrt(2)) / 3]
    )  # 1 − λ of W = (I + A)/3


def test_what_foretells(summary):
    table = agreements(summary).set_index("predictor")
    closed = table.loc["closed form (measured = predicted)"]
    assert (closed["R²"] > 0.9999).all()
    assert (table.loc["gap of a round", "R²"] < closed["R²"].min()).all()


def test_tables(summary, tmp_path):
    table = study_table(summary)
    assert len(table) == len(GRAPHS) * len(SIZES) * len(STEPS) * 2
    some = summary[summary["label"] == summary["label"].iloc[0]]["steady"]
    assert table["consensus_distance"].isin([some.mean()]).any()
    assert np.isclose(table["±"], some.std(), rtol=1e-9, atol=0).any()
    csv, latex = write_tables(summary, tmp_path)
    np.testing.assert_allclose(pd.read_csv(csv)["gap"], table["gap"])
    text = latex.read_text()
    assert r"\toprule" in text
    assert r"$\pm$" in text
    best = [line for line in text.splitlines() if "&" in line and r"\bfseries" in line.split("&")[-2]]
    assert {line.split(" &")[0] for line in best} == {"complete"}
    assert len(best) >= 4  # one at least of each size and heterogeneity


def test_broken_folders_are_read_as_far_as_they_go_and_said(tmp_path):
    whole = write(tmp_path / "whole", [row(0), row(100)])
    cut = write(tmp_path / "cut", [row(0), row(5)])
    with (cut / "metrics.jsonl").open("a") as file:
        file.write('{"round": 10, "lo')
    old = write(tmp_path / "old", [{"round": 0, "loss": 1.0}, {"round": 9, "loss": 0.5}], {"peers": 4})
    torn = write(tmp_path / "torn", [row(0)])
    (torn / "metrics.jsonl").write_text(json.dumps(row(0)) + "\n\x00\x00\n" + json.dumps(row(5)) + "\n")
    (tmp_path / "begun").mkdir()
    (tmp_path / "begun" / "config.yaml").write_text("peers: 4")
    (tmp_path / "lost").mkdir()
    (tmp_path / "lost" / "metrics.jsonl").write_text(json.dumps(row(0)))
    (whole / "topology.json").write_text('{"spectrum": {"ga')
    (torn / "references.json").write_text('{"zero_sh')
    study = read_study([tmp_path])
    rounds = dict(zip(study.runs["run"], study.runs["round"], strict=True))
    assert rounds == {"whole": 100, "cut": 5, "old": 9, "torn": 5}
    assert dict(zip(study.runs["run"], study.runs["state"], strict=True))["whole"] == "done"
    said = {
        "cut": "last line is cut short",
        "old": "is it of another version",
        "torn": "line 2: not a JSON object",
        "begun": "it has just started",
        "lost": "config.yaml missing",
        "whole": "cut short, or of another version",
    }
    for name, words in said.items():
        assert any(words in note and str(tmp_path / name) in note for note in study.notes), name
    assert any(str(torn / "references.json") in note for note in study.notes)
    assert {str(tmp_path / "cut"), str(old)} <= {row["folder"] for row in study.runs.to_dict("records")}


def test_a_failed_run_says_why(tmp_path):
    write(tmp_path / "runs" / "a", [row(0)], config())
    (tmp_path / "failed").mkdir()
    (tmp_path / "failed" / "a.json").write_text('{"error": "no memory", "status": 1}')
    (tmp_path / "failed" / "b.json").write_text("{")
    runs = read_study([tmp_path]).runs.set_index("run")
    assert runs.loc["a", ["state", "reason"]].tolist() == ["failed", "no memory"]
    assert runs.loc["b", ["state", "reason"]].tolist() == ["failed", "b.json cannot be read"]


def test_data_sets_and_variants_stand_apart(tmp_path):
    """Two runs of one algorithm that differ in an option and in the data are four rows, each with its name."""
    data = {"sst2": "data/sst2/train.csv", "topics": "docstring_topics"}
    for name, path in data.items():
        for ascent in ("estimate", "momentum"):
            settings = config(ascent=ascent)
            settings["objective"]["init_args"]["data"] = path
            write(tmp_path / f"{name}_{ascent}", [row(0), row(1), row(2)], settings)
    study = read_study([tmp_path])
    summary = summarise(study.evaluations, study.runs, "loss")
    table = study_table(summary)
    assert [tuple(each) for each in table[["data", "variant"]].to_numpy()] == [
        (name, f"ascent={ascent}") for name in ("docstring_topics", "sst2") for ascent in ("estimate", "momentum")
    ]
    assert [marks.facet_title(*part) for part in marks.facets(summary)] == ["sst2", "docstring_topics"]


def test_gossip_on_the_drawn_graph(tmp_path):
    topology = topologies.make({"class_path": "ring", "init_args": {}}, 6, 0)
    values = gossiped(topology, 5)
    W = topology.weights(0).toarray()
    np.testing.assert_allclose(values[5], np.linalg.matrix_power(W, 5) @ values[0])
    path = animate(topology, tmp_path / "consensus.gif", rounds=3)
    with Image.open(path) as image:
        assert image.n_frames == 4
    with pytest.raises(ValueError, match=r"must end in \.gif or \.mp4"):
        animate(topology, tmp_path / "consensus.avi")

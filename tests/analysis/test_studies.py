"""Studies: what is read of broken folders, and each figure and table of one on which theory is exact."""

import json
import subprocess
from itertools import islice
from shutil import which

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure
from PIL import Image

from dfedsam import simulate, topologies
from dfedsam.analysis.plot import points, style
from dfedsam.analysis.plot.consensus import animate, consensus_rounds, gossip, gossip_steps
from dfedsam.analysis.plot.gap import agreements, convergence_gap, gap_size, predictors
from dfedsam.analysis.read.metrics import rises
from dfedsam.analysis.read.runs import read_study
from dfedsam.analysis.report.tables import escape, pairs_table, pairs_text, study_table, to_html, write_tables
from dfedsam.analysis.summary import aggregate, differences, summarise
from dfedsam.launch.sweeps.spec import Search
from tests.analysis.folders import config, row, spectrum, write
from tests.analysis.quadratic_study import GRAPHS, SIZES, STEPS, model, write_study


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    return read_study([write_study(tmp_path_factory.mktemp("study"))])


@pytest.fixture(scope="module")
def summary(study):
    return summarise(study, "consensus_distance")


def test_theory_stands_beside_each_run(study):
    assert set(study.runs["state"]) == {"done"}
    assert study.notes == []
    run = study.runs[study.runs["run"] == "ring,8,2,1.0,0"].iloc[0]
    own = model("ring", 8, 2, 1.0)
    assert run["lambda_q"] == pytest.approx(run["lambda"] ** 2)
    assert (run["predicted_consensus"], run["predicted_error"]) == pytest.approx(own.steady_state())


def test_one_size_is_not_drawn_against_size(study):
    with pytest.raises(ValueError, match="at least two sizes"):
        gap_size(study.runs[study.runs["peers"] == SIZES[0]])


@pytest.mark.parametrize("name", ["paper", "slides"])
def test_each_figure_of_a_table(study, summary, name):
    with style.use_style(name):
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
    known = [model(g, n, q, 1.0).steady_state()[0] for g in ("ring", "star") for n in SIZES for q in STEPS]
    np.testing.assert_allclose(np.sort(shown), np.sort(known))  # not the complete graph's, which agrees at once
    (ring,) = (line for line in figures["size"].axes[0].lines if line.get_label() == "ring")
    np.testing.assert_allclose(
        np.asarray(ring.get_ydata(), float), [2 / 3, (2 - np.sqrt(2)) / 3, (2 - np.sqrt(3)) / 3]
    )  # 1 − λ of W = (I + A)/3


def test_what_predicts_the_steady_state(summary):
    table = agreements(summary).set_index("predictor")
    closed = table.loc["closed form (measured = predicted)"]
    assert (closed["R²"] > 0.9999).all()
    assert (table.loc["gap of a round", "R²"] < closed["R²"].min()).all()


def test_no_closed_form_without_theory(tmp_path):
    """Nothing is predicted of runs whose theory is not known, and this is said once."""
    for graph, gap in (("ring", 0.1), ("torus", 0.4)):
        for seed in (0, 1):
            stored = {"spectrum": spectrum(gap), "gossip": {"lambda_q": 1 - gap}}
            write(
                tmp_path / f"{graph}{seed}", [row(i) for i in range(5)], config(topology=graph, seed=seed), None, stored
            )
    study = read_study([tmp_path])
    assert [note for note in study.notes if "no theory" in note] == [
        "4 of 4 runs have no theory in topology.json: they have no lines of theory"
    ]
    figure = predictors(summarise(study, "loss"))
    assert [ax.get_xlabel() for ax in figure.axes] == [r"gap $1-\lambda_Q$"]
    assert [ax.get_title() for ax in figure.axes] == ["too few points for a line"]


def test_tables(summary, tmp_path):
    table = study_table(summary)
    assert len(table) == len(GRAPHS) * len(SIZES) * len(STEPS) * 2
    some = summary[summary["label"] == summary["label"].iloc[0]]["steady"]
    assert table["consensus_distance"].isin([some.mean()]).any()
    assert np.isclose(table["±"], some.std(), rtol=1e-9, atol=0).any()
    csv, pairs, latex, differing, by_steps = write_tables(summary, tmp_path)
    np.testing.assert_allclose(pd.read_csv(csv)["gap"], table["gap"])
    assert (pd.read_csv(pairs)["pairs"] == 2).all()
    assert differing.read_text().count("complete") >= len(pd.read_csv(pairs))  # the best one is named in each row
    text = latex.read_text()
    assert r"\toprule" in text
    assert r"$\pm$" in text
    best = [line for line in text.splitlines() if "&" in line and r"\bfseries" in line.split("&")[-1]]
    assert {line.split(" &")[0] for line in best} == {"complete"}
    assert len(best) >= 4  # one at least of each size and heterogeneity
    assert "heterogeneity = 0.5, Q = 1 & heterogeneity = 0.5, Q = 2" in by_steps.read_text()


def test_messages_count_each_gossip_step_once(summary):
    table = study_table(summary)
    ring = table[(table["topology"] == "ring") & (table["peers"] == 8)]
    assert dict(zip(ring["Q"], ring["messages per round"], strict=True)) == {1: 16, 2: 32}


def test_bold_is_what_is_better_beyond_the_noise(tmp_path):
    """Seeds 0, 1, 2 of each graph; a is better than b in every seed, c is as good as a within the noise."""
    losses = {"ring": [1.0, 2.0, 3.0], "torus": [1.1, 2.1, 3.1], "star": [1.05, 1.9, 3.1]}
    for graphs, clear in ((["ring", "torus"], {"ring"}), (["ring", "torus", "star"], set())):
        folder = tmp_path / str(len(graphs))
        for graph in graphs:
            for seed, loss in enumerate(losses[graph]):
                write(folder / f"{graph}{seed}", [row(0, loss=loss)], config(topology=graph, seed=seed))
        summary = summarise(read_study([folder]), "loss")
        table = differences(summary)
        assert {label.split(", ")[1] for label in table.loc[table["is_clear"], "label"]} == clear
        assert to_html(summary).count("font-weight: bold") == len(clear)
    torus = pairs_table(summary).set_index("label").loc["dfedsam, torus, 16 peers"]
    assert torus[["difference", "low", "high"]].tolist() == pytest.approx([0.1, 0.1, 0.1])
    assert torus["compared_with"] == "dfedsam, ring, 16 peers"
    text = pairs_text(summary).set_index("cell")
    assert text.loc["torus"].tolist() == ["ring", "+0.1", "+0.1 … +0.1", "< 0.001", "3"]


def test_graphs_drawn_by_seed_have_the_mean_of_their_gaps(tmp_path):
    for seed, gap in enumerate((0.2, 0.3, 0.7)):
        topology = {"spectrum": spectrum(gap, diameter=2), "gossip": {"lambda_q": 1 - gap}}
        settings = config(topology="erdos_renyi", seed=seed)
        write(tmp_path / str(seed), [row(0), row(100)], settings, topology=topology)
    (cell,) = aggregate(summarise(read_study([tmp_path]), "loss")).to_dict("records")
    assert (cell["gap"], cell["lambda_q"], cell["diameter"]) == pytest.approx((0.4, 0.6, 2))


def test_a_target_is_reached_by_the_run_that_set_it(tmp_path):
    for seed in range(3):
        write(tmp_path / str(seed), [row(0, accuracy=0.5), row(100, accuracy=0.69)], config(seed=seed))
    summary = summarise(read_study([tmp_path]))
    assert summary["target"].unique() == [0.69]  # not 0.6900000000000001
    assert (summary["rounds_to"] == 100).all()


def test_shares_of_examples_are_better_if_larger():
    assert all(rises(name) for name in ("accuracy_worst", "validation_accuracy", "recall_0", "cosine"))
    assert not any(rises(name) for name in ("loss", "validation_loss", "consensus_distance"))
    assert (
        Search(option="", values=(), metric="recall_0").sign == Search(option="", values=(), metric="cosine").sign == -1
    )


def test_text_of_the_users_is_escaped_everywhere(tmp_path):
    name = r"<script>a&b_α${\%#~^"
    for seed, path in enumerate((name, "=1+1")):
        settings = config(topology="from_file", seed=seed)
        settings["topology"]["init_args"]["path"] = path
        write(tmp_path / "runs" / str(seed), [row(0), row(1)], settings)
    summary = summarise(read_study([tmp_path]), "loss")
    assert "<script>" not in to_html(summary)
    assert "&lt;script&gt;" in to_html(summary)
    (tmp_path / "tables").mkdir()
    csv, *_, latex = write_tables(summary, tmp_path / "tables")
    assert "'=1+1" in csv.read_text()
    assert escape(name) == (
        r"\textless{}script\textgreater{}a\&b\_$\alpha$\$\{\textbackslash{}\%\#\textasciitilde{}\textasciicircum{}"
    )
    assert escape(name) in latex.read_text()


def test_a_graph_that_an_algorithm_does_not_use_is_not_its_own(tmp_path):
    """A server and peers alone have no gap; an asynchronous algorithm mixes by W, and has one."""
    small = {"objective": "quadratic", "topology": "ring", "peers": 8, "rounds": 2}
    for algorithm in ("dpsgd", "adsgd", "fedbpt", "local_only"):
        simulate(algorithm=algorithm, out=tmp_path / "runs" / algorithm, **small)
    table = study_table(summarise(read_study([tmp_path / "runs"]), "loss")).set_index("algorithm")
    for column in ("degree", "gap", "λ", "messages per round"):
        assert dict(np.isfinite(table[column].astype(float))) == {
            "dpsgd": True, "adsgd": True, "fedbpt": False, "local_only": False,
        }  # fmt: skip
    (tmp_path / "tables").mkdir()
    written = write_tables(summarise(read_study([tmp_path / "runs"]), "loss"), tmp_path / "tables")
    text = next(path for path in written if path.name == "study.tex").read_text()
    names = next(line for line in text.splitlines() if line.startswith("topology &")).rstrip("\\ ").split(" & ")
    sides = dict(zip(names, text.partition("\\begin{tabular}{")[2].partition("}")[0], strict=True))
    assert (sides["topology"], sides["algorithm"], sides["gap"], sides["loss"]) == ("l", "l", "r", "r")


@pytest.mark.skipif(which("pdflatex") is None, reason="no pdflatex is installed: the tables are not compiled")
def test_tables_compile(summary, tmp_path):
    written = write_tables(summary, tmp_path)
    body = "\n".join(rf"\input{{{path.name}}}" for path in written if path.suffix == ".tex")
    packages = r"\usepackage{booktabs,longtable}\usepackage[margin=2cm]{geometry}"
    text = rf"\documentclass[twocolumn]{{article}}{packages}\begin{{document}}{body}\end{{document}}"
    (tmp_path / "paper.tex").write_text(text.replace("[twocolumn]", ""))
    command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "paper.tex"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=100)
    assert done.returncode == 0, done.stdout[-2000:]
    assert "Overfull" not in done.stdout


def test_broken_folders_are_read_as_far_as_they_go_and_said(tmp_path):
    whole = write(tmp_path / "whole", [row(0), row(100)])
    cut = write(tmp_path / "cut", [row(0), row(5)])
    with (cut / "metrics.jsonl").open("a") as file:
        file.write('{"round": 10, "lo')
    old = write(tmp_path / "old", [{"round": 0, "loss": 1.0}, {"round": 9, "loss": 0.5}], {"peers": 4})
    torn = write(tmp_path / "torn", [row(0)])
    (torn / "metrics.jsonl").write_text(json.dumps(row(0)) + "\n\x00\x00\n" + json.dumps(row(5)) + "\n")
    (tmp_path / "begun").mkdir()
    (tmp_path / "begun" / "config.yaml").write_text("format: 1\npeers: 4")
    (tmp_path / "lost").mkdir()
    (tmp_path / "lost" / "metrics.jsonl").write_text(json.dumps(row(0)))
    (whole / "topology.json").write_text('{"spectrum": {"ga')
    (torn / "references.json").write_text('{"zero_sh')
    study = read_study([tmp_path])
    rounds = dict(zip(study.runs["run"], study.runs["round"], strict=True))
    assert rounds == {"whole": 100, "cut": 5, "old": 9, "torn": 5}
    assert dict(zip(study.runs["run"], study.runs["state"], strict=True))["whole"] == "done"
    said = {
        "old": "was it written by another version",
        "torn": "line 2: is not an evaluation",
        "begun": "the run has just started",
        "lost": "it has no config.yaml",
        "whole": "cut short, or not JSON",
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


def test_a_run_whose_loss_has_exploded_is_marked(tmp_path):
    write(tmp_path / "a", [row(0), row(100, loss=1e4)])
    write(tmp_path / "b", [row(0), row(100, loss=900.0)])
    runs = read_study([tmp_path]).runs.set_index("run")
    assert runs.loc["a", ["state", "reason"]].tolist() == ["diverged", "the loss has grown from 2 to 1e+04"]
    assert runs.loc["b", "state"] == "done"


def test_data_sets_and_variants_stand_apart(tmp_path):
    """Two runs of one algorithm that differ in an option and in the data are four rows, each with its name."""
    data = {"sst2": "data/sst2/train.csv", "topics": "docstring_topics"}
    for name, path in data.items():
        for ascent in ("estimate", "momentum"):
            settings = config(ascent=ascent)
            settings["objective"]["init_args"]["data"] = path
            write(tmp_path / f"{name}_{ascent}", [row(0), row(1), row(2)], settings)
    study = read_study([tmp_path])
    summary = summarise(study, "loss")
    table = study_table(summary)
    assert [tuple(each) for each in table[["data", "variant"]].to_numpy()] == [
        (name, f"ascent = {ascent}") for name in ("docstring_topics", "sst2") for ascent in ("estimate", "momentum")
    ]
    assert [points.facet_title(*part) for part in points.facets(summary)] == ["sst2", "docstring_topics"]


def test_gossip_on_the_drawn_graph(tmp_path):
    topology = topologies.make("ring", 6, 0)
    start = np.arange(6.0)
    values = list(islice(gossip(topology, start), 6))
    W = topology.weights(0).toarray()
    np.testing.assert_allclose(values[5], np.linalg.matrix_power(W, 5) @ start)
    animate(topology, tmp_path / "consensus.gif", "ring", rounds=3)
    with Image.open(tmp_path / "consensus.gif") as image:
        assert image.n_frames == 4

"""Convergence figures: means and intervals in closed form, which panels there are, labels, units, references."""

import os
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from dfedsam.analysis import convergence, plot_run, plot_runs, read_runs, save
from dfedsam.analysis.plot import axes
from dfedsam.analysis.plot.style import COLUMN, curve_style, new_figure
from dfedsam.analysis.statistics import holm, mean_and_interval, paired_difference
from tests.analysis.folders import config, many_seeds, row, write


def drawn(figure):
    figure.draw_without_rendering()  # lays everything out: warnings here are errors
    return figure


def curves(ax):
    """Curves by name; what has no name (references) is left out."""
    return {line.get_label(): line for line in ax.lines if not line.get_label().startswith("_")}


def words(figure):
    return [(ax.get_ylabel(), ax.get_xlabel()) for ax in figure.axes]


def test_the_interval_of_three_seeds_in_closed_form():
    mean, low, high = mean_and_interval([[1.0], [2.0], [6.0]])
    half = stats.t.ppf(0.975, 2) * np.sqrt(7) / np.sqrt(3)  # the variance of 1, 2, 6 is (4 + 1 + 9) / 2
    np.testing.assert_allclose([mean, low, high], [[3], [3 - half], [3 + half]], rtol=1e-14)
    # with two seeds t is Cauchy's: its quantile is tan(π (p − 1/2))
    _, low, _ = mean_and_interval([1.0, 3.0])
    np.testing.assert_allclose(low, 2 - np.tan(0.475 * np.pi), rtol=1e-10)


def test_the_geometric_interval_is_that_of_logarithms():
    mean, low, high = mean_and_interval([1.0, 100.0], geometric=True)
    np.testing.assert_allclose(mean, 10)
    np.testing.assert_allclose(low * high, 100)
    assert np.isnan(mean_and_interval([0.0], geometric=True)[0])


def test_missing_values_and_single_seeds_have_no_interval():
    mean, low, high = mean_and_interval([[1.0, np.nan, np.nan], [np.inf, np.nan, 4.0]])
    np.testing.assert_array_equal(mean, [1, np.nan, 4])
    assert np.isnan(low).all()
    assert np.isnan(high).all()


def test_differences_in_pairs_are_free_of_what_seeds_share():
    noise = {0: 1.0, 1: 5.0, 2: -3.0}
    a = {seed: 2 + value + 0.01 * seed for seed, value in noise.items()}
    found = paired_difference(a, noise)
    half = stats.t.ppf(0.975, 2) * 0.01 / np.sqrt(3)
    p = stats.ttest_rel(list(a.values()), list(noise.values())).pvalue
    assert found == pytest.approx((2.01, 2.01 - half, 2.01 + half, 3, p))
    np.testing.assert_array_equal(holm([0.03, np.nan, 0.01, 0.9]), [0.06, np.nan, 0.03, 0.9])
    assert found.is_clear
    other = paired_difference({5: 1.0, 6: 2.0}, {7: 1.0, 8: 4.0})  # none shared: Welch
    assert (other.mean, other.pairs, other.is_clear) == (-1, 0, False)
    assert not paired_difference({0: 1.0}, {0: 2.0}).is_clear


def test_few_seeds_are_drawn_each_about_their_mean_at_the_rounds_that_all_have_reached(tmp_path):
    folders = many_seeds(tmp_path, [[4.0, 3.0, 2.0], [6.0, 4.0]])
    figure = drawn(convergence(read_runs(folders), x=["queries"]))
    ax = figure.axes[0]
    line = curves(ax)["dfedsam, ring, 16 peers"]
    np.testing.assert_array_equal(line.get_xdata(), [0, 400])
    np.testing.assert_array_equal(line.get_ydata(), [5, 3.5])
    assert not ax.collections
    thin = [list(line.get_ydata()) for line in ax.lines if line.get_label() == "_seed"]
    assert thin == [[4, 3], [6, 4]]
    assert figure.legends[0].get_title().get_text() == "mean over seeds; thin: each seed"


def test_five_seeds_have_an_interval_within_the_range_of_the_metric_and_axes_follow_the_means(tmp_path):
    folders = many_seeds(tmp_path, [[1.0, 0.01], [1.0, 0.02], [1.0, 0.9], [1.0, 0.01], [1.0, 0.02]])
    ax = drawn(convergence(read_runs(folders), x=["rounds"])).axes[0]
    (band,) = ax.collections
    vertices = np.asarray(band.get_paths()[0].vertices)
    low, high = mean_and_interval([[0.01], [0.02], [0.9], [0.01], [0.02]])[1:]
    assert low < 0
    assert vertices[:, 1].min() == 0
    assert vertices[:, 1].max() == pytest.approx(max(1.0, high[0]))
    bottom, top = ax.get_ylim()
    assert 0 < bottom < 0.192 < 1 < top < 1.1  # the mean of the last round is 0.192


def test_a_table_of_any_run_is_drawn(tmp_path):
    """As `simulate` returns it: without labels, and without a folder."""
    frame = pd.DataFrame([row(i) for i in range(5)])
    figure = drawn(convergence(frame, ["rounds"], ["loss"], size="column", log=True))
    (ax,) = figure.axes
    assert figure.get_figwidth() == COLUMN
    assert ax.get_yscale() == "log"
    with pytest.raises(ValueError, match="y is accuracy: it must be a metric"):
        convergence(frame, y=["accuracy"])


def test_colours_and_columns_are_settings(tmp_path):
    for graph in ("ring", "torus"):
        for steps in (1, 4):
            gossip = {"class_path": "plain", "init_args": {"steps": steps}}
            write(tmp_path / f"{graph}{steps}", [row(i) for i in range(3)], config(topology=graph, gossip=gossip))
    out = plot_runs([tmp_path], tmp_path / "f.svg", x=["rounds"], y=["loss"], color="gossip.steps", columns="topology")
    text = out.read_text()
    assert [word in text for word in (">ring<", ">torus<", ">1<", ">4<", ">dfedsam, 16 peers<")] == [True] * 5
    with pytest.raises(ValueError, match=r"color is beauty: it must be a setting: .*topology"):
        plot_runs([tmp_path], color="beauty")
    with pytest.raises(ValueError, match="x is rounds,queries,bytes: it must be a single name"):
        plot_runs([tmp_path], columns="topology")


def test_names_are_shown_letter_by_letter(tmp_path):
    for seed, path in enumerate(("$x", "y$")):
        settings = config(topology="from_file", seed=seed)
        settings["topology"]["init_args"]["path"] = path
        write(tmp_path / str(seed), [row(i) for i in range(3)], settings)
    assert plot_runs([tmp_path], tmp_path / "f.png").stat().st_size > 1000


@pytest.mark.parametrize("backend", ["nonsense", "module://none.such"])
def test_a_foreign_backend_does_no_harm(tmp_path, backend):
    folder = write(tmp_path / "a", [row(0), row(1)])
    code = f"from dfedsam.analysis import plot_run; plot_run({str(folder)!r})"
    subprocess.run([sys.executable, "-c", code], env={**os.environ, "MPLBACKEND": backend}, check=True, timeout=100)
    assert (folder / "convergence.png").is_file()


def test_a_quadratic_has_no_accuracy(tmp_path):
    figure = drawn(convergence(read_runs([write(tmp_path / "a", [row(i) for i in range(30)])])))
    assert words(figure) == [
        ("loss", ""),
        ("", ""),
        ("", ""),
        ("consensus distance", "round"),
        ("", "queries per peer"),
        ("", "sent per peer (MB)"),
    ]
    assert figure.axes[3].get_yscale() == "log"
    assert set(curves(figure.axes[3])) == {"after gossip", "before gossip"}
    assert figure.get_suptitle() == "dfedsam, ring, 16 peers"
    assert not figure.legends


def test_what_has_nothing_to_show_is_left_out(tmp_path):
    rows = [row(i, bytes=0, queries=0, consensus_distance=0, accuracy=0.5) for i in range(3)]
    figure = drawn(convergence(read_runs([write(tmp_path / "a", rows)])))
    assert words(figure) == [("loss", ""), ("accuracy (%)", "round")]


def test_one_run_alone_also_shows_its_peers(tmp_path):
    rows = [row(i, accuracy=0.7, accuracy_local=0.65, accuracy_worst=0.5) for i in range(3)]
    figure = drawn(convergence(read_runs([write(tmp_path / "a", rows)]), x=["rounds"]))
    assert set(curves(figure.axes[1])) == {"mean model", "average peer", "worst peer"}
    other = write(tmp_path / "b", rows, config("dpsgd"))
    figure = drawn(convergence(read_runs([tmp_path / "a", other]), x=["rounds"]))
    names = {"dfedsam, ring, 16 peers", "dpsgd, ring, 16 peers"}
    assert all(set(curves(ax)) == names for ax in figure.axes)
    assert {text.get_text() for text in figure.legends[0].get_texts()} == names


def test_references_are_named_with_their_value_and_apart(tmp_path):
    rows = [row(i, accuracy=0.7) for i in range(3)]
    references = {"zero_shot_accuracy": 0.593, "first_order_accuracy": 0.594, "optimal_loss": 0.25}
    folder = write(tmp_path / "a", rows, references=references)
    figure = drawn(convergence(read_runs([folder]), x=["rounds"]))
    loss, accuracy, _ = figure.axes
    assert [text.get_text() for text in loss.texts] == ["optimal 0.25"]
    assert [text.get_text() for text in accuracy.texts] == ["zero-shot 59.3 %", "first-order 59.4 %"]
    levels = [np.asarray(line.get_ydata())[0] for line in accuracy.lines if str(line.get_label()).startswith("_")]
    assert levels == [0.593, 0.594]
    boxes = [text.get_window_extent() for text in accuracy.texts]
    assert boxes[0].y1 <= boxes[1].y0


def test_references_that_differ_take_the_colour_of_their_run(tmp_path):
    rows = [row(i, accuracy=0.7) for i in range(3)]
    a = write(tmp_path / "a", rows, references={"zero_shot_accuracy": 0.5})
    b = write(tmp_path / "b", rows, config("dpsgd"), references={"zero_shot_accuracy": 0.6})
    ax = drawn(convergence(read_runs([a, b]), x=["rounds"])).axes[1]
    assert [text.get_text() for text in ax.texts] == ["zero-shot 50.0 %", "zero-shot 60.0 %"]
    lines = [line for line in ax.lines if len(set(line.get_ydata())) == 1 and str(line.get_label()).startswith("_")]
    found = [(np.asarray(line.get_ydata())[0], line.get_color()) for line in lines]
    assert found == [(0.5, curve_style(0)["color"]), (0.6, curve_style(1)["color"])]


def test_spread_keeps_order_and_middle():
    assert axes.spread([0.1, 0.5], 0.1) == [0.1, 0.5]
    np.testing.assert_allclose(axes.spread([0.5, 0.5, 0.52], 0.1), np.array([0.4, 0.5, 0.6]) + 0.02 / 3)
    # 0.15 and 0.16 part to 0.105 and 0.205, clear of 0; from 0.1 they would push it, and all three share a middle
    np.testing.assert_allclose(axes.spread([0.0, 0.15, 0.16], 0.1), [0.0, 0.105, 0.205])
    np.testing.assert_allclose(axes.spread([0.1, 0.15, 0.16], 0.1), np.array([-0.1, 0, 0.1]) + 0.41 / 3)
    assert axes.spread([], 0.1) == []


@pytest.mark.parametrize(
    ("most", "label", "tick"),
    [(900, "bytes", "600"), (40e3, "kB", "20"), (2.5e6, "MB", "1"), (3e9, "GB", "2")],
)
def test_bytes_have_the_unit_they_need(tmp_path, most, label, tick):
    folder = write(tmp_path / "a", [row(0), row(1, bytes=most)])
    figure = drawn(convergence(read_runs([folder]), x=["bytes"]))
    ax = figure.axes[-1]
    assert ax.get_xlabel() == f"sent per peer ({label})"
    assert tick in [text.get_text() for text in ax.get_xticklabels()]


def test_a_loss_over_decades_is_logarithmic(tmp_path):
    steep = write(tmp_path / "a", [row(i, loss=10.0**-i) for i in range(5)])
    flat = write(tmp_path / "b", [row(i, loss=1.0 - 0.5 * i) for i in range(5)])
    scales = [convergence(read_runs([folder]), x=["rounds"]).axes[0].get_yscale() for folder in (steep, flat)]
    assert scales == ["log", "linear"]


@pytest.mark.parametrize("log", [False, True])
def test_accuracies_are_in_percent_on_any_axis(tmp_path, log):
    folder = write(tmp_path / "a", [row(i, accuracy=0.3 + 0.1 * i) for i in range(5)])
    ax = drawn(convergence(read_runs([folder]), x=["rounds"], y=["accuracy"], log=log)).axes[0]
    labels = zip(ax.get_yticks(), ax.get_yticklabels(), strict=True)
    shown = {text.get_text() for tick, text in labels if 0.3 <= tick <= 0.7} | {
        text.get_text() for text in ax.get_yticklabels(minor=True)
    }
    assert ax.get_ylabel() == "accuracy (%)"
    assert "50" in shown
    assert not any(text.startswith("0.") for text in shown)


@pytest.mark.parametrize("rounds", [1, 9, 200])
def test_any_length_and_a_loss_that_is_not_finite(tmp_path, rounds):
    rows = [row(i, loss=1.0 if i < 5 else float("nan")) for i in range(rounds)]
    drawn(convergence(read_runs([write(tmp_path / "a", rows)]), x=["rounds"]))


def test_many_runs_look_different():
    looks = [(look["color"], str(look["linestyle"]), look["marker"]) for look in map(curve_style, range(315))]
    assert len(set(looks)) == 315


def test_files(tmp_path, monkeypatch):
    rows = [{"round": 0, "loss": 2.0}, {"round": 1, "loss": 1.0}]
    a, b = (write(tmp_path / name, rows, config(name)) for name in "ab")
    assert plot_run(a) == [a / "convergence.png", a / "convergence.pdf"]
    assert (a / "convergence.png").read_bytes()[1:4] == b"PNG"
    assert (a / "convergence.pdf").read_bytes()[:4] == b"%PDF"
    assert plot_runs([b]) == b / "convergence.pdf"
    monkeypatch.chdir(tmp_path)
    assert plot_runs([a, b]).resolve() == tmp_path / "convergence.pdf"


def test_the_ending_chooses_the_format(tmp_path):
    figure = new_figure()
    assert save(figure, tmp_path / "new" / "one.svg") == [tmp_path / "new" / "one.svg"]
    assert b"</svg>" in (tmp_path / "new" / "one.svg").read_bytes()
    assert [path.name for path in save(figure, str(tmp_path / "one"))] == ["one.png", "one.pdf"]
    before = (tmp_path / "one.pdf").read_bytes()
    assert save(figure, tmp_path / "one.pdf")[0].read_bytes() == before


def test_what_is_refused(tmp_path):
    folder = write(tmp_path / "a", [row(0)])
    with pytest.raises(ValueError, match="x is epochs: it must be one of rounds, queries, bytes"):
        convergence(read_runs([folder]), x=["epochs"])
    with pytest.raises(ValueError, match=r"out is .*figure\.doc: it must end in one of"):
        plot_runs([folder], tmp_path / "figure.doc")
    for size in ("1e9x1e9", "51x3", "0.5x0.5", "nanx3", "3", (3.0, 0.0)):
        with pytest.raises(ValueError, match="it must be column, page or WIDTHxHEIGHT in inches, each from 1 to 50"):
            plot_runs([folder], tmp_path / "figure.png", size=size)
    with pytest.raises(ValueError, match="size is 1x1: it must leave room for the panels"):
        plot_runs([folder], tmp_path / "figure.png", y=["loss", "consensus_distance"], size="1x1")
    assert not (tmp_path / "figure.png").exists()
    with pytest.raises(ValueError, match="b: has no run with an evaluation yet; wait for the first one"):
        plot_runs([write(tmp_path / "b", [])], tmp_path / "figure.png")
    with pytest.raises(ValueError, match="nothing to draw yet"):
        plot_run(tmp_path / "b")
    with pytest.raises(ValueError, match=r"has no config\.yaml"):
        plot_run(tmp_path)


def test_simulated_seconds_are_an_axis_of_runs_with_a_clock(tmp_path):
    run = write(tmp_path / "a", [row(t, time=2.5 * t) for t in range(4)])
    figure = plot_runs([run], tmp_path / "a.png", x=["rounds", "seconds"], y=["loss"])
    assert figure.is_file()
    frame = read_runs([run])
    axes = drawn(convergence(frame, ["seconds"], ["loss"])).axes
    assert words(axes[0].figure)[0][1] == "simulated time (s)"
    np.testing.assert_allclose(np.asarray(axes[0].lines[0].get_xdata()), [0, 2.5, 5, 7.5])
    with pytest.raises(ValueError, match="x is seconds: it needs runs with simulated time; run them with --clock"):
        plot_runs([write(tmp_path / "b", [row(0), row(1)])], tmp_path / "b.png", x=["seconds"])

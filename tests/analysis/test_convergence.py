"""Convergence figures: means and intervals in closed form, which panels there are, labels, units, references."""

import numpy as np
import pytest
from scipy import stats

from dfedsam.analysis import panels
from dfedsam.analysis.convergence import convergence, plot_run, plot_runs
from dfedsam.analysis.intervals import mean_and_interval
from dfedsam.analysis.runs import read_runs
from dfedsam.analysis.style import curve, new_figure, save
from tests.analysis.folders import config, row, write


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
    _, low, _ = mean_and_interval([1.0, 3.0], confidence=0.5)
    np.testing.assert_allclose(low, 2 - np.tan(np.pi / 4) * np.sqrt(2) / np.sqrt(2), rtol=1e-10)


def test_the_geometric_interval_is_that_of_logarithms():
    mean, low, high = mean_and_interval([1.0, 100.0], geometric=True)
    np.testing.assert_allclose(mean, 10)
    np.testing.assert_allclose(low * high, 100)
    assert np.isnan(mean_and_interval([0.0], geometric=True)[0])


def test_missing_figures_and_single_seeds_have_no_interval():
    mean, low, high = mean_and_interval([[1.0, np.nan, np.nan], [np.inf, np.nan, 4.0]])
    np.testing.assert_array_equal(mean, [1, np.nan, 4])
    assert np.isnan(low).all()
    assert np.isnan(high).all()
    with pytest.raises(ValueError, match="confidence is 95: it must be above 0 and below 1"):
        mean_and_interval([1.0], confidence=95)


def test_seeds_become_their_mean_at_the_rounds_that_all_have_reached(tmp_path):
    losses = {0: [4.0, 3.0, 2.0], 1: [6.0, 4.0]}
    folders = [
        write(tmp_path / str(seed), [row(5 * i, loss=loss) for i, loss in enumerate(values)], config(seed=seed))
        for seed, values in losses.items()
    ]
    figure = drawn(convergence(read_runs(folders), x=["queries"]))
    line = curves(figure.axes[0])["DFedSAM, ring, 16 peers (2 seeds)"]
    np.testing.assert_array_equal(line.get_xdata(), [0, 400])
    np.testing.assert_array_equal(line.get_ydata(), [5, 3.5])
    band = figure.axes[0].collections[0].get_paths()[0].vertices
    np.testing.assert_allclose(band[:, 1].max(), mean_and_interval([4.0, 6.0])[2])
    assert "95 % interval" in figure.legends[0].get_title().get_text()


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
    assert figure.get_suptitle() == "DFedSAM, ring, 16 peers"
    assert not figure.legends


def test_what_has_nothing_to_show_is_left_out(tmp_path):
    rows = [row(i, bytes=0, queries=0, consensus_distance=0, accuracy=0.5) for i in range(3)]
    figure = drawn(convergence(read_runs([write(tmp_path / "a", rows)])))
    assert words(figure) == [("loss", ""), ("accuracy (%)", "round")]


def test_one_run_alone_also_shows_its_peers(tmp_path):
    rows = [row(i, accuracy=0.7, accuracy_local=0.65, accuracy_worst=0.5) for i in range(3)]
    figure = drawn(convergence(read_runs([write(tmp_path / "a", rows)]), x=["rounds"]))
    assert set(curves(figure.axes[1])) == {"mean model", "average peer", "worst peer"}
    other = write(tmp_path / "b", rows, config("DPSGD"))
    figure = drawn(convergence(read_runs([tmp_path / "a", other]), x=["rounds"]))
    names = {"DFedSAM, ring, 16 peers", "DPSGD, ring, 16 peers"}
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
    levels = [line.get_ydata()[0] for line in accuracy.lines if line.get_label().startswith("_")]
    assert levels == [0.593, 0.594]
    boxes = [text.get_window_extent() for text in accuracy.texts]
    assert boxes[0].y1 <= boxes[1].y0


def test_references_that_differ_take_the_colour_of_their_run(tmp_path):
    rows = [row(i, accuracy=0.7) for i in range(3)]
    a = write(tmp_path / "a", rows, references={"zero_shot_accuracy": 0.5})
    b = write(tmp_path / "b", rows, config("DPSGD"), references={"zero_shot_accuracy": 0.6})
    runs = dict(iter(read_runs([a, b]).groupby("label", sort=False)))
    found = panels.references(runs, "accuracy")
    assert found == [
        ("zero-shot 50.0 %", 0.5, curve(0)["color"]),
        ("zero-shot 60.0 %", 0.6, curve(1)["color"]),
    ]


def test_spread_keeps_order_and_middle():
    assert panels.spread([0.1, 0.5], 0.1) == [0.1, 0.5]
    np.testing.assert_allclose(panels.spread([0.5, 0.5, 0.52], 0.1), np.array([0.4, 0.5, 0.6]) + 0.02 / 3)
    # 0.15 and 0.16 part to 0.105 and 0.205, clear of 0; from 0.1 they would push it, and all three share a middle
    np.testing.assert_allclose(panels.spread([0.0, 0.15, 0.16], 0.1), [0.0, 0.105, 0.205])
    np.testing.assert_allclose(panels.spread([0.1, 0.15, 0.16], 0.1), np.array([-0.1, 0, 0.1]) + 0.41 / 3)
    assert panels.spread([], 0.1) == []


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


@pytest.mark.parametrize("rounds", [1, 9, 200])
def test_any_length_and_a_loss_that_is_not_finite(tmp_path, rounds):
    rows = [row(i, loss=1.0 if i < 5 else float("nan")) for i in range(rounds)]
    drawn(convergence(read_runs([write(tmp_path / "a", rows)]), x=["rounds"]))


def test_many_runs_look_different():
    looks = [(look["color"], str(look["linestyle"]), look["marker"]) for look in map(curve, range(315))]
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
    with pytest.raises(ValueError, match="x holds 'epochs': it must be of rounds, queries, bytes"):
        convergence(read_runs([folder]), x=["epochs"])
    with pytest.raises(ValueError, match=r"out is .*figure\.doc: a figure's file must end in one of"):
        plot_runs([folder], tmp_path / "figure.doc")
    with pytest.raises(ValueError, match="nothing to draw yet"):
        plot_run(write(tmp_path / "b", []))
    with pytest.raises(ValueError, match="missing"):
        plot_run(tmp_path)

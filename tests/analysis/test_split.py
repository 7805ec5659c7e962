"""Splits of data: every count is drawn, for few peers and for many; what is refused."""

import numpy as np
import pytest
from matplotlib.image import AxesImage
from matplotlib.patches import StepPatch

from dfedsam.analysis.plot.split import draw_split

NAMES = ["numerical computing", "deep learning", "graphs", "plotting"]


def drawn(figure):
    figure.draw_without_rendering()  # lays everything out: warnings here are errors
    return figure


def test_bars_hold_the_counts():
    counts = np.random.default_rng(0).integers(0, 50, (16, 4))
    figure = drawn(draw_split(counts, NAMES))
    (ax,) = figure.axes
    bars = ax.containers
    assert [[bar.get_height() for bar in each] for each in bars] == counts.T.tolist()
    tops = [bar.get_y() + bar.get_height() for bar in bars[-1]]
    assert tops == counts.sum(axis=1).tolist()
    assert [text.get_text() for text in figure.legends[0].get_texts()] == NAMES
    held = counts.sum(axis=1)
    assert figure.get_suptitle() == f"16 peers hold {counts.sum():,} examples, {held.min()}–{held.max()} each"


@pytest.mark.parametrize(("peers", "classes"), [(41, 4), (200, 4), (16, 8), (300, 100)])
def test_many_are_a_map(peers, classes):
    counts = np.random.default_rng(0).integers(0, 50, (peers, classes))
    figure = drawn(draw_split(counts, [f"class {i}" for i in range(classes)]))
    above, ax, _ = figure.axes
    (image,) = [each for each in ax.get_children() if isinstance(each, AxesImage)]
    np.testing.assert_array_equal(image.get_array(), counts.T)
    (steps,) = above.patches
    assert isinstance(steps, StepPatch)
    np.testing.assert_array_equal(steps.get_data()[0], counts.sum(axis=1))
    assert len(ax.get_yticks()) <= 24
    assert ax.get_yticklabels()[0].get_text() == "class 0"


def test_the_smallest_and_the_empty():
    figure = draw_split([[3]], ["only"])
    assert [tick for tick in figure.axes[0].get_xticks() if -0.5 < tick < 0.5] == [0]
    drawn(draw_split(np.zeros((3, 2), int), ["a", "b"]))
    drawn(draw_split(np.zeros((50, 2), int), ["a", "b"]))
    assert figure.get_suptitle().endswith("3 examples, 3 each")


@pytest.mark.parametrize(
    ("counts", "names", "said"),
    [
        ([1, 2], ["a", "b"], "counts has shape"),
        (np.zeros((0, 2)), ["a", "b"], "counts has shape"),
        ([[1, -1]], ["a", "b"], "whole numbers of at least 0"),
        ([[1, 0.5]], ["a", "b"], "whole numbers of at least 0"),
        ([[1, np.nan]], ["a", "b"], "whole numbers of at least 0"),
        ([["x", "y"]], ["a", "b"], "whole numbers of at least 0"),
        ([[1, 2]], ["a"], "class_names has 1 names: it must have one for each of 2 classes"),
    ],
)
def test_what_is_refused(counts, names, said):
    with pytest.raises(ValueError, match=said):
        draw_split(counts, names)

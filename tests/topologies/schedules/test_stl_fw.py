"""STL-FW: exact balance where it can be had, and what holds after any number of steps."""

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from dfedsam.topologies import make, stl_fw, verify
from dfedsam.topologies.schedules.from_data import objective

GROUPS = np.repeat(np.eye(10), 2, axis=0)  # ten classes, two peers of each


def g(topology, proportions, mixing=0.1):
    return sum(objective(topology.weights(0), proportions, mixing))


def test_no_bias_is_left_after_nine_steps():
    for degree, left in ((1, 0.4), (4, 0.1), (9, 0)):
        bias, _ = objective(stl_fw(20, GROUPS, degree).weights(0), GROUPS, 0.1)
        assert bias == pytest.approx(left, abs=1e-15)  # 1/(1 + degree) - 1/10
    verify(stl_fw(20, GROUPS, 9))


def test_parts_of_the_graph_are_joined_first():
    for degree in (3, 4, 9):
        verify(stl_fw(20, GROUPS, degree))


@settings(deadline=None, max_examples=20)
@given(
    n=st.integers(2, 16),
    classes=st.integers(1, 5),
    seed=st.integers(0, 2**32),
    alpha=st.sampled_from([0.05, 0.5, 5.0]),
    mixing=st.sampled_from([0, 0.1, 1]),
)
def test_every_step(n, classes, seed, alpha, mixing):
    proportions = np.random.default_rng(seed).dirichlet(np.full(classes, alpha), size=n)
    before = np.inf
    for degree in (1, 2, 3, 5):
        topology = stl_fw(n, proportions, degree, mixing)
        W = topology.weights(0).toarray()
        np.testing.assert_allclose(W.sum(axis=0), 1, rtol=0, atol=1e-13)
        np.testing.assert_allclose(W.sum(axis=1), 1, rtol=0, atol=1e-13)
        assert W.min() >= 0
        others = (W != 0) & ~np.eye(n, dtype=bool)
        assert others.sum(axis=0).max() <= degree
        assert others.sum(axis=1).max() <= degree
        J = np.full((n, n), 1 / n)
        whole = (np.linalg.norm((W - J) @ proportions) ** 2 + mixing * np.linalg.norm(W - J) ** 2) / n
        now = g(topology, proportions, mixing)
        assert now == pytest.approx(whole, abs=1e-12)
        assert now <= before + 1e-12
        before = now


def test_more_mixing_mixes_more():
    proportions = np.random.default_rng(3).dirichlet(np.full(10, 0.1), size=24)
    parts = [objective(stl_fw(24, proportions, 6, mixing).weights(0), proportions, 1) for mixing in (0, 0.1, 10)]
    assert [second for _, second in parts] == sorted((second for _, second in parts), reverse=True)
    assert [first for first, _ in parts] == sorted(first for first, _ in parts)


def test_alike_peers_are_left_to_mixing_alone():
    alike = np.full((8, 4), 0.25)
    verify(stl_fw(8, alike, degree=3))
    apart = stl_fw(8, alike, degree=3, mixing=0)
    assert apart.weights(0).nnz == 8  # nothing to gain
    with pytest.raises(ValueError, match=r"not connected.* take a larger degree, or a mixing above 0"):
        verify(apart)


def test_no_description_holds_the_proportions():
    topology = make("stl_fw", 20, seed=0, class_proportions=GROUPS, degree=3)
    assert topology.directed
    assert topology.sums == "both"
    assert topology.description == {
        "class_path": "stl_fw",
        "init_args": {"degree": 3, "mixing": 0.1},
    }


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"class_proportions": None}, "class_proportions is missing: stl_fw is made from the classes"),
        ({"class_proportions": GROUPS[:5]}, "class_proportions is 5 × 10: it must have 20 rows"),
        ({"class_proportions": GROUPS[:, 0]}, "class_proportions is 20: it must have 20 rows"),
        ({"class_proportions": 3 * GROUPS}, "class_proportions of peer 0 sum to 3: they must be shares"),
        ({"class_proportions": GROUPS - 0.1}, "class_proportions of peer 0"),
        ({"class_proportions": GROUPS * np.nan}, "class_proportions of peer 0 sum to nan"),
        ({"degree": 0}, "degree is 0: it must be a whole number of at least 1"),
        ({"mixing": -1}, "mixing is -1: it must be finite and at least 0"),
        ({"mixing": float("nan")}, "mixing is nan"),
        ({"n": 3000}, "peers is 3000: it must be at most 2048"),
    ],
)
def test_refusals(options, message):
    with pytest.raises(ValueError, match=message) as caught:
        stl_fw(**{"n": 20, "class_proportions": GROUPS, **options})
    assert "\n" not in str(caught.value)

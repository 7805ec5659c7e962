"""γ by theory and by trials: what is found makes the peers come together, and is written down."""

import numpy as np
import pytest

from dfedsam import DPSGD, QSGD, Choco, Float16, LowRank, Quadratic, RandomK, ScaledSign, TopK, simulate, topologies
from dfedsam.gossip.compressors import Compressor
from dfedsam.gossip.step_size import theoretical_step_size, trial, trial_network, tune_step_size
from dfedsam.topologies import spectrum_ends


def tuned(compressor, W, dim, dtype, seed):
    """γ for CHOCO with this compressor."""
    compressor, dim = compressor.scaled_down(dim)
    return tune_step_size(
        lambda gamma: Choco(compressor=compressor, gamma=gamma), compressor.delta(dim), W, dim, dtype, seed
    )


RING = topologies.make("ring", 16).weights(0)


def test_theory_is_the_papers():
    assert theoretical_step_size(RING, 0.1) == pytest.approx(3.2e-5, rel=0.01)
    complete = topologies.make("complete", 8).weights(0)  # ρ = β = 1
    assert theoretical_step_size(complete, 1.0) == pytest.approx(1 / (16 + 1 + 4 + 2 - 8))


@pytest.mark.parametrize(
    ("compressor", "name", "peers"),
    [
        (TopK(), "ring", 16),
        (TopK(fraction=0.02), "star", 90),
        (RandomK(), "star", 90),
        (ScaledSign(), "ring", 16),
        (QSGD(levels=1), "ring", 16),
        (LowRank(), "star", 90),
    ],
)
def test_with_the_tuned_gamma_the_peers_come_together(compressor, name, peers):
    W, dim = topologies.make(name, peers).weights(0), 60
    gamma = tuned(compressor, W, dim, np.float32, 3)
    assert 0.005 < gamma <= 1
    x = np.random.default_rng(7).standard_normal((peers, dim)).astype(np.float32)  # rows it was not tuned on
    left = trial(Choco(compressor=compressor, gamma=gamma), W, x, 8, 600)
    assert left[-1] < left[len(left) // 2] < left[0]


def test_the_tuned_gamma_of_top_ten_per_cent_is_about_the_best():
    assert 0.2 < tuned(TopK(), RING, 500, np.float32, 0) < 0.45


def test_fine_messages_need_no_smaller_steps():
    assert tuned(Float16(), RING, 100, np.float32, 0) == 1


def test_a_small_network_stands_for_a_large_one():
    for name in ("ring", "star"):
        W = topologies.make(name, 200).weights(0)
        small = trial_network(W, 20)
        assert small.shape == (20, 20)
        dense = small.toarray()
        np.testing.assert_allclose(dense, dense.T)
        np.testing.assert_allclose(dense.sum(axis=1), 1)
        assert spectrum_ends(small)[0] == pytest.approx(spectrum_ends(W)[0], abs=1e-9)
        assert spectrum_ends(small)[1] < 1 - 1e-6  # connected
    assert trial_network(RING, 16) is RING


@pytest.mark.parametrize(
    "compressor",
    [TopK(fraction=0.01), TopK(k=1), RandomK(fraction=0.003), ScaledSign(), Float16(), QSGD(), LowRank()],
    ids=repr,
)
@pytest.mark.parametrize("dim", [7, 256, 1000, 4097])
def test_shorter_rows_are_compressed_alike(compressor: Compressor, dim):
    alike, shorter = compressor.scaled_down(dim)
    alike.check(shorter)
    assert shorter <= dim
    if not isinstance(compressor, ScaledSign):  # whose worst case is no guide
        assert alike.delta(shorter) == pytest.approx(compressor.delta(dim), rel=5e-3)


@pytest.mark.parametrize(
    ("gamma", "expected"), [("theory", theoretical_step_size(RING, 0.1)), ("tuned", None), (0.25, 0.25)]
)
def test_it_is_among_the_figures_of_a_run(gamma, expected):
    rows = simulate(
        objective=Quadratic(dim=50),
        topology=topologies.make("ring", 16),
        algorithm=DPSGD(gossip=Choco(gamma=gamma)),
        rounds=2,
        seed=5,
    )
    expected = expected or tuned(TopK(), RING, 50, np.dtype(np.float32), 5)
    assert list(rows["gamma"][1:]) == [expected, expected]

"""LEAD: the paper's formulas, and the optimum of every peer although messages are coarse."""

import numpy as np
import pytest

from dfedsam import (
    QSGD,
    BlockQuantizer,
    Exact,
    Float16,
    Lead,
    LowRank,
    NoCompression,
    OptionError,
    Quadratic,
    RandomK,
    RunError,
    ScaledSign,
    TopK,
    simulate,
    topologies,
)
from dfedsam.random import RandomStream

N, DIM, LR = 8, 12, 0.2
OBJECTIVE = Quadratic(dim=DIM, noise=0, condition=4.0, heterogeneity=1.0)
PROBLEM = OBJECTIVE.build(N, range(N), 0, np.dtype(np.float64))


def gradients(x):
    return PROBLEM.gradients(x, PROBLEM.minibatch(RandomStream(0, "minibatch", 0, 0, range(N))), slice(None))


def last(algorithm, rounds, **options):
    """x after so many rounds."""
    settings = {"objective": OBJECTIVE, "topology": topologies.make("ring", N), "dtype": "float64"}
    return simulate(**settings | options, algorithm=algorithm, rounds=rounds, evaluate_every=10**6).x


@pytest.mark.parametrize(
    "compressor", [NoCompression(), QSGD(unbiased=True), BlockQuantizer(bits=3, block=5)], ids=repr
)
def test_the_path_is_that_of_the_formulas(compressor):
    gamma, alpha, rounds = 0.7, 0.4, 5
    W = topologies.make("ring", N).weights(0).toarray()
    x, dual = np.zeros((N, DIM)), np.zeros((N, DIM))
    h, h_w = x.copy(), x.copy()
    for t in range(rounds):
        g = gradients(x)
        at = RandomStream(0, "gossip 1", t, 0, range(N))
        q = compressor.decode(compressor.encode(x - LR * g - LR * dual - h, at), DIM, x.dtype, at)
        estimate, estimate_w = h + q, h_w + W @ q
        h, h_w = (1 - alpha) * h + alpha * estimate, (1 - alpha) * h_w + alpha * estimate_w
        dual = dual + gamma / (2 * LR) * (estimate - estimate_w)
        x = x - LR * g - LR * dual
    algorithm = Lead(estimator=Exact(), lr=LR, compressor=compressor, gamma=gamma, alpha=alpha)
    np.testing.assert_allclose(last(algorithm, rounds), x, atol=1e-12)


@pytest.mark.parametrize(
    "compressor", [BlockQuantizer(), QSGD(unbiased=True), QSGD(levels=127, unbiased=True)], ids=repr
)
def test_reaches_the_optimum_of_every_peer_with_quantized_messages(compressor):
    x = last(Lead(estimator=Exact(), lr=LR, compressor=compressor), 600)
    np.testing.assert_allclose(x, np.tile(PROBLEM.optimum, (N, 1)), atol=2e-9)


def test_says_what_it_needs():
    schedule = topologies.Periodic(
        [topologies.metropolis(topologies.ring(4)), topologies.metropolis(topologies.star(4))]
    )
    with pytest.raises(ValueError, match=r"algorithm is lead: it must have one symmetric W .* choose dpsgd with"):
        Lead().check(schedule)
    with pytest.raises(ValueError, match="gamma is 0: it must be"):
        Lead(gamma=0)
    with pytest.raises(ValueError, match=r"alpha is 1\.1: it must be above 0 and at most 1"):
        Lead(alpha=1.1)
    options = {"objective": OBJECTIVE, "topology": topologies.make("ring", N), "rounds": 400, "evaluate_every": 400}
    coarse = QSGD(levels=1, unbiased=True)
    with pytest.raises(RunError, match=r"algorithm lead, peers? .* a lower lr, gamma or alpha"):
        simulate(algorithm=Lead(estimator=Exact(), lr=LR, compressor=coarse, gamma=2.0, alpha=1.0), **options)
    for biased in (TopK(), ScaledSign(), RandomK(), QSGD(), LowRank(), Float16()):
        with pytest.raises(OptionError, match=r"compressor is .*: it must be unbiased, .*; choose block_quantizer"):
            simulate(algorithm=Lead(compressor=biased), **options)


@pytest.mark.parametrize(("name", "peers"), [("ring", 8), ("star", 12)])
@pytest.mark.parametrize("dim", [5, 100, 1000])
def test_the_defaults_reach_the_optimum_whatever_the_length_of_x(name, peers, dim):
    rows = simulate(
        objective=Quadratic(dim=dim, condition=4.0),
        topology=topologies.make(name, peers),
        algorithm=Lead(estimator=Exact(), lr=0.1),
        rounds=1500,
        dtype="float64",
        evaluate_every=1500,
    )
    assert rows["error"].iloc[-1] <= 1e-9

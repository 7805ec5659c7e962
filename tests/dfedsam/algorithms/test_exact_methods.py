"""Methods that reach the optimum although peers' data differ: their formulas, what they have in common, their rates."""

import numpy as np
import pytest

from dfedsam import (
    D2,
    DLM,
    GTHSGD,
    KGT,
    LED,
    LTADMM,
    NIDS,
    AugDGM,
    Chebyshev,
    DFedAvg,
    DiLoCo,
    DiNNO,
    Exact,
    Extra,
    GradientTracking,
    Lead,
    MomentumTracking,
    NetworkDANE,
    NoCompression,
    NoLoCo,
    Plain,
    ProxSkip,
    Quadratic,
    WangElia,
    make,
)
from dfedsam.communication import SingleProcess
from dfedsam.context import QueryCounter, RoundContext
from dfedsam.objectives.base import ALL_ROWS
from dfedsam.random import RandomStream
from tests.dfedsam.algorithms.own_hessians import DIM, EXACT, LR, PROBLEM, RING, N, W, gradients, play


def aug_dgm():
    x = np.zeros((N, DIM))
    g = gradients(x)
    y = g
    while True:
        x = W @ (x - LR * y)
        yield x
        y, g = W @ (y + gradients(x) - g), gradients(x)


def k_gt(K=3, outer=0.7):
    x, c = np.zeros((N, DIM)), np.zeros((N, DIM))
    while True:
        y = x
        for _ in range(K):
            y = y - LR * (gradients(y) + c)
        z = (x - y) / (K * LR)
        c, x = c - z + W @ z, W @ (x - K * LR * outer * z)
        yield x


def led(K=3, beta=0.2):
    x, y, M = np.zeros((N, DIM)), np.zeros((N, DIM)), (np.eye(N) + W) / 2  # a ring of eight has the eigenvalue −1/3
    while True:
        phi = x
        for _ in range(K):
            phi = phi - LR * gradients(phi) - beta * y
        x = M @ phi
        y = y + phi - x
        yield x


def dinno(K=3, penalty=0.8):
    """Written edge by edge, as in the paper."""
    x, p, rho = np.zeros((N, DIM)), np.zeros((N, DIM)), penalty * (W - np.diag(np.diag(W)))
    while True:
        p = p + rho.sum(axis=1, keepdims=True) * x - rho @ x
        theta = x
        for _ in range(K):
            pull = 2 * sum(rho[:, [j]] * (theta - (x + x[j]) / 2) for j in range(N))
            theta = theta - LR * (gradients(theta) + p + pull)
        x = theta
        yield x


def lt_admm(K=3, penalty=0.8, beta=0.05):
    """With z_ij for each edge, as in the paper."""
    x, rho = np.zeros((N, DIM)), 2 * penalty * (W - np.diag(np.diag(W)))
    z = rho[:, :, None] * x[:, None]
    while True:
        force, phi = rho.sum(axis=1, keepdims=True) * x - z.sum(axis=1), x
        for _ in range(K):
            phi = phi - LR * gradients(phi) - beta * force
        x = phi
        z = (z - z.swapaxes(0, 1) + 2 * rho[:, :, None] * x[None]) / 2
        yield x


def diloco(K=3):
    x, v = np.zeros((N, DIM)), np.zeros((N, DIM))
    while True:
        y = x
        for _ in range(K):
            y = y - LR * gradients(y)
        delta = W @ (x - y)
        v = 0.9 * v + delta
        x = W @ x - 0.7 * (delta + 0.9 * v)
        yield x


def noloco(K=3):
    """As the authors' code has it, where the change is counted from the start."""
    x, m = np.zeros((N, DIM)), np.zeros((N, DIM))
    while True:
        y = x
        for _ in range(K):
            y = y - LR * gradients(y)
        m = 0.5 * m + 0.7 * (W @ (y - x)) + 0.4 * (W @ x - x)
        x = x + m
        yield x


def network_dane(K=3, mu=0.4):
    x, s, g = np.zeros((N, DIM)), np.zeros((N, DIM)), np.zeros((N, DIM))
    while True:
        y = W @ x
        s, g = W @ s + gradients(y) - g, gradients(y)
        x = y
        for _ in range(K):
            x = x - LR * (gradients(x) - g + s + mu * (x - y))
        yield x


PATHS = {
    "Aug-DGM": (AugDGM(**EXACT), aug_dgm),
    "K-GT": (KGT(**EXACT, local_steps=3, outer_lr=0.7), k_gt),
    "LED": (LED(**EXACT, local_steps=3, dual_lr=0.2), led),
    "DiNNO": (DiNNO(**EXACT, local_steps=3, penalty=0.8), dinno),
    "LT-ADMM": (LTADMM(**EXACT, local_steps=3, penalty=0.8, dual_lr=0.05), lt_admm),
    "DiLoCo": (DiLoCo(**EXACT, local_steps=3), diloco),
    "NoLoCo": (NoLoCo(**EXACT, local_steps=3, outer_momentum=0.5, pull=0.4), noloco),
    "Network-DANE": (NetworkDANE(**EXACT, local_steps=3, pull=0.4), network_dane),
}


@pytest.mark.parametrize("name", PATHS)
def test_the_path_is_that_of_the_formulas(name):
    algorithm, reference = PATHS[name]
    found = []
    play(algorithm, 7, seen=lambda state: found.append(state.x.copy()))
    for x, expected in zip(found, reference(), strict=False):
        np.testing.assert_allclose(x, expected, atol=1e-12)


ONE = {**EXACT, "local_steps": 1}


@pytest.mark.parametrize(
    ("algorithm", "same"),
    [
        (KGT(**ONE), GradientTracking(**EXACT)),
        (LED(**ONE), D2(**EXACT)),
        (DiNNO(**ONE), DLM(**EXACT)),
        (LTADMM(**ONE, dual_lr=LR), DLM(**EXACT)),
        (ProxSkip(**EXACT, probability=1.0), D2(**EXACT)),  # which is lazy on this ring
        (GTHSGD(**EXACT, beta=1.0), GradientTracking(**EXACT)),
        (GTHSGD(**EXACT, beta=0.1), GradientTracking(**EXACT)),  # without noise
        (DiLoCo(**EXACT, outer_lr=1.0, outer_momentum=0.0), DFedAvg(**EXACT)),
        (Lead(**EXACT, compressor=NoCompression(), gamma=1.0), ProxSkip(**EXACT, probability=1.0)),
    ],
    ids=repr,
)
def test_each_is_another_one_in_a_special_case(algorithm, same):
    np.testing.assert_allclose(play(algorithm, 20), play(same, 20), atol=1e-12)


EXACT_METHODS = {
    "tracking": GradientTracking(estimator=Exact(), lr=0.05),
    "momentum tracking": MomentumTracking(estimator=Exact(), lr=0.01, momentum=0.8),
    "Aug-DGM": AugDGM(estimator=Exact(), lr=0.05),
    "D2": D2(estimator=Exact(), lr=0.05),
    "D2, Chebyshev": D2(estimator=Exact(), lr=0.05, gossip=Chebyshev(steps=3)),
    "EXTRA": Extra(estimator=Exact(), lr=0.05),
    "EXTRA, three steps": Extra(estimator=Exact(), lr=0.05, gossip=Plain(steps=3)),
    "NIDS": NIDS(estimator=Exact(), lr=0.05),
    "ProxSkip": ProxSkip(estimator=Exact(), lr=0.05, probability=0.3),
    "Wang and Elia": WangElia(estimator=Exact(), lr=0.05),
    "K-GT": KGT(estimator=Exact(), lr=0.02, local_steps=3),
    "LED": LED(estimator=Exact(), lr=0.02, local_steps=3),
    "Network-DANE": NetworkDANE(estimator=Exact(), lr=0.02, local_steps=3),
    "DLM": DLM(estimator=Exact(), lr=0.05),
    "DiNNO": DiNNO(estimator=Exact(), lr=0.02, local_steps=3),
    "LT-ADMM": LTADMM(estimator=Exact(), lr=0.02, local_steps=3, dual_lr=0.02),
    "LEAD": Lead(estimator=Exact(), lr=0.05, compressor=NoCompression(), gamma=1.0),
}


@pytest.mark.parametrize("name", EXACT_METHODS)
def test_exact_methods_reach_the_optimum_and_stay_there_in_float32(name):
    """Over 16,000 rounds: rounding must not add up."""
    count, found = 0, []

    def seen(state):
        nonlocal count
        count += 1
        if count in (4_000, 16_000):
            found.append(state.x.copy())

    play(EXACT_METHODS[name], 16_000, dtype="float32", seen=seen)
    for x in found:
        np.testing.assert_allclose(x, np.tile(PROBLEM.optimum, (N, 1)), atol=3e-5)


def test_nids_takes_rates_that_extra_cannot():
    """η < 2/L whatever W is, while EXTRA needs η < (1 + λ_min)/L."""
    weights = type(RING)((make("ring", N).weights(0) - 0.32 * np.eye(N)) / 0.68)  # λ_min = −0.96
    fast = {"estimator": Exact(), "lr": 1.8}  # L = 1
    x = play(NIDS(**fast), 4000, weights=weights)
    np.testing.assert_allclose(x, np.tile(PROBLEM.optimum, (N, 1)), atol=1e-9)
    with np.errstate(all="ignore"):
        assert not np.abs(play(Extra(**fast), 1000, weights=weights)).max() < 1e6


def test_proxskip_sends_with_its_probability_and_reaches_the_optimum():
    sent = []
    algorithm = ProxSkip(**EXACT, probability=0.3)
    gossip = algorithm.gossip
    difference = type(gossip).difference
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(type(gossip), "difference", lambda *some: sent.append(1) or difference(*some))
        x = play(algorithm, 4000)
    assert abs(len(sent) - 1200) < 4 * (4000 * 0.3 * 0.7) ** 0.5
    np.testing.assert_allclose(x, np.tile(PROBLEM.optimum, (N, 1)), atol=1e-9)


def test_the_variance_of_the_hybrid_estimate_at_rest():
    """β/(2 − β) of a single estimate's, where the noise does not depend on x."""
    beta, found = 0.2, []
    objective = Quadratic(dim=200, noise=1.0)
    algorithm = GTHSGD(estimator=Exact(), lr=1e-12, beta=beta)
    play(algorithm, 40, objective=objective, seen=lambda state: found.append(state.g))
    problem = objective.build(N, range(N), 0, np.dtype(np.float64))
    mean = problem.start() - problem.optima
    variance = np.square(np.stack(found[20:]) - mean).mean()
    assert variance == pytest.approx(beta / (2 - beta), rel=0.1)


def test_noloco_without_steps_averages_in_pairs():
    """γ = 1 and μ = 0; η_o cannot be 0, but what it scales can."""
    algorithm = NoLoCo(estimator=Exact(), lr=1e-30, outer_momentum=0.0, pull=1.0, local_steps=1)
    communicator, weights = SingleProcess(N), make("random_matching", N).weights(3)
    state = algorithm.init(np.random.default_rng(0).standard_normal((N, DIM)), PROBLEM)
    stream, counter = RandomStream(0, "", 0, 0, range(N)), QueryCounter.zero(N)
    context = RoundContext(0, PROBLEM, stream, counter, communicator, weights, lambda _: None, ALL_ROWS)
    x = algorithm.round(state, context).x
    pairs = weights.toarray() - 0.5 * np.eye(N)
    assert (pairs.sum(axis=1) == 0.5).all()
    assert len(np.unique(x.round(12), axis=0)) == N // 2  # each of two has the mean of both


def test_diloco_on_a_complete_graph_is_that_of_one_machine():
    x = play(DiLoCo(**EXACT, local_steps=2), 50, weights=make("complete", N).weights(0))
    y, v = np.zeros(DIM), np.zeros(DIM)
    for _ in range(50):
        local = np.tile(y, (N, 1))
        for _ in range(2):
            local = local - LR * gradients(local)
        delta = y - local.mean(axis=0)
        v = 0.9 * v + delta
        y = y - 0.7 * (delta + 0.9 * v)
    np.testing.assert_allclose(x, np.tile(y, (N, 1)), atol=1e-12)


@pytest.mark.parametrize("option", [{"penalty": 0}, {"dual_lr": 0}, {"outer_lr": 0}, {"probability": 0}, {"beta": 0}])
def test_options_out_of_range_are_named(option):
    kinds = {"penalty": DLM, "dual_lr": LED, "outer_lr": KGT, "probability": ProxSkip, "beta": GTHSGD}
    name = next(iter(option))
    with pytest.raises(ValueError, match=f"{name} is 0"):
        kinds[name](**option)

"""The methods beside DFedSAM: their paths against the papers' formulas in dense algebra, and their fixed points."""

from dataclasses import dataclass

import numpy as np
import pytest

from dfedsam import (
    D2,
    DPSGD,
    NIDS,
    SGP,
    Chebyshev,
    CoordinateWise,
    DecentLaM,
    DFedAdam,
    DFedADMM,
    DFedAvg,
    DFedCata,
    Exact,
    Extra,
    GradientTracking,
    Lead,
    MomentumTracking,
    OledFL,
    Plain,
    QGDSGDm,
    Quadratic,
    WangElia,
    simulate,
    topologies,
)
from dfedsam.callbacks.base import Callback
from dfedsam.random import RandomStream

LR, BETA, N, DIM = 0.2, 0.6, 8, 3
OBJECTIVE = Quadratic(dim=DIM, noise=0, condition=4.0, heterogeneity=1.0)
ROUND = OBJECTIVE.build(N, range(N), 0, np.dtype(np.float64))
EXACT = {"estimator": Exact(), "lr": LR}


def gradients(x):
    batch = ROUND.minibatch(RandomStream(0, "minibatch", 0, 0, range(N)))
    return ROUND.gradients(x, batch, slice(None))


def states(algorithm, rounds, name="ring", objective=OBJECTIVE, dtype="float64", **options):
    """x before every round, and after the last."""
    found = []

    class States(Callback):
        def after_round(self, run):
            found.append(run.x.copy())

    simulate(
        objective=objective,
        topology=topologies.make(name, N),
        algorithm=algorithm,
        rounds=rounds,
        dtype=dtype,
        evaluate_every=10**6,
        callbacks=[States()],
        **options,
    )
    return found


W = topologies.make("ring", N).weights(0).toarray()


def tracking(beta):
    x = np.zeros((N, DIM))
    g = gradients(x)
    y, m = g.copy(), np.zeros_like(g)
    while True:
        yield x
        m = beta * m + y
        x = W @ (x - LR * m)
        new = gradients(x)
        y, g = W @ y + new - g, new


def d2(lazy):
    M = (np.eye(N) + W) / 2 if lazy else W
    before = np.zeros((N, DIM))
    g_before = gradients(before)
    yield before
    x = M @ (before - LR * g_before)
    while True:
        yield x
        g = gradients(x)
        x, before, g_before = M @ (2 * x - before - LR * (g - g_before)), x, g


def extra():
    before = np.zeros((N, DIM))
    g_before = gradients(before)
    yield before
    x = W @ before - LR * g_before
    while True:
        yield x
        g, half = gradients(x), (np.eye(N) + W) / 2
        x, before, g_before = x + W @ x - half @ before - LR * (g - g_before), x, g


def nids():
    before = np.zeros((N, DIM))
    g_before = gradients(before)
    yield before
    x = before - LR * g_before
    while True:
        yield x
        g = gradients(x)
        x, before, g_before = (np.eye(N) + W) / 2 @ (2 * x - before - LR * (g - g_before)), x, g


def wang_elia():
    x, z, K = np.zeros((N, DIM)), np.zeros((N, DIM)), (np.eye(N) - W) / 2
    while True:
        yield x
        x, z = x - K @ (x + z) - LR * gradients(x), z + K @ x


def qg():
    x, m = np.zeros((N, DIM)), np.zeros((N, DIM))
    while True:
        yield x
        after = W @ (x - LR * (BETA * m + gradients(x)))
        m = BETA * m + (1 - BETA) * (x - after) / LR
        x = after


def decentlam():
    x, m = np.zeros((N, DIM)), np.zeros((N, DIM))
    while True:
        yield x
        m = BETA * m + (x - W @ (x - LR * gradients(x))) / LR
        x = x - LR * m


def adam(rho):
    x, m, v, lr, t = np.zeros((N, DIM)), np.zeros((N, DIM)), np.zeros((N, DIM)), 0.01, 0
    while True:
        yield x
        t, norms = t + 1, np.linalg.norm(m, axis=1, keepdims=True)
        m = W @ (BETA * m + (1 - BETA) * gradients(x + rho * m / np.where(norms > 0, norms, 1)))
        first = m / (1 - BETA**t)
        v = 0.9 * v + 0.1 * first**2
        x = W @ (x - lr * first / (np.sqrt(v / (1 - 0.9**t)) + 1e-8))


ADAM = {"estimator": Exact(), "lr": 0.01, "beta1": BETA, "beta2": 0.9}
PATHS = {
    "Adam": (DFedAdam(**ADAM), lambda: adam(0)),
    "Adam with SAM": (DFedAdam(**ADAM, rho=0.3), lambda: adam(0.3)),
    "tracking": (GradientTracking(**EXACT), lambda: tracking(0)),
    "momentum tracking": (MomentumTracking(**EXACT, momentum=BETA), lambda: tracking(BETA)),
    "D2": (D2(**EXACT), lambda: d2(lazy=True)),  # a ring of eight has the eigenvalue −1/3
    "EXTRA": (Extra(**EXACT), extra),
    "NIDS": (NIDS(**EXACT), nids),
    "Wang and Elia": (WangElia(**EXACT), wang_elia),
    "QG": (QGDSGDm(**EXACT, momentum=BETA), qg),
    "DecentLaM": (DecentLaM(**EXACT, momentum=BETA), decentlam),
}


@pytest.mark.parametrize("name", PATHS)
def test_the_path_is_that_of_the_formulas(name):
    algorithm, reference = PATHS[name]
    start = ROUND.start()
    assert not start.any()  # the references start at zero
    for found, expected in zip(states(algorithm, 7), reference(), strict=False):
        np.testing.assert_allclose(found, expected, atol=1e-12)


def test_d2_is_lazy_only_where_it_must_be():
    ring = topologies.make("ring", N)
    assert D2().note(ring).endswith("(I + W)/2: it needs a smallest eigenvalue above −1/3, and this one may be −0.333")
    assert D2(gossip=Plain(steps=2)).note(ring) is None
    assert D2(gossip=Plain(steps=3)).note(ring) is None
    assert D2().note(topologies.make("complete", N)) is None
    assert D2(gossip=Chebyshev(steps=2)).note(ring).endswith("and this one may be −0.383")
    assert D2(gossip=Chebyshev(steps=8)).note(ring) is None


@dataclass(frozen=True, kw_only=True)
class Perturbed(Exact):
    """The exact gradient at x + ρ g/‖g‖, written plainly."""

    def estimate(self, oracle, x, state, purpose):
        g = oracle.gradients(x)
        return oracle.gradients(x + 0.3 * g / np.linalg.norm(g, axis=1, keepdims=True)), state


OTHERS = [QGDSGDm, DecentLaM, Lead, OledFL, DFedADMM, DFedCata]


@pytest.mark.parametrize("kind", [GradientTracking, MomentumTracking, D2, Extra, NIDS, WangElia, *OTHERS])
def test_each_takes_sam_and_any_estimator(kind):
    perturbed = states(kind(estimator=Exact(), lr=0.05, rho=0.3), 4)[-1]
    np.testing.assert_allclose(perturbed, states(kind(estimator=Perturbed(), lr=0.05), 4)[-1], rtol=1e-12)
    assert np.abs(perturbed - states(kind(estimator=Exact(), lr=0.05), 4)[-1]).max() > 1e-3
    queried = states(kind(estimator=CoordinateWise(mu=1e-4), lr=0.05, rho=0.3), 4)[-1]
    np.testing.assert_allclose(queried, perturbed, atol=1e-6)


@pytest.mark.parametrize(
    "algorithm",
    [
        GradientTracking(**EXACT),
        GradientTracking(**EXACT, gossip=Chebyshev(steps=2)),
        MomentumTracking(**EXACT | {"lr": 0.05}, momentum=BETA),
        D2(**EXACT),
        D2(**EXACT, gossip=Plain(steps=2)),
        D2(**EXACT, gossip=Chebyshev(steps=8)),
        Extra(**EXACT),
        NIDS(**EXACT),
        WangElia(**EXACT),
    ],
    ids=repr,
)
def test_exact_methods_reach_the_optimum_of_every_peer(algorithm):
    x = states(algorithm, 600)[-1]
    np.testing.assert_allclose(x, np.tile(x[0], (N, 1)), atol=1e-9)
    np.testing.assert_allclose(gradients(x).mean(axis=0), 0, atol=1e-9)


def dpsgd_fixed_point(lr, objective=OBJECTIVE):
    return states(DPSGD(estimator=Exact(), lr=lr), 800, objective=objective)[-1]


@pytest.mark.parametrize(
    ("algorithm", "lr"),
    [
        (QGDSGDm(**EXACT, momentum=BETA), LR),
        (DecentLaM(**EXACT, momentum=BETA), LR),
        (SGP(**EXACT), LR),
        (DFedADMM(**EXACT, local_steps=3, penalty=0.3), 0.3),
        (DFedCata(**EXACT, local_steps=1), LR),
        (DPSGD(**EXACT, momentum=BETA, keep_momentum=True), LR / (1 - BETA)),
    ],
    ids=repr,
)
def test_biased_methods_end_where_d_psgd_with_their_rate_ends(algorithm, lr):
    x = states(algorithm, 800)[-1]
    assert np.ptp(x, axis=0).max() > 0.01  # peers do not agree
    np.testing.assert_allclose(x, dpsgd_fixed_point(lr), atol=1e-8)


def test_oledfl_ends_where_its_linear_system_says():
    """On quadratics of curvature one: s = x + β(x − e), e = (1 − η)s + ηb, x = W e."""
    unit = Quadratic(dim=DIM, noise=0, condition=1.0, heterogeneity=1.0)
    x = states(OledFL(**EXACT, local_steps=1, beta=0.4), 800, objective=unit)[-1]
    problem = unit.build(N, range(N), 0, np.dtype(np.float64))
    batch = problem.minibatch(RandomStream(0, "minibatch", 0, 0, range(N)))
    b = -problem.gradients(np.zeros((N, DIM)), batch, slice(None))
    matrix = np.eye(N) - (1.4 * W - 0.4 * np.eye(N)) * (1 - LR)
    s = np.linalg.solve(matrix, (1.4 * W - 0.4 * np.eye(N)) @ (LR * b))
    np.testing.assert_allclose(x, W @ ((1 - LR) * s + LR * b), atol=1e-9)


@pytest.mark.parametrize("algorithm", [OledFL(lr=0.05, beta=0), DFedCata(lr=0.05, kappa=0, beta=0)], ids=repr)
def test_without_their_own_terms_they_are_dfedavg(algorithm):
    np.testing.assert_array_equal(states(algorithm, 4)[-1], states(DFedAvg(lr=0.05), 4)[-1])


@pytest.mark.parametrize("kind", [D2, Extra])
def test_one_symmetric_matrix_is_needed(kind):
    schedule = topologies.Periodic(
        [topologies.metropolis(topologies.ring(4)), topologies.metropolis(topologies.star(4))]
    )
    with pytest.raises(ValueError, match=f"algorithm is {kind.__name__.lower()}: it must .* gradient_tracking"):
        kind().check(schedule)


@pytest.mark.parametrize("kind", [QGDSGDm, DecentLaM, MomentumTracking])
def test_momentum_is_below_one(kind):
    with pytest.raises(ValueError, match=r"momentum is 1\.0"):
        kind(momentum=1.0)


FALLING = {
    "inverse_root": {"lr_schedule": "inverse_root"},
    "exponential": {"lr_schedule": "exponential", "lr_decay": 0.99},
    "linear": {"lr_schedule": "linear", "lr_rounds": 400},
    "cosine": {"lr_schedule": "cosine", "lr_rounds": 400},
}


@pytest.mark.parametrize("schedule", FALLING)
def test_extra_follows_d2_under_falling_rates(schedule):
    """Both come nearer to the optimum; where the rate does not fall to nothing, they reach it."""
    options = {"estimator": Exact(), "lr": LR, **FALLING[schedule]}
    ends = {kind: states(kind(**options), 600) for kind in (D2, Extra, GradientTracking)}
    optimum = ROUND.optimum
    error = {kind: np.linalg.norm(x[-1].mean(axis=0) - optimum) for kind, x in ends.items()}
    assert error[Extra] == pytest.approx(error[D2], rel=0.05)
    assert error[Extra] == pytest.approx(error[GradientTracking], rel=0.05)
    assert error[Extra] < 0.2 * np.linalg.norm(ROUND.start() - optimum)

"""Every estimator against exact gradients and closed-form moments."""

from dataclasses import replace
from itertools import product

import numpy as np
import pytest

from dfedsam import (
    LOZO,
    SPSA,
    Adam,
    CoordinateWise,
    DFedAvg,
    Exact,
    FedKSeed,
    HiSo,
    OneSided,
    Quadratic,
    Sign,
    SubZero,
    Tilted,
    TwoPoint,
    simulate,
)
from dfedsam.context import Oracle, QueryCounter
from dfedsam.random import RandomStream
from dfedsam.zeroth_order import cosines, perturb

RANDOM = [cls(directions=3, mu=mu, distribution=kind) for cls, mu in [(TwoPoint, 1e-3), (OneSided, 1e-6)]
          for kind in ("rademacher", "gaussian", "sphere", "orthogonal")]  # fmt: skip
RESCALED = [Tilted(), Sign(), Adam(estimator="spsa"), HiSo()]
LOW_RANK = [LOZO(columns=5, rank=2), SubZero(columns=5, rank=2, shared=True), FedKSeed(seeds=7)]
ALL = [*RANDOM, CoordinateWise(mu=1e-3), Exact(), *RESCALED, *LOW_RANK]


def oracle_of(peers=range(6), dim=10, noise=0.5, condition=3.0, heterogeneity=1.0):
    objective = Quadratic(dim=dim, noise=noise, condition=condition, heterogeneity=heterogeneity)
    problem = objective.build(64, peers, 0, np.float64)
    key = RandomStream(0, "", 0, 0, peers)
    batch = problem.minibatch(RandomStream(0, "minibatch", 0, 0, peers))
    return Oracle(problem, batch, slice(0, len(peers)), key, QueryCounter.zero(len(peers)))


def estimated(estimator, oracle, x, purpose="descent"):
    """The first estimate."""
    return estimator(oracle, x, estimator.init(x, oracle.problem), purpose)[0]


def point(peers=range(6), dim=10):
    return RandomStream(9, "x", 0, 0, peers).normal((dim,), np.float64)


@pytest.mark.parametrize("estimator", ALL, ids=repr)
def test_contract_shape_type_and_exact_count_of_queries(estimator):
    mini = oracle_of()
    x = point()
    before = x.copy()
    g, _ = estimator(mini, x, estimator.init(x, mini.problem), "descent")
    assert g.shape == x.shape
    assert g.dtype == x.dtype
    np.testing.assert_array_equal(x, before)
    assert (mini.counter.queries == estimator.queries(10)).all()


@pytest.mark.parametrize("estimator", ALL, ids=repr)
def test_a_row_depends_on_its_own_peer_alone(estimator):
    whole = estimated(estimator, oracle_of(), point())
    halves = [estimated(estimator, oracle_of(peers), point(peers)) for peers in (range(2), range(2, 6))]
    np.testing.assert_array_equal(whole, np.concatenate(halves))


@pytest.mark.parametrize("estimator", RANDOM, ids=repr)
def test_random_estimates_are_unbiased(estimator):
    peers = range(4000)  # of one mind, at one point: they differ in their directions alone
    mini, x = oracle_of(peers, noise=0, heterogeneity=0), np.tile(point(range(1)), (4000, 1))
    many = estimated(estimator, mini, x)
    error = many.mean(axis=0) - mini.gradients(x)[0]
    assert (np.abs(error) < 5 * many.std(axis=0) / np.sqrt(len(many)) + 1e-5).all()


@pytest.mark.parametrize("estimator", [CoordinateWise(), Exact()], ids=repr)
def test_coordinate_wise_and_exact_are_the_gradient(estimator):
    mini, x = oracle_of(), point()
    np.testing.assert_allclose(estimated(estimator, mini, x), mini.gradients(x), atol=1e-9)


def test_second_moments_of_low_rank_directions():
    """(mn + 2 + 2 (m + n + 1)/r) ‖G‖² for LOZO; (r² + 2) ‖UᵀGV‖², a share r²/mn of ‖G‖² on average, for SubZero."""
    peers, m, n, r = range(20_000), 4, 5, 2
    mini = oracle_of(peers, m * n, noise=0, condition=1, heterogeneity=0)
    x = np.tile(point(range(1), m * n), (len(peers), 1))
    exact = mini.gradients(x)[0]
    for kind, factor, share in (
        (LOZO, m * n + 2 + 2 * (m + n + 1) / r, 1),
        (SubZero, (r**2 + 2) * r**2 / (m * n), r**2 / (m * n)),
    ):
        g = estimated(kind(directions=1, columns=n, rank=r), mini, x)
        ratio = (g**2).sum(axis=1) / (exact @ exact)
        assert abs(ratio.mean() - factor) < 5 * ratio.std() / np.sqrt(len(ratio))
        error = g.mean(axis=0) - share * exact
        assert (np.abs(error) < 5 * g.std(axis=0) / np.sqrt(len(g))).all()


def test_as_many_numbers_as_seeds_restore_every_model():
    estimator, dim = FedKSeed(seeds=6, directions=3), 20
    x = simulate(
        objective=Quadratic(dim=dim), topology="ring", peers=5, rounds=9, dtype="float64", seed=4,
        algorithm=DFedAvg(estimator=estimator, lr=0.02, local_steps=2),
    ).x  # fmt: skip
    pool = estimator.pool(4, np.arange(6), dim, np.float64)
    scalars = np.linalg.lstsq(pool.T, x.T, rcond=None)[0]
    np.testing.assert_allclose(scalars.T @ pool, x, atol=1e-12)
    assert np.abs(x).max() > 0.1


def test_low_rank_directions_keep_their_columns_for_some_rounds():
    estimator, stream = LOZO(columns=5, rank=2, directions=3, keep=4), RandomStream(0, "descent", 0, 0, range(1))

    def rank(*rounds):
        drawn = [estimator.draw(replace(stream, round=t), 30, np.float64).reshape(-1, 5) for t in rounds]
        return np.linalg.matrix_rank(np.concatenate(drawn))

    assert (rank(0), rank(0, 3), rank(3, 4)) == (2, 2, 4)


@pytest.mark.parametrize(("kind", "factor"), [("gaussian", 22), ("sphere", 20), ("rademacher", 20)])
def test_second_moment_of_one_direction(kind, factor):
    """E‖ĝ‖²/‖∇‖² is d + 2 for Gaussian directions and d for sphere and Rademacher ones."""
    peers, dim = range(20_000), 20
    mini = oracle_of(peers, dim, noise=0, condition=1)
    x = np.tile(point(range(1), dim), (len(peers), 1))
    exact = mini.gradients(x)
    g = estimated(TwoPoint(directions=1, distribution=kind), mini, x)
    ratio = (g**2).sum(axis=1) / (exact**2).sum(axis=1)
    assert abs(ratio.mean() - factor) < 5 * ratio.std() / np.sqrt(len(ratio))


def test_mean_cosine_squared_of_one_direction_is_one_over_d():
    peers, dim = range(20_000), 20
    mini = oracle_of(peers, dim, noise=0)
    x = point(peers, dim)
    squares = cosines(estimated(TwoPoint(directions=1), mini, x), mini.gradients(x)) ** 2
    assert abs(squares.mean() - 1 / dim) < 5 * squares.std() / np.sqrt(len(squares))


def test_the_same_purpose_draws_the_same_directions_and_another_does_not():
    mini, x = oracle_of(), point()
    first = estimated(TwoPoint(), mini, x)
    np.testing.assert_array_equal(first, estimated(TwoPoint(), mini, x))
    assert not np.array_equal(first, estimated(TwoPoint(), mini, x, "ascent"))


def test_perturb_moves_each_row_by_rho_and_leaves_a_zero_row():
    x = point()
    g = 7 * point(range(6, 12))
    g[2] = 0
    moved = perturb(x, g.copy(), 0.3) - x
    lengths = np.full(6, 0.3)
    lengths[2] = 0
    np.testing.assert_allclose(np.linalg.norm(moved, axis=1), lengths, atol=1e-12)
    np.testing.assert_allclose(cosines(moved, g), lengths / 0.3)


@pytest.mark.parametrize("make", [
    lambda: TwoPoint(directions=0), lambda: TwoPoint(mu=0), lambda: TwoPoint(mu=float("nan")),
    lambda: OneSided(mu=-1), lambda: TwoPoint(distribution="cauchy"), lambda: CoordinateWise(mu=0),
])  # fmt: skip
def test_bad_values_are_named(make):
    with pytest.raises(ValueError, match=r"(directions|mu|distribution) is .*: it must be"):
        make()


def test_as_many_orthogonal_directions_as_dimensions_give_the_gradient():
    mini, x = oracle_of(), point()
    estimate = estimated(TwoPoint(directions=10, distribution="orthogonal"), mini, x)
    np.testing.assert_allclose(estimate, mini.gradients(x), atol=1e-8)


@pytest.mark.parametrize("estimator", [
    TwoPoint(directions=4, control_variate=True), OneSided(directions=4, mu=1e-7, control_variate=True),
], ids=repr)  # fmt: skip
def test_control_variate_learns_a_gradient_that_stays_at_the_stated_rate_without_bias(estimator):
    peers, dim = range(4000), 10
    mini, x = oracle_of(peers, noise=0, heterogeneity=0), np.tile(point(range(1)), (4000, 1))
    state = estimator.init(x, mini.problem)
    exact = mini.gradients(x)[0]
    errors = [exact @ exact]
    for step in range(3):
        before = state.control_variate.copy()
        estimate, state = estimator(replace(mini, stream=replace(mini.stream, step=step)), x, state, "descent")
        bias = estimate.mean(axis=0) - exact
        assert (np.abs(bias) < 5 * estimate.std(axis=0) / np.sqrt(4000) + 1e-5).all()
        spread = ((estimate - exact) ** 2).sum(axis=1).mean()
        assert spread == pytest.approx((dim - 1) / 4 * ((before - exact) ** 2).sum(axis=1).mean(), rel=0.1)
        errors.append(((state.control_variate - exact) ** 2).sum(axis=1).mean())
    np.testing.assert_allclose(np.divide(errors[1:], errors[:-1]), 1 - 4 / (dim + 4 - 1), rtol=0.05)


EXCESS = [
    *(TwoPoint(directions=q, distribution=kind) for kind in ("rademacher", "gaussian", "sphere") for q in (1, 4)),
    *(TwoPoint(directions=q, distribution="orthogonal") for q in (1, 4, 10, 13)),
    *(OneSided(directions=3, mu=1e-6, distribution=kind) for kind in ("rademacher", "gaussian", "orthogonal")),
    *(SPSA(samples=q) for q in (1, 5)),
    CoordinateWise(),
    Exact(),
]


@pytest.mark.parametrize("estimator", EXCESS, ids=repr)
def test_the_excess_variance_is_what_it_says(estimator):
    """E‖ĝ − ∇‖²/‖∇‖² on linear functions: a quadratic of curvature one, with steps too short to see it."""
    peers, dim = range(20_000), 10
    mini, x = oracle_of(peers, dim, noise=0, condition=1), point(peers, dim)
    exact = mini.gradients(x)
    error = ((estimated(estimator, mini, x) - exact) ** 2).sum(axis=1) / (exact**2).sum(axis=1)
    expected = estimator.excess_variance(dim)
    assert abs(error.mean() - expected) < 5 * error.std() / len(peers) ** 0.5 + 1e-6


@pytest.mark.parametrize("kind", [TwoPoint, OneSided])
def test_no_excess_variance_holds_with_a_control_variate(kind):
    assert kind(control_variate=True).excess_variance(10) is None


def test_one_sided_differences_have_the_bias_of_two_point_ones():
    """Since u and −u are equally likely; exactly, over all sign vectors of eight coordinates."""
    signs, rng = np.array(list(product((-1.0, 1.0), repeat=8))), np.random.default_rng(0)
    x, optimum = rng.normal(size=8), rng.normal(size=8)
    f = lambda points: np.cos(points @ optimum) + (points**4).sum(axis=-1)  # noqa: E731
    for mu in (0.1, 0.01):
        forward = ((f(x + mu * signs) - f(x)) / mu) @ signs / len(signs)
        central = ((f(x + mu * signs) - f(x - mu * signs)) / (2 * mu)) @ signs / len(signs)
        np.testing.assert_allclose(forward, central, atol=1e-11)


def test_tilted_estimates_steepen_sharp_directions_as_their_closed_form_says():
    peers, dim, t, mu = range(40), 4, 2.0, 0.3
    mini, x = oracle_of(peers, dim, noise=0, heterogeneity=0, condition=8.0), np.tile(point(range(1), 4), (40, 1))
    exact = mini.gradients(x)[0]
    H = mini.gradients(x + np.eye(dim)[np.arange(40) % dim])[:dim] - exact  # rows: one coordinate each
    expected = np.linalg.solve(np.eye(dim) - t * mu**2 * H, exact)
    many = estimated(Tilted(directions=20_000, mu=mu, tilt=t), mini, x)
    error = np.abs(many.mean(axis=0) - expected)
    assert (error < 5 * many.std(axis=0) / np.sqrt(len(many)) + 0.01).all()
    assert np.abs(expected - exact).max() > 0.1


def test_a_small_tilt_is_the_two_point_estimate():
    mini, x = oracle_of(), point()
    flat = estimated(Tilted(directions=5, tilt=1e-6), mini, x)
    plain = TwoPoint(directions=5, mu=0.05, distribution="gaussian")
    np.testing.assert_allclose(flat, estimated(plain, mini, x), rtol=1e-3)


def test_hiso_has_the_stated_moments_for_any_curvature():
    peers, dim = range(40_000), 8
    mini, x = oracle_of(peers, dim, noise=0, heterogeneity=0), np.tile(point(range(1), dim), (len(peers), 1))
    gradient, K = mini.gradients(x)[0], np.linspace(0.5, 4, dim)
    estimator = HiSo(directions=1, nu=0.1)
    state = replace(estimator.init(x, mini.problem), curvature=np.tile(K, (len(peers), 1)))
    many, state = estimator(mini, x, state, "descent")
    assert (np.abs(many.mean(axis=0) - gradient / K) < 5 * many.std(axis=0) / len(many) ** 0.5).all()
    squares = (many**2).sum(axis=1)
    expected = (gradient**2 / K).sum() * (1 / K).sum() + 2 * (gradient**2 / K**2).sum()
    assert abs(squares.mean() - expected) < 5 * squares.std() / len(many) ** 0.5
    np.testing.assert_allclose(state.curvature, 0.9 * K + 0.1 * many**2)


def test_sign_and_adam_rescale_the_estimates_of_another():
    mini, x = oracle_of(noise=0), point()
    g, first, second = mini.gradients(x), 0, 0
    np.testing.assert_array_equal(estimated(Sign(estimator=CoordinateWise()), mini, x), np.sign(g))
    estimator = Adam(estimator="exact", beta1=0.5, beta2=0.9)
    state = estimator.init(x, mini.problem)
    for t in range(1, 4):
        found, state = estimator(mini, t * x, state, "descent")
        g = mini.gradients(t * x)
        first, second = 0.5 * first + 0.5 * g, 0.9 * second + 0.1 * g**2
        expected = first / (1 - 0.5**t) / (np.sqrt(second / (1 - 0.9**t)) + 1e-8)
        np.testing.assert_allclose(found, expected, rtol=1e-9)

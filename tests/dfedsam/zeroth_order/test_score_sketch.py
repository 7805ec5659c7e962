"""The score sketch where scores are linear, so that all it should come to know is given."""

from dataclasses import replace

import numpy as np
import pytest

from dfedsam import DFedSAM, GaussNewton, OneSided, Quadratic, ScoreSketch, TwoPoint, simulate
from dfedsam.algorithms import Algorithm
from dfedsam.context import Oracle, QueryCounter
from dfedsam.random import RandomStream
from dfedsam.topologies import make
from dfedsam.zeroth_order.score_sketch import damped_solution
from tests.dfedsam.zeroth_order.linear_scores import LinearScores, LinearScoresProblem

DIM = 12


def oracle_of(peers=range(6), **options) -> Oracle:
    problem = LinearScores(dim=DIM, **options).build(peers.stop, peers, 0, np.float64)
    whole = slice(0, len(peers))
    return Oracle(problem, problem.labels, whole, RandomStream(0, "", 0, 0, peers), QueryCounter.zero(len(peers)))


def known(oracle: Oracle) -> LinearScoresProblem:
    assert isinstance(oracle.problem, LinearScoresProblem)
    return oracle.problem


def point(peers=range(6), of=9):
    return RandomStream(of, "x", 0, 0, peers).normal((DIM,), np.float64)


def test_slopes_of_scores_are_those_of_the_loss():
    mini, x = oracle_of(), point()
    exact = mini.gradients(x)
    np.testing.assert_allclose(
        TwoPoint(directions=DIM, mu=1e-4, distribution="orthogonal")(mini, x, None, "")[0], exact, atol=1e-6
    )


def test_after_d_directions_at_right_angles_estimates_are_exact_at_every_point():
    estimator = ScoreSketch(directions=DIM, mu=0.1)  # linear scores have no curvature: μ does not matter
    mini, x = oracle_of(), point()
    first, state = estimator(mini, x, estimator.init(x, mini.problem), "")
    np.testing.assert_allclose(first, mini.gradients(x), atol=1e-11)
    np.testing.assert_allclose(state.jacobian, known(mini).jacobian, atol=1e-11)
    far = point(of=8)
    few = ScoreSketch(directions=1, mu=0.1)
    np.testing.assert_allclose(few(mini, far, state, "")[0], mini.gradients(far), atol=1e-11)
    assert list(mini.counter.queries) == [DIM + 1 + 2] * 6


def test_within_a_cycle_the_jacobian_is_learned_as_stated_without_bias_and_after_it_known():
    estimator, peers = ScoreSketch(directions=3, mu=0.1), range(4000)
    mini, x = oracle_of(peers), np.tile(point(range(1)), (4000, 1))
    problem = known(mini)
    problem.jacobian[:], problem.labels[:] = problem.jacobian[0], problem.labels[0]
    state = estimator.init(x, mini.problem)
    exact = mini.gradients(x)[0]
    errors = [(problem.jacobian[0] ** 2).sum()]
    for step in range(DIM // 3):
        estimate, state = estimator(replace(mini, stream=replace(mini.stream, step=step)), x, state, "")
        bias = estimate.mean(axis=0) - exact
        assert (np.abs(bias) < 5 * estimate.std(axis=0) / np.sqrt(4000) + 1e-12).all()
        errors.append(((state.jacobian - problem.jacobian) ** 2).sum(axis=(1, 2)).mean())
    np.testing.assert_allclose(np.divide(errors, errors[0]), np.linspace(1, 0, DIM // 3 + 1), atol=0.02)
    assert errors[-1] < 1e-20
    far = point(peers, of=8)
    np.testing.assert_allclose(estimator(mini, far, state, "")[0], mini.gradients(far), atol=1e-11)


@pytest.mark.parametrize("estimator", [ScoreSketch(directions=2), GaussNewton(directions=2)])
def test_a_peers_estimate_does_not_depend_on_the_others_in_its_block(estimator):
    answers = []
    for peers in (range(6), range(2), range(2, 6)):
        mini = oracle_of(peers)
        first, state = estimator(mini, point(peers), estimator.init(point(peers), mini.problem), "a")
        answers.append([first, estimator(mini, 2 * point(peers), state, "b")[0]])
    for whole, *halves in zip(*answers, strict=True):
        np.testing.assert_array_equal(whole, np.concatenate(halves))


@pytest.mark.parametrize("examples", [4, 9, 15])  # fewer scores than variables; fewer independent ones; more of both
def test_once_the_jacobian_is_known_the_damped_step_of_two_even_classes_is_newtons(examples):
    mini, x = oracle_of(examples=examples, classes=2), np.zeros((6, DIM))  # where the bound is the Hessian
    gradient, hessian = mini.gradients(x), hessians(mini, x)
    for damping in (0.5, 100.0):
        estimator = GaussNewton(directions=DIM, mu=0.1, damping=damping)
        step, _ = estimator(mini, x, estimator.init(x, mini.problem), "")
        mean = np.trace(hessian, axis1=1, axis2=2) / min(DIM, examples)
        expected = np.linalg.solve(hessian + damping * mean[:, None, None] * np.eye(DIM), gradient[:, :, None])[:, :, 0]
        np.testing.assert_allclose(step, expected, rtol=1e-6, atol=1e-9 * np.abs(expected).max())


def test_curvature_bounds_the_hessian_and_a_step_never_raises_the_loss():
    mini, x = oracle_of(), point()
    for peer, hessian in enumerate(hessians(mini, x)):
        root = mini.problem.score_curvature(known(mini).jacobian[peer], mini.batch[peer])
        assert np.linalg.eigvalsh(root.T @ root - hessian).min() > -1e-8
    estimator = GaussNewton(directions=DIM, damping=1e-3)
    state, losses = estimator.init(x, mini.problem), []
    for _ in range(100):
        losses.append(mini.problem.losses(x[:, None], mini.batch)[:, 0])
        step, state = estimator(mini, x, state, "")
        x = x - step
    assert (np.diff(losses, axis=0) < 1e-9).all()
    assert (losses[-1] < 0.1 * losses[0]).all()


def test_a_peers_displacement_tells_the_derivative_along_it_at_no_query():
    mini, x = oracle_of(), point()
    estimator = GaussNewton(directions=2, mu=0.1)
    _, state = estimator(mini, x, estimator.init(x, mini.problem), "")
    before, v = state.jacobian.copy(), point(of=7)
    v[0] *= 0.05 / np.linalg.norm(v[0])  # shorter than μ
    scores = mini.problem.scores((x + v)[:, None], mini.batch)[:, 0]
    none = np.zeros((6, 1, DIM)), np.zeros((6, 1, scores.shape[1]))
    state.learn(x + v, scores, *none, estimator.mu)
    exact = known(mini).jacobian
    learned = (np.matmul(exact - before, v[:, :, None]) / np.square(v).sum(axis=1)[:, None, None]) * v[:, None]
    learned[0] = 0
    np.testing.assert_allclose(state.jacobian - before, learned, atol=1e-12)
    np.testing.assert_array_equal(state.x[0], x[0])  # it waits
    np.testing.assert_array_equal(state.x[1:], (x + v)[1:])


@pytest.mark.parametrize("shape", [(4, 9), (20, 9)], ids=["few_rows", "many_rows"])
def test_a_damped_solution_solves_its_system_and_is_nan_where_there_is_none(shape):
    rng = np.random.default_rng(3)
    root, g = rng.standard_normal(shape), rng.standard_normal(9)
    solution = damped_solution(root, g, 0.5)
    np.testing.assert_allclose(root.T @ (root @ solution) + 0.5 * solution, g, rtol=1e-12, atol=1e-13)
    root[0, 0] = np.nan
    assert np.isnan(damped_solution(root, g, 0.5)).all()


def hessians(mini: Oracle, x):
    h = 1e-5 * np.eye(DIM)
    return np.stack([(mini.gradients(x + e) - mini.gradients(x - e)) / 2e-5 for e in h], axis=1)


def test_it_beats_losses_alone_at_equal_queries():
    def gap(estimator):
        rows = simulate(
            objective=LinearScores(dim=30, examples=40), topology=make("ring", 8), seed=1, rounds=400,
            algorithm=DFedSAM(estimator=estimator, rho=0, local_steps=1, lr=0.3, momentum=0.9), evaluate_every=400,
        ).rows  # fmt: skip
        return rows[-1]["loss"]

    exact, alone, sketched = (
        gap(one) for one in (ScoreSketch(directions=30), OneSided(directions=2, mu=1e-6), ScoreSketch(directions=2))
    )
    assert abs(sketched - exact) < 0.1 * (alone - exact)


def test_what_it_cannot_work_on_is_refused():
    algorithm: Algorithm = DFedSAM(estimator=ScoreSketch())
    with pytest.raises(ValueError, match="needs class scores of the same examples in each query"):
        algorithm.check_problem(Quadratic().build(2, range(2), 0, np.float64))
    with pytest.raises(
        ValueError, match="directions is 13: it must be at most 12, since no more directions are orthogonal"
    ):
        ScoreSketch(directions=13).check(oracle_of().problem)

"""SVRG, SARAH and SAGA end at the optimum at a constant rate, where plain minibatches cannot."""

from dataclasses import replace

import numpy as np
import pytest

from dfedsam import (
    LTADMM,
    SAGA,
    SARAH,
    SVRG,
    AugDGM,
    CoordinateWise,
    Exact,
    GradientTracking,
    LogisticRegression,
    Quadratic,
    TwoPoint,
    make,
    simulate,
)
from dfedsam.context import Oracle, QueryCounter
from dfedsam.random import RandomStream
from dfedsam.testing import check_algorithm, check_estimator
from tests.dfedsam.algorithms.own_hessians import play

OBJECTIVE = LogisticRegression(features=2, classes=2, examples=8, batch_size=2, l2=0.1, min_examples=2)
N = 4
OPTIONS = {"objective": OBJECTIVE, "topology": make("ring", N), "dtype": "float64", "evaluate_every": 300}
ALL = [SAGA(), SVRG(period=5), SARAH(period=5), SVRG(probability=0.3), SVRG(estimator=TwoPoint(), period=3)]


def distances(estimator, kind=GradientTracking, **more):
    """From the optimum, after 300 and 600 rounds."""
    algorithm = kind(estimator=estimator, lr=0.2, **more)
    rows = simulate(**OPTIONS, algorithm=algorithm, rounds=600, metrics=["distance"]).rows
    return rows[1]["distance"], rows[2]["distance"]


def test_gradient_tracking_ends_at_the_optimum_though_minibatches_are_small():
    assert distances(Exact())[1] > 1e-2
    zeroth_order = SVRG(estimator=CoordinateWise(mu=1e-5), period=5)
    for estimator in (SAGA(), SVRG(period=5), SARAH(period=5), SARAH(probability=0.2), zeroth_order):
        half, whole = distances(estimator)
        assert whole < 1e-6, estimator
        assert whole < 1e-2 * half, estimator  # linearly


def test_lt_admm_with_a_table_ends_at_the_optimum():
    more = {"local_steps": 2, "dual_lr": 0.1}
    assert distances(Exact(), LTADMM, **more)[1] > 1e-2
    assert distances(SAGA(), LTADMM, **more)[1] < 1e-8


def test_gt_vr_follows_its_formula():
    p, rounds, found = 0.3, 30, []
    stream = RandomStream(0, "descent, anchor", 0, 0, range(N))
    due = np.array([replace(stream, round=t).uniform(()) < p for t in range(rounds + 1)])
    ring, problem = OPTIONS["topology"].weights(0), OBJECTIVE.build(N, range(N), 0, np.float64)
    method = AugDGM(estimator=SVRG(probability=p), lr=0.2)
    play(method, rounds, objective=OBJECTIVE, weights=ring, seen=lambda state: found.append(state.x.copy()))
    x = anchor = np.zeros((N, problem.dim))
    v = y = full = np.concatenate([problem.full_gradients(row)[[i]] for i, row in enumerate(x)])
    for t in range(1, rounds + 1):
        x = ring @ (x - 0.2 * y)
        np.testing.assert_allclose(found[t - 1], x, atol=1e-12)
        moved = due[t][:, None]
        exact = np.concatenate([problem.full_gradients(row)[[i]] for i, row in enumerate(x)])
        anchor, full = np.where(moved, x, anchor), np.where(moved, exact, full)
        batch = problem.minibatch(RandomStream(0, "minibatch", t, 0, range(N)))
        last, v = v, problem.gradients(x, batch) - problem.gradients(anchor, batch) + full
        y = ring @ (y + v - last)


@pytest.mark.parametrize("estimator", ALL, ids=repr)
def test_contracts(estimator):
    check_estimator(estimator, objective=OBJECTIVE)
    check_algorithm(GradientTracking(estimator=estimator), objective=OBJECTIVE)
    absent = make({"class_path": "peer_dropout", "init_args": {"p": 0.4}}, 5)
    check_algorithm(GradientTracking(estimator=estimator), objective=OBJECTIVE, topology=absent)


def test_saga_s_mean_is_that_of_its_table_and_the_estimate_that_of_its_formula():
    problem = OBJECTIVE.build(N, range(N), 0, np.float64)
    state, table = SAGA().init(np.zeros((N, problem.dim)), problem), {}
    known, rng = problem.example_indices(), np.random.default_rng(0)
    for t in range(12):
        x, stream = rng.standard_normal((N, problem.dim)), RandomStream(0, "minibatch", t, 0, range(N))
        oracle = Oracle(problem, problem.minibatch(stream), slice(0, N), stream, QueryCounter.zero(N))
        zero, own = np.zeros(problem.dim), [row[row >= 0] for row in known]
        means = [sum(table.get((i, e), zero) for e in own[i]) / len(own[i]) for i in range(N)]
        new = [problem.gradients(x, oracle.batch[:, [j]]) for j in range(2)]
        old = [[table.get((i, oracle.batch[i, j]), zero) for i in range(N)] for j in range(2)]
        g, state = SAGA().estimate(oracle, x, state, "descent")
        np.testing.assert_allclose(g, np.mean(new, axis=0) - np.mean(old, axis=0) + means, atol=1e-12)
        assert (oracle.counter.gradients == 2).all()
        table |= {(i, oracle.batch[i, j]): new[j][i] for j in range(2) for i in range(N)}


@pytest.mark.parametrize(
    ("estimator", "objective", "message"),
    [
        (SAGA(), Quadratic(), "estimator is saga: it needs an objective whose peers have examples"),
        (SVRG(), Quadratic(), "estimator is svrg: it needs an objective"),
        (SVRG(estimator=TwoPoint(control_variate=True)), OBJECTIVE, "must keep nothing between estimates"),
    ],
)
def test_what_cannot_work_is_refused(estimator, objective, message):
    with pytest.raises(ValueError, match=message):
        estimator.check(objective.build(N, range(N), 0, np.float64))

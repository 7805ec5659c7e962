"""Theory beside the metrics: the closed forms against dense recursions, and fits against numpy's."""

import numpy as np
import pandas as pd
import pytest
from scipy.linalg import solve_discrete_lyapunov

from dfedsam import topologies
from dfedsam.analysis.statistics import agreement, fit
from dfedsam.analysis.summary import with_time
from tests.analysis.quadratic_study import DIM, LR, NOISE, model


@pytest.mark.parametrize(("graph", "steps"), [("ring", 1), ("star", 2)])
def test_the_steady_distances_are_those_of_the_dense_recursion(graph, steps):
    n, h = 8, 0.7
    W = topologies.make(graph, n, 0).weights(0).toarray()
    M, J = np.linalg.matrix_power(W, steps), np.full((n, n), 1 / n)
    # X ← M((1 − η) X + η (B + noise)), a coordinate at a time: X = A B + what noise leaves
    A = LR * np.linalg.solve(np.eye(n) - (1 - LR) * M, M)
    noise = solve_discrete_lyapunov((1 - LR) * M, (LR * NOISE) ** 2 * M @ M.T)
    away = (np.eye(n) - J) @ A
    consensus = DIM / n * (h**2 * np.sum(away**2) + np.trace((np.eye(n) - J) @ noise))
    error = DIM * noise.sum() / n**2  # of the mean; its own optimum is that of all
    found = model(graph, n, steps, h)
    np.testing.assert_allclose(found.steady_state(), (consensus, error), rtol=1e-10)
    np.testing.assert_allclose(found.course([0, 2000]), [0, consensus], rtol=1e-10)
    # after one round from 0: M η (B + noise)
    first = DIM / n * LR**2 * (h**2 + NOISE**2) * np.sum(((np.eye(n) - J) @ M) ** 2)
    np.testing.assert_allclose(found.course([1]), [first], rtol=1e-10)


def test_a_fit_is_that_of_numpy_and_a_power_law_is_found_exactly():
    x = np.array([1.0, 2, 4, 8, 16])
    exact = fit(x, 3 * x**-1.5)
    assert exact is not None
    assert (exact.slope, exact.r2, exact.spearman) == pytest.approx((-1.5, 1, -1))
    y = np.array([1.0, 2.5, 3, 9, 14])
    line = fit(x, y)
    assert line is not None
    (slope, _), cov = np.polyfit(np.log(x), np.log(y), 1, cov=True)
    assert line.slope == pytest.approx(slope)
    assert (line.high - line.low) / 2 == pytest.approx(3.182446 * np.sqrt(cov[0, 0]))  # Student's t of 3 degrees
    assert line.r2 == pytest.approx(np.corrcoef(np.log(x), np.log(y))[0, 1] ** 2)
    assert fit(x[:4], y[:4]) is None  # an R² of four points says nothing


def test_agreement_is_without_a_fit():
    y = np.array([1.0, 10, 100, 1000, 10000])
    assert agreement(y, y) == 1
    assert agreement(10 * y, y) == pytest.approx(1 - 5 / 10)  # a decade off, where the values spread by −2 … 2
    assert agreement(y[:4], y[:4]) is None


def test_time_is_degree_times_latency_and_bytes():
    frame = pd.DataFrame({"round": [0, 10], "bytes": [0.0, 4000], "steps": 2, "degree_round_max": 3})
    frame["degree_round_mean"] = 2.0
    # 10 rounds × 2 steps × 3 messages of 4000 / (10 · 2 · 2) = 100 bytes each
    np.testing.assert_allclose(with_time(frame, 0.5, 1000)["message_time"], [0, 60 * (0.5 + 0.1)])

"""Methods whose peers minimise exactly: SSDA and ADMM, their formulas and rates."""

import numpy as np
import pytest

from dfedsam import ADMM, SSDA, Chebyshev, DiNNO, Exact, LogisticRegression, Plain, Quadratic
from dfedsam.communication import SingleProcess
from dfedsam.errors import OptionError
from dfedsam.gossip.channel import Channel
from dfedsam.random import RandomStream
from tests.dfedsam.algorithms.own_hessians import DIM, PROBLEM, RING, N, W, play


def test_admm_is_the_method_of_its_edges_and_dinno_its_limit():
    """x ← prox of the sum of z_ij, z_ij ← (z_ij − z_ji)/2 + ρ_ij x_j (relaxation ½), with ρ_ij = 2c w_ij from z = 0."""
    c, found = 0.8, []
    rho = 2 * c * (W - np.diag(W.diagonal()))
    z, stiffness = np.zeros((N, N, DIM)), rho.sum(axis=1)[:, None]
    play(ADMM(penalty=c), 40, seen=lambda state: found.append(state.x.copy()))
    for x in found:
        np.testing.assert_allclose(x, PROBLEM.conjugate_gradients(z.sum(axis=1), stiffness=stiffness), atol=1e-12)
        z = (z - z.swapaxes(0, 1)) / 2 + rho[:, :, None] * x[None]
    assert np.abs(play(ADMM(penalty=0.3), 300) - PROBLEM.optimum).max() < 1e-9
    dinno = DiNNO(estimator=Exact(), lr=0.3, local_steps=200, penalty=c)
    np.testing.assert_allclose(play(dinno, 40), found[-1], atol=1e-10)


def test_admm_on_logistic_regression_ends_at_the_optimum():
    objective = LogisticRegression(features=3, classes=3, examples=8, l2=0.1, min_examples=2)
    optimum = objective.solve(N, 0).x
    assert np.abs(play(ADMM(penalty=0.4), 300, objective=objective) - optimum).max() < 1e-6


@pytest.mark.parametrize("gossip", [Plain(), Chebyshev(steps=3)], ids=["SSDA", "MSDA"])
def test_dual_acceleration_has_the_rate_of_its_theorem(gossip):
    """1 − √(γ/κ) a round, with the eigenvalues of W or of its Chebyshev polynomial, reached by the slowest mode."""
    kappa = 20.0
    objective = Quadratic(dim=6, condition=kappa, heterogeneity=2.0)
    optimum, errors = objective.build(N, range(N), 0, np.dtype(np.float64)).optimum, []
    channel = Channel(RING, SingleProcess(N), RandomStream(0, "", 0, 0, range(N)))
    low, *_, second, _ = np.linalg.eigvalsh(gossip(np.eye(N), gossip.init(np.eye(N)), channel)[0])
    gamma = (1 - second) / (1 - low)
    momentum = (kappa**0.5 - gamma**0.5) / (kappa**0.5 + gamma**0.5)
    algorithm = SSDA(gossip=gossip, dual_lr=1 / kappa / (1 - low), momentum=momentum)
    play(algorithm, 200, objective=objective, seen=lambda state: errors.append(np.linalg.norm(state.x - optimum)))
    early, late = (60, 90) if gossip != Plain() else (100, 190)
    measured = (errors[late] / errors[early] * early / late) ** (1 / (late - early))  # a double root: t rᵗ
    assert measured == pytest.approx(1 - (gamma / kappa) ** 0.5, abs=0.01)


def test_dual_acceleration_ends_at_the_optimum_of_logistic_regression_too():
    objective = LogisticRegression(features=3, classes=3, examples=8, l2=0.1, min_examples=2)
    optimum, found = objective.solve(N, 0).x, []
    algorithm = SSDA(dual_lr=0.1 / (4 / 3), momentum=0.8)
    play(algorithm, 300, objective=objective, seen=lambda state: found.append(np.abs(state.x - optimum).max()))
    assert found[-1] < 1e-7 < 1e-2 < found[20]
    with pytest.raises(OptionError, match="logistic_regression with l2"):
        algorithm.check_problem(LogisticRegression(l2=0).build(N, range(N), 0, np.float64))

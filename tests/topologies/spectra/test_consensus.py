"""The steady consensus distance against the fixed point of the process, solved directly, and a simulation."""

import numpy as np
import pytest
import scipy.sparse as sp
from numpy.polynomial.chebyshev import chebval

from dfedsam.topologies import make, metropolis, ring, slem, steady_consensus, torus


def exact(value):
    return pytest.approx(value, rel=1e-9, abs=1e-12)


def exact_distance(M, centres, lr, noise, *, before_gossip):
    """The stationary mean and covariance of the whole process, solved as linear equations: no eigenvectors involved."""
    n, d = centres.shape
    centre = np.eye(n) - 1 / n
    transition = (1 - lr) * centre @ M  # of the deviations from the mean, after gossip
    mean = np.linalg.solve(np.eye(n) - transition, lr * centre @ M @ centres)
    kick = lr * noise * centre @ M
    covariance = np.linalg.solve(np.eye(n * n) - np.kron(transition, transition), (kick @ kick.T).ravel()).reshape(n, n)
    if before_gossip:
        mean = (1 - lr) * mean + lr * centre @ centres
        covariance = (1 - lr) ** 2 * covariance + (lr * noise) ** 2 * centre
    return (np.sum(mean**2) + d * np.trace(covariance)) / n


@pytest.mark.parametrize("before_gossip", [False, True])
@pytest.mark.parametrize(("steps", "noise", "lr"), [(1, 0.0, 0.1), (1, 1.0, 0.1), (4, 0.5, 0.7), (2, 0.3, 1.5)])
def test_steady_consensus_is_the_fixed_point_of_the_process(steps, noise, lr, before_gossip):
    W = make("erdos_renyi", 12, seed=1).weights(0)
    centres = np.random.default_rng(0).standard_normal((12, 3))
    power = np.linalg.matrix_power(W.toarray(), steps)
    expected = exact_distance(power, centres, lr, noise, before_gossip=before_gossip)
    assert steady_consensus(W, centres, lr, noise, steps, before_gossip=before_gossip) == exact(expected)


@pytest.mark.parametrize("before_gossip", [False, True])
@pytest.mark.parametrize("name", ["ring", "grid"])
def test_any_polynomial_of_w_by_what_it_does_to_its_modes(name, before_gossip):
    """Chebyshev gossip with four steps: x₁ = Wx₀, ω₁ = 2, ω ← 1/(1 - λ²ω/4), x ← ωWx + (1 - ω)x₋."""
    W = make(name, 12).weights(0)
    rate, dense = slem(W), W.toarray()
    before, now, omega = np.eye(12), dense, 2.0
    for _ in range(3):
        omega = 1 / (1 - rate**2 * omega / 4)
        before, now = now, omega * dense @ now + (1 - omega) * before

    def multipliers(values):
        fourth = [0, 0, 0, 0, 1]
        return chebval(values / rate, fourth) / chebval(1 / rate, fourth)

    centres = np.random.default_rng(0).standard_normal((12, 3))
    expected = exact_distance(now, centres, 0.3, 0.7, before_gossip=before_gossip)
    found = steady_consensus(W, centres, 0.3, 0.7, multipliers=multipliers, before_gossip=before_gossip)
    assert found == exact(expected)


def test_steady_consensus_against_a_simulation():
    W = metropolis(torus(16))
    rng = np.random.default_rng(1)
    centres, lr, noise = rng.standard_normal((16, 200)), 0.2, 0.8
    x = np.zeros((16, 200))
    distances = []
    for t in range(1500):
        x = W @ (x - lr * (x - centres + noise * rng.standard_normal(x.shape)))
        if t >= 100:
            distances.append(np.sum((x - x.mean(axis=0)) ** 2) / 16)
    assert np.mean(distances) == pytest.approx(steady_consensus(W, centres, lr, noise), rel=0.01)


def test_steady_consensus_refuses():
    W = metropolis(ring(6))
    with pytest.raises(ValueError, match="lr is 2"):
        steady_consensus(W, np.zeros((6, 2)), lr=2)
    with pytest.raises(ValueError, match="steps is 0"):
        steady_consensus(W, np.zeros((6, 2)), lr=0.1, steps=0)
    with pytest.raises(ValueError, match="must be connected"):
        steady_consensus(sp.csr_array(np.eye(3)), np.zeros((3, 2)), lr=0.1)
    with pytest.raises(ValueError, match=r"\(1 - lr\) m_k\| is 3.0: it must be below 1"):
        steady_consensus(W, np.zeros((6, 2)), lr=0.5, multipliers=lambda values: 0 * values + 6)

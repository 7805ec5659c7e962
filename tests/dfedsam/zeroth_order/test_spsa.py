"""SPSA against its moments on quadratics, in closed form."""

import numpy as np
import pytest

from dfedsam import Quadratic
from dfedsam.context import Oracle, QueryCounter
from dfedsam.random import RandomStream
from dfedsam.zeroth_order import SPSA

DIM = 6


def asked(peers: int, problem=None) -> Oracle:
    """A minibatch of many peers of one mind."""
    options = Quadratic(dim=DIM, condition=4.0, noise=0, heterogeneity=0)
    problem = problem or options.build(peers, range(peers), 0, np.float64)
    batch = problem.minibatch(RandomStream(0, "minibatch", 0, 0, range(peers)))
    return Oracle(problem, batch, slice(0, peers), RandomStream(0, "", 0, 0, range(peers)), QueryCounter.zero(peers))


@pytest.mark.parametrize("samples", [1, 5])
def test_on_a_quadratic_it_has_no_bias_and_the_stated_variance(samples: int) -> None:
    """Entry i is ∂_i + Σ_{j≠i} ∂_j δ_j/δ_i, where E δ² = 7/12 and E 1/δ² = 2; whatever c is."""
    peers = 40_000
    mini, x = asked(peers), np.tile(np.random.default_rng(0).normal(size=DIM), (peers, 1))
    found = SPSA(samples=samples, c=0.7)(mini, x, None, "descent")[0]
    exact = mini.gradients(x)[0]
    variance = 7 / 6 * ((exact**2).sum() - exact**2) / samples
    assert (np.abs(found.mean(axis=0) - exact) < 5 * np.sqrt(variance / peers)).all()
    squares = (found - exact) ** 2
    assert (np.abs(squares.mean(axis=0) - variance) < 5 * squares.std(axis=0) / peers**0.5).all()
    assert (mini.counter.queries == 2 * samples).all()


def test_its_steps_have_the_stated_distribution() -> None:
    delta = SPSA(samples=50).perturbations(RandomStream(0, "d", 0, 0, range(100)), DIM, np.float64).ravel()
    sizes = np.sort(np.abs(delta))
    assert sizes[0] >= 0.5
    assert sizes[-1] <= 1
    assert np.abs(sizes - np.linspace(0.5, 1, len(sizes))).max() < 0.5 * 2 / len(sizes) ** 0.5  # Kolmogorov
    assert abs(np.sign(delta).mean()) < 5 / len(delta) ** 0.5


class Asks:
    """Keeps the candidates that it was asked for."""

    round = 0

    def random(self, purpose):
        return RandomStream(0, purpose, self.round, 0, range(2))

    def losses(self, candidates):
        self.candidates = candidates
        return np.zeros(candidates.shape[:2])


def test_the_step_falls_with_rounds_or_as_an_algorithm_counts() -> None:
    x, spsa, asks = np.zeros((2, DIM)), SPSA(samples=3, c=0.02, gamma=0.2), Asks()
    for t in (1, 2, 9):
        for one in (spsa, spsa.at(t)):
            asks.round = t - 1 if one is spsa else 0
            one.estimate(asks, x, None, "d")
            expected = one.perturbations(asks.random("d"), DIM, x.dtype) * 0.02 / t**0.2
            np.testing.assert_allclose(asks.candidates, np.concatenate([expected, -expected], axis=1), rtol=1e-12)


@pytest.mark.parametrize("bad", [{"samples": 0}, {"c": 0}, {"gamma": -0.1}])
def test_bad_values_are_named(bad: dict) -> None:
    with pytest.raises(ValueError, match=f"{next(iter(bad))} is .* must be"):
        SPSA(**bad)

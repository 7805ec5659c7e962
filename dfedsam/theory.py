"""Theoretical predictions for a run, from the plug-ins' own methods; computed at its start and stored."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from dfedsam.topologies import eigenvalues
from dfedsam.topologies.spectra.neighbours import from_eigenvalues

if TYPE_CHECKING:
    from dfedsam.algorithms import Algorithm
    from dfedsam.gossip import Gossip
    from dfedsam.objectives import Objective
    from dfedsam.topologies import Topology
    from dfedsam.topologies.spectra.spectrum import Spectrum
    from dfedsam.zeroth_order import Estimator

LARGEST = 2000  # peers up to which all eigenvalues are computed
LONGEST = 20_000  # rounds up to which the consensus distance of every evaluation is predicted
_SMALL_RHO = 0.02  # of the distance between a peer and its optimum: below it SAM's perturbation can be left out


@dataclass(frozen=True, kw_only=True)
class LocalSGD:
    """A round of K steps x ← x − η ĝ(x) at a constant rate, followed by gossip: as declared by an algorithm.

    Args:
        lr: η.
        steps: K.
        estimator: the estimator of ĝ.
        rho: ρ, the length of SAM's perturbation.
    """

    lr: float
    steps: int
    estimator: Estimator
    rho: float = 0.0


@dataclass(frozen=True, kw_only=True)
class Quadratics:
    """f_i(x) = ½‖x − b_i‖², b_i = c + heterogeneity · z_i with c, z_i ~ N(0, I), and x = 0 at the start.

    Args:
        dim: d.
        heterogeneity: standard deviation of the optima per coordinate.
        noise: σ, standard deviation of a minibatch gradient per coordinate.
    """

    dim: int = 1
    heterogeneity: float = 1.0
    noise: float = 0.0


@dataclass(frozen=True, kw_only=True)
class NoisyGossip:
    """Consensus distance and error of local SGD and gossip on noisy quadratics, in expectation over optima and noise.

    With exact gradients and K = 1 the steady-state distance is the expectation of `topologies.steady_consensus`. K
    steps act as one of rate 1 − (1 − η)^K. Estimated gradients add noise of variance `excess` · ‖∇‖². SAM's
    perturbation is neglected.

    Args:
        modes: factors by which gossip multiplies all eigenvectors but the mean's, shape (n − 1,).
        lr: η, in (0, 2).
        local_steps: K, at least 1.
        quadratics: the objective.
        excess: E‖ĝ − ∇‖²/‖∇‖² of the estimator; 0 for exact gradients.
    """

    modes: NDArray[np.float64]
    lr: float
    local_steps: int = 1
    quadratics: Quadratics = Quadratics()
    excess: float = 0.0

    @property
    def _kept(self) -> float:
        """The factor by which one round's local steps multiply x − b_i."""
        return (1 - self.lr) ** self.local_steps

    @property
    def _spread(self) -> float:
        """E‖b_i − c‖²."""
        return self.quadratics.heterogeneity**2 * self.quadratics.dim

    def _noise(self, distance: float) -> float:
        """The variance that a round's local steps add to a peer, linear in E‖x_i − b_i‖² before them."""
        sigma, added = self.quadratics.noise**2 * self.quadratics.dim * (1 + self.excess), 0.0
        for _ in range(self.local_steps):
            noise = sigma + self.excess * distance
            added = (1 - self.lr) ** 2 * added + self.lr**2 * noise
            distance = (1 - self.lr) ** 2 * distance + self.lr**2 * noise
        return added

    def steady_state(self) -> tuple[float, float]:
        """Limits of (1/n) Σ‖x_i − x̄‖² after gossip and of E‖x̄ − x*‖²; infinite where the run diverges."""
        n, kept, m = len(self.modes) + 1, self._kept, self.modes
        bias = m * (1 - kept) / (1 - m * kept)
        growth = np.sum(m**2 / (1 - kept**2 * m**2))  # of noise in all modes but the mean's
        growth_mean = 1 / (1 - kept**2)
        fixed = self._noise(0.0)
        slope = self._noise(1.0) - fixed
        noiseless = self._spread * float(np.sum((1 - bias) ** 2)) / n  # E‖x_i − b_i‖² without noise
        remaining = 1 - slope * (growth + growth_mean) / n
        if remaining <= 0:
            return math.inf, math.inf
        noise = (fixed + slope * noiseless) / remaining
        return float((self._spread * np.sum(bias**2) + noise * growth) / n), float(noise * growth_mean / n)

    def course(self, rounds: ArrayLike) -> NDArray[np.float64]:
        """The consensus distance after gossip at these rounds, of their shape; the cost grows with the largest."""
        wanted = np.asarray(rounds, dtype=int)
        n, kept, m = len(self.modes) + 1, self._kept, self.modes
        bias, noise, noise_mean = np.zeros_like(m), np.zeros_like(m), 0.0
        start = n * self.quadratics.dim + self._spread  # n‖x̄ − x*‖² at the start
        distances = np.zeros(int(wanted.max(initial=0)) + 1)
        for t in range(1, len(distances)):
            distance = self._spread * float(np.sum((1 - bias) ** 2)) + float(noise.sum()) + noise_mean + start
            added = self._noise(distance / n)
            bias = m * (kept * bias + 1 - kept)
            noise = m**2 * (kept**2 * noise + added)
            noise_mean, start = kept**2 * noise_mean + added, kept**2 * start
            distances[t] = (self._spread * float(bias @ bias) + float(noise.sum())) / n
        return distances[wanted]


def predict(
    topology: Topology, algorithm: Algorithm, objective: Objective, spectrum: Spectrum, rounds: Sequence[int]
) -> dict[str, Any]:
    """The predictions for a run, as values for `json.dump`; None where there is no prediction.

    Args:
        topology: the run's topology.
        algorithm: the run's algorithm.
        objective: the run's objective.
        spectrum: result of `topologies.spectrum`, for the gossip steps of a round.
        rounds: the rounds after which the run is evaluated, rising.

    Returns:
        `lambda_q` and `neighbours_q`, the contraction factor and the effective neighbours of a round's gossip;
        `eigenvalues` of W and the `multipliers` of gossip, without the mean's, falling, up to LARGEST peers of one
        symmetric W; `consensus_distance` and `error`, the steady state (after gossip), and `course`, {"round": …,
        "consensus_distance": …}, where the closed form for quadratics holds; `rate`, the bound of the algorithm's
        convergence theorem for the last round, up to constants.
    """
    gossip = algorithm.gossip_of_x()
    prediction: dict[str, Any] = dict.fromkeys(
        ("lambda_q", "neighbours_q", "eigenvalues", "multipliers", "consensus_distance", "error", "course", "rate")
    )
    if gossip is None:
        return prediction
    values, multipliers = _modes(topology, gossip)
    contraction = gossip.contraction_factor(topology, spectrum["lambda_q"])
    if topology.biased:
        contraction = None  # what peers come to agree on is no mean
    if values is not None:
        prediction["eigenvalues"] = values.tolist()
    if multipliers is not None:
        contraction = float(np.abs(multipliers).max())
        prediction["multipliers"] = multipliers.tolist()
        prediction["neighbours_q"] = from_eigenvalues(np.concatenate([[1.0], multipliers]))
        prediction |= _quadratics(multipliers, algorithm, objective, rounds)
    elif contraction is not None and gossip.num_steps(topology) == 1:
        prediction["neighbours_q"] = spectrum["effective_neighbours"]
    if contraction is not None:
        prediction["lambda_q"] = contraction
        if rounds[-1] and contraction < 1:
            prediction["rate"] = algorithm.convergence_rate(contraction, rounds[-1])
    return prediction


def _modes(topology: Topology, gossip: Gossip) -> tuple[NDArray[np.float64] | None, NDArray[np.float64] | None]:
    """Eigenvalues of one symmetric W and the multipliers of gossip, without the mean's, each (n − 1,) or None."""
    if topology.period != 1 or topology.directed or topology.sums != "both" or topology.n > LARGEST:
        return None, None
    W = topology.weights(0)
    values = eigenvalues(W)[1:]
    return values, gossip.multipliers(values, W)


def _quadratics(
    multipliers: NDArray[np.float64], algorithm: Algorithm, objective: Objective, rounds: Sequence[int]
) -> dict[str, Any]:
    """Steady state and course on quadratics; empty where the closed form does not hold."""
    sgd, quadratics = algorithm.local_sgd(), objective.quadratics()
    if sgd is None or quadratics is None or not 0 < sgd.lr < 2:
        return {}
    excess = sgd.estimator.excess_variance(quadratics.dim)
    distance = math.sqrt(quadratics.dim * (quadratics.heterogeneity**2 + quadratics.noise**2))
    if excess is None or sgd.rho > _SMALL_RHO * distance:
        return {}
    model = NoisyGossip(
        modes=multipliers, lr=sgd.lr, local_steps=sgd.steps, quadratics=quadratics, excess=float(excess)
    )
    consensus, error = model.steady_state()
    if not math.isfinite(consensus):
        return {}
    course = None
    if rounds[-1] <= LONGEST:
        course = {"round": list(rounds), "consensus_distance": model.course(rounds).tolist()}
    return {"consensus_distance": consensus, "error": error, "course": course}

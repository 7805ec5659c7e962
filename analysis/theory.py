"""What theory says of a run: the contraction of its gossip, its consensus distance on quadratics, DFedSAM's rate."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import eval_chebyt

MOST = 20_000  # rounds of a course
# E‖ĝ − g‖²/‖g‖² of one direction in d dimensions (Nesterov and Spokoiny, 2017, for Gaussian ones)
SPREAD = {"rademacher": lambda d: d - 1, "sphere": lambda d: d - 1, "gaussian": lambda d: d + 1}
PLAIN_STEPS = ("DPSGD", "DFedAvg", "DFedAvgM", "DFedSAM", "DFedSAMMG")  # K steps of SGD, then gossip


def multipliers(values: NDArray[np.float64], settings: Mapping[str, Any]) -> NDArray[np.float64] | None:
    """What a round's gossip multiplies the eigenvectors of a symmetric W with.

    Args:
        values: eigenvalues of W without the 1 of the mean, shape (k,).
        settings: of a run, in the form of `analysis.labels.settings`.

    Returns:
        P(λ_k), shape (k,): λ^Q for plain gossip, T_Q(y)/T_Q(y₁) for Chebyshev's; None for another, such as a compressed
        one.
    """
    steps = settings.get("algorithm.gossip.steps")
    kind = settings.get("algorithm.gossip")
    if not isinstance(steps, int) or kind not in ("Plain", "Chebyshev"):
        return None
    low, high = float(values.min()), float(values.max())
    if kind == "Plain":
        return values**steps
    if not settings.get("algorithm.gossip.shifted", True):
        high = max(abs(low), abs(high))
        low = -high
    if high - low < 1e-9:  # one eigenvalue but the mean's, as in the complete graph: the first step is exact
        return np.zeros_like(values)
    middle, half = (high + low) / 2, (high - low) / 2
    return eval_chebyt(steps, (values - middle) / half) / eval_chebyt(steps, (1 - middle) / half)


@dataclass(frozen=True, kw_only=True)
class Quadratics:
    """The consensus distance of K local steps and gossip on noisy quadratics, in the mean over optima and noise.

    f_i(x) = ½‖x − b_i‖² with b_i = c + heterogeneity · z_i, c and z_i standard normal, all peers starting at 0. With
    exact gradients and K = 1 the steady distance is that of `topologies.steady_consensus` in expectation; K steps are
    one of rate 1 − (1 − η)^K, and the noise of estimated gradients is `excess` · ‖g‖², in proportion to what is left
    of the gradient. SAM's ascent is left out: ρ must be small beside the distance between optima.

    Args:
        modes: what gossip multiplies each mode but the mean's with, shape (n − 1,).
        lr: η, in (0, 2).
        local_steps: K, at least 1.
        heterogeneity: spread of the optima a coordinate.
        noise: σ of a minibatch's gradient a coordinate.
        dim: d.
        excess: E‖ĝ − g‖²/‖g‖² of the estimator; 0 for exact gradients.
    """

    modes: NDArray[np.float64]
    lr: float
    local_steps: int = 1
    heterogeneity: float = 1.0
    noise: float = 0.0
    dim: int = 1
    excess: float = 0.0

    @property
    def _kept(self) -> float:
        return (1 - self.lr) ** self.local_steps

    def _noise(self, distance: float) -> float:
        """The noise that a round's local steps add to a peer: from E‖x_i − b_i‖² before them; linear in it."""
        sigma, added = self.noise**2 * self.dim * (1 + self.excess), 0.0
        for _ in range(self.local_steps):
            noise = sigma + self.excess * distance
            added = (1 - self.lr) ** 2 * added + self.lr**2 * noise
            distance = (1 - self.lr) ** 2 * distance + self.lr**2 * noise
        return added

    def steady(self) -> tuple[float, float]:
        """(Ξ², error) that a run comes to: after gossip, (1/n) Σ‖x_i − x̄‖² and E‖x̄ − x*‖²; infinite if it diverges."""
        n, kept, m = len(self.modes) + 1, self._kept, self.modes
        optima = self.heterogeneity**2 * self.dim
        bias = m * (1 - kept) / (1 - m * kept)
        growth = np.sum(m**2 / (1 - kept**2 * m**2))  # of noise, in all modes but the mean's
        own = 1 / (1 - kept**2)  # in the mean's
        fixed = self._noise(0.0)
        slope = self._noise(1.0) - fixed
        resting = optima * float(np.sum((1 - bias) ** 2)) / n  # E‖x_i − b_i‖² without noise
        short = 1 - slope * (growth + own) / n
        if short <= 0:
            return float("inf"), float("inf")
        noise = (fixed + slope * resting) / short
        return float((optima * np.sum(bias**2) + noise * growth) / n), float(noise * own / n)

    def course(self, rounds: ArrayLike) -> NDArray[np.float64]:
        """Ξ² after gossip at these rounds, whole numbers of 0 or more, up to MOST; shape as given."""
        wanted = np.asarray(rounds, dtype=int)
        n, kept, m = len(self.modes) + 1, self._kept, self.modes
        optima = self.heterogeneity**2 * self.dim
        bias, noise, own = np.zeros_like(m), np.zeros_like(m), 0.0
        away = n * self.dim * (1 + self.heterogeneity**2 / n)  # n‖x̄ − x*‖² of the start
        found = np.zeros(int(wanted.max(initial=0)) + 1)
        for t in range(1, len(found)):
            distance = optima * float(np.sum((1 - bias) ** 2)) + float(noise.sum()) + own + away
            added = self._noise(distance / n)
            bias = m * (kept * bias + 1 - kept)
            noise = m**2 * (kept**2 * noise + added)
            own, away = kept**2 * own + added, kept**2 * away
            found[t] = (optima * float(bias @ bias) + float(noise.sum())) / n
        return found[wanted]


def quadratics(modes: NDArray[np.float64] | None, settings: Mapping[str, Any]) -> Quadratics | None:
    """What a run's settings make of it; None where the closed form does not hold for them.

    It needs K plain steps and gossip by a polynomial of one symmetric W, a constant rate, no momentum and no weight
    decay, and quadratics of condition 1.
    """
    own = {key.removeprefix("algorithm."): value for key, value in settings.items()}
    curved = settings.get("objective") != "Quadratic" or settings.get("objective.condition", 1) != 1
    apart = own.get("momentum") or own.get("weight_decay") or own.get("lr_schedule", "constant") != "constant"
    lr, dim = own.get("lr"), settings.get("objective.dim")
    if modes is None or curved or apart or settings.get("algorithm") not in PLAIN_STEPS:
        return None
    if not isinstance(lr, float | int) or not isinstance(dim, int) or not 0 < lr < 2:
        return None
    excess = 0.0
    if own.get("estimator") in ("TwoPoint", "OneSided"):
        excess = SPREAD.get(str(own.get("estimator.distribution")), SPREAD["rademacher"])(dim)
        excess /= own.get("estimator.directions", 1)
    return Quadratics(
        modes=modes, lr=float(lr), local_steps=int(own.get("local_steps", 1)), dim=dim, excess=float(excess),
        heterogeneity=float(settings.get("objective.heterogeneity", 1)),
        noise=float(settings.get("objective.noise", 0)),
    )  # fmt: skip


def shape(modes: NDArray[np.float64] | None, settings: Mapping[str, Any]) -> float | None:
    """The closed form for optima one apart and no noise: what it says of other objectives, up to a factor.

    None where gossip is no polynomial of one symmetric W, or the settings have no rate below 2.
    """
    lr = settings.get("algorithm.lr")
    if modes is None or not isinstance(lr, float | int) or not 0 < lr < 2:
        return None
    steps = settings.get("algorithm.local_steps", 1)
    return Quadratics(modes=modes, lr=float(lr), local_steps=int(steps)).steady()[0]


def dfedsam_rate(contraction: ArrayLike, local_steps: ArrayLike, rounds: ArrayLike) -> NDArray[np.float64]:
    """1/√(KT) + 1/T + (λ^Q + 1)/(√K T^{3/2} (1 − λ^Q)²): how DFedSAM's squared gradient falls, up to constants.

    Args:
        contraction: λ^Q, the contraction of a round's gossip, in [0, 1).
        local_steps: K.
        rounds: T.

    Source: Shi et al. (2023), "Improving the model consistency of decentralized federated learning", theorem 1.
    """
    q, K, T = (np.asarray(value, dtype=np.float64) for value in (contraction, local_steps, rounds))
    return 1 / np.sqrt(K * T) + 1 / T + (q + 1) / (np.sqrt(K) * T**1.5 * (1 - q) ** 2)

"""The contract of gradient estimators, and the exact gradient as its simplest case."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import DTypeLike, NDArray

from dfedsam.context import Oracle
from dfedsam.errors import OptionError
from dfedsam.objectives.base import Problem
from dfedsam.options import Options
from dfedsam.random import RandomStream
from dfedsam.registry import public_name

MOST_QUERIES = 1_000_000  # of one kind in an estimate: more is a slip of the pen


@dataclass(frozen=True, kw_only=True)
class Estimator(Options, ABC):
    """Estimates each peer's gradient by querying its oracle.

    An estimator's state is a dataclass of arrays whose first axis is the peers, or None. It is part of the algorithm's
    state. Algorithms call the estimator itself, which also records the cosine; an estimator implements `estimate`.

    Attributes:
        releases_scalars: whether losses enter it only through `Oracle.slopes`, to which a mechanism may add noise.
        repeats_directions: whether two estimates of one purpose in one step use the same directions.
    """

    repeats_directions: ClassVar[bool] = True
    releases_scalars: ClassVar[bool] = False

    def check(self, problem: Problem) -> None:
        """Raise OptionError unless it can estimate this objective's gradients; called before anything is written."""
        if problem.categorical is not None:
            rule = "must not need directional derivatives, which discrete prompts do not have"
            raise OptionError("estimator", public_name(type(self)), rule, "choose policy_gradient")

    def at(self, step: int) -> Estimator:
        """The estimator of step t = 1, 2, … of an algorithm that counts them; the same in all by default."""
        return self

    @abstractmethod
    def queries(self, dim: int) -> int:
        """Queries of one peer for one estimate, for vectors of length dim."""

    def init(self, x: NDArray, problem: Problem) -> Any:
        """The state before the first estimate at x (peers, dim); None: it keeps nothing."""
        return None

    @abstractmethod
    def estimate(self, oracle: Oracle, x: NDArray, state: Any, purpose: str) -> tuple[NDArray, Any]:
        """Estimate the gradients of the oracle's p peers.

        Args:
            oracle: of these peers, in one local step.
            x: the models, shape (p, dim).
            state: the peers' state; the estimator owns its arrays and may overwrite them.
            purpose: names the random numbers: the same name draws the same ones.

        Returns:
            Estimates, shape (p, dim), and the state afterwards.
        """

    def __call__(self, oracle: Oracle, x: NDArray, state: Any, purpose: str) -> tuple[NDArray, Any]:
        """Call `estimate`, and record the cosines with the exact gradients if the run requests them."""
        g, state = self.estimate(oracle, x, state, purpose)
        record_cosines(oracle, x, g)
        return g, state

    def excess_variance(self, dim: int) -> float | None:
        """E‖ĝ − ∇‖²/‖∇‖² on a linear function of `dim` variables; None without a closed form."""
        return None

    @property
    def knows_gradient(self) -> bool:
        """Whether `known_gradient` is available."""
        return False

    def known_gradient(self, state: Any) -> NDArray | None:
        """The state's estimate of the gradient without a query, shape (p, dim); None if there is none."""
        return None

    @property
    def replayed_directions(self) -> int:
        """Number of directions, derived from the seed alone, that one estimate combines; 0 if it does not."""
        return 0

    @property
    def shares_directions(self) -> bool:
        """Whether all peers use the same directions."""
        return False

    def combination(self, oracle: Oracle, x: NDArray, purpose: str) -> tuple[NDArray, NDArray]:
        """An estimate at x (p, dim) in parts: coefficients (p, q) and `draw`'s directions (p, q, dim)."""
        raise NotImplementedError(f"{type(self).__name__} does not combine directions derived from the seed")

    def draw(self, stream: RandomStream, dim: int, dtype: DTypeLike) -> NDArray:
        """The directions that `combination` uses with these random numbers, shape (peers, q, dim)."""
        raise NotImplementedError(f"{type(self).__name__} does not combine directions derived from the seed")


def record_cosines(oracle: Oracle, x: NDArray, g: NDArray) -> None:
    """Record the cosines of estimates g (p, dim) at x (p, dim) with the exact gradients, if requested."""
    if oracle.cosines is not None:
        exact = oracle.problem.gradients(x, oracle.batch, oracle.rows)
        oracle.cosines.append((oracle.rows, cosines(g, exact)))


def cosines(a: NDArray, b: NDArray) -> NDArray[np.float64]:
    """Cosine between the rows of a and b, both (p, dim), shape (p,); 0 where a row is zero."""
    a, b = a.astype(np.float64), b.astype(np.float64)
    norms = np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1)
    return np.einsum("pd,pd->p", a, b) / np.where(norms > 0, norms, 1)


def perturb(x: NDArray, direction: NDArray, rho: float) -> NDArray:
    """SAM's step x + ρ v/‖v‖₂ (Foret et al., 2021, equation 2), row by row; a row whose v is zero stays.

    Args:
        x: models, shape (peers, dim).
        direction: v, the gradient or a substitute, shape (peers, dim); overwritten.
        rho: ρ ≥ 0, the length of the perturbation, in units of x.

    Returns:
        The perturbed models, shape (peers, dim), in the memory of `direction`.
    """
    norms = np.sqrt(np.einsum("pd,pd->p", direction, direction))
    direction *= (rho / np.where(norms > 0, norms, 1))[:, None].astype(direction.dtype)
    direction += x
    return direction


@dataclass(frozen=True, kw_only=True)
class Exact(Estimator):
    """The exact gradient of the minibatch: a white box, for first-order reference runs. Costs no queries."""

    def check(self, problem: Problem) -> None:
        super().check(problem)
        if not problem.has_gradients:
            rule = "must query losses, since this objective is a black box without gradients"
            raise OptionError("estimator", "exact", rule, "choose two_point")

    def queries(self, dim: int) -> int:
        return 0

    def estimate(self, oracle: Oracle, x: NDArray, state: Any, purpose: str) -> tuple[NDArray, Any]:
        return oracle.gradients(x), state

    def excess_variance(self, dim: int) -> float:
        return 0.0

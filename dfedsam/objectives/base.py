"""The interface of objectives: an Objective holds options, and builds a Problem for a block of peers."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np
from numpy.typing import DTypeLike, NDArray

from dfedsam.blackbox.base import Bill
from dfedsam.errors import OptionError
from dfedsam.objectives.categorical import Categorical
from dfedsam.options import Options
from dfedsam.peers import Peers
from dfedsam.random import RandomStream
from dfedsam.theory import Quadratics
from dfedsam.whole_files import write_tensors

Rows = slice | NDArray[np.intp]  # which of the block's peers: a slice, or their rising row numbers
ALL_ROWS = slice(None)


@dataclass(frozen=True)
class Solution:
    """The minimiser x (dim,), float64, of the mean of all peers' objectives, and that mean as a function of a model."""

    x: NDArray[np.float64]
    loss: Callable[[NDArray[np.float64]], float]


class Problem(ABC):
    """An objective with its data in memory, for one block of peers.

    Every method is a pure function of its arguments, and row i of a result depends only on row i of the arguments.

    Attributes:
        dim: length of a peer's vector.
        has_gradients: whether `gradients` is available.
        has_conjugates: whether `conjugate_gradients` is available.
        categorical: how a vector represents the distributions of discrete prompts; None: it does not.
        chunk_bytes: candidates are queried in chunks of about this size, so that they stay in the cache.
        queries_per_loss: number of queries counted for one loss of one candidate.
        num_scores: class scores of a candidate on a peer's minibatch, the same ones each time; 0: it gives losses only.
        gives_example_losses: whether `example_losses` and `example_indices` are available.
        has_budget: whether a budget may reject queries.
        budget_exhausted: the budget's message once it rejected a query; losses are then 0, and the round must be
            dropped.
    """

    dim: int
    has_gradients: bool = False
    has_conjugates: bool = False
    categorical: Categorical | None = None
    chunk_bytes: int = 1 << 20
    queries_per_loss: int = 1
    num_scores: int = 0
    gives_example_losses: bool = False
    has_budget: bool = False
    budget_exhausted: str | None = None

    @abstractmethod
    def start(self) -> NDArray:
        """The common start x⁰, shape (dim,)."""

    def preflight(self) -> None:  # noqa: B027  (most have nothing to check)
        """Ask what costs most memory, or one question of a service, before a run writes anything.

        Raises:
            ValueError: if it cannot be answered.
        """

    @abstractmethod
    def minibatch(self, stream: RandomStream, rows: Rows = ALL_ROWS) -> NDArray:
        """One minibatch per peer, shape (p, …): indices of examples, or noise, as read by `losses`.

        Args:
            stream: random numbers of the p peers.
            rows: their rows in the block.
        """

    @abstractmethod
    def losses(self, x: NDArray, batch: NDArray, rows: Rows = ALL_ROWS) -> NDArray:
        """Losses of q candidates per peer on its minibatch: the queries.

        Args:
            x: candidates, shape (p, q, dim).
            batch: these peers' minibatches, shape (p, …).
            rows: the p rows of these peers in the block.

        Returns:
            Losses, shape (p, q).
        """

    def example_losses(self, x: NDArray, batch: NDArray, rows: Rows = ALL_ROWS) -> NDArray:
        """One loss for each example: as `losses`, but shape (p, q, b), 0 for padding of a peer's minibatch.

        Raises:
            ValueError: if the objective has no examples, or its black box gives means only.
        """
        raise ValueError(f"{type(self).__name__} gives no losses by example")

    def example_indices(self, rows: Rows = ALL_ROWS) -> NDArray[np.int64]:
        """All training examples of each of these peers, padded with −1 to the most of any peer, shape (p, most)."""
        raise ValueError(f"{type(self).__name__} gives no losses by example")

    def scores(self, x: NDArray, batch: NDArray, rows: Rows = ALL_ROWS) -> NDArray:
        """The class scores behind the losses, if `num_scores` is above 0: as `losses`, but shape (p, q, num_scores).

        Raises:
            ValueError: if the objective gives losses only.
        """
        raise ValueError(f"{type(self).__name__} gives losses only; choose an estimator of losses, such as one_sided")

    def score_gradient(self, scores: NDArray, batch: NDArray, rows: Rows = ALL_ROWS) -> NDArray:
        """The gradient of the loss by the scores (p, num_scores) of one candidate a peer, of their shape: no query."""
        raise ValueError(f"{type(self).__name__} gives losses only; choose an estimator of losses, such as one_sided")

    def score_curvature(self, jacobian: NDArray, batch: NDArray) -> NDArray:
        """F with FᵀF = JᵀAJ for one peer: A bounds the Hessian by the scores of its loss without a weight. No query.

        Args:
            jacobian: J, of the scores, shape (num_scores, dim).
            batch: the peer's minibatch, shape (…).

        Returns:
            F, a new array of shape (m, dim), m the rank of A.
        """
        raise ValueError(f"{type(self).__name__} gives losses only; choose an estimator of losses, such as one_sided")

    def gradients(self, x: NDArray, batch: NDArray, rows: Rows = ALL_ROWS) -> NDArray:
        """Exact gradients (p, dim) at x (p, dim) on the minibatch: for first-order references, never a black box.

        Raises:
            ValueError: if the objective has none.
        """
        raise ValueError(f"{type(self).__name__} gives no gradients; choose a zeroth-order estimator such as two_point")

    def conjugate_gradients(
        self, y: NDArray, rows: Rows = ALL_ROWS, near: NDArray | None = None, stiffness: NDArray | float = 0.0
    ) -> NDArray:
        """Each peer's argmin_x f_i(x) + ½ c_i ‖x‖² − y_iᵀx, for dual methods and ADMM on a white box.

        Without c it is the point where the peer's gradient is y_i, the gradient of its conjugate.

        Args:
            y: shape (p, dim).
            rows: the rows of these p peers in the block.
            near: where an iterative method starts, shape (p, dim).
            stiffness: c, at least 0, shape (p, 1).

        Raises:
            ValueError: if the objective cannot tell (`has_conjugates`).
        """
        raise ValueError(f"{type(self).__name__} gives no gradients of its conjugate")

    def require_conjugates(self, algorithm: str) -> None:
        """Raise OptionError, naming the algorithm that minimises, unless `conjugate_gradients` is available."""
        if not self.has_conjugates:
            rule = "needs each peer's minimiser of f_i(x) − yᵀx, which this objective does not know"
            raise OptionError("algorithm", algorithm, rule, "choose quadratic, logistic_regression with l2, or nids")

    def full_gradients(self, x: NDArray) -> NDArray | None:
        """Each peer's exact gradient on all its data at one model (dim,), shape (peers, dim) or (1, dim) if all agree.

        For the record only; None: the objective has none.
        """
        return None

    @abstractmethod
    def evaluate(self, x: NDArray) -> dict[str, NDArray]:
        """Metrics of k models x (k, dim) on the whole problem, each of shape (k,), "loss" among them.

        Raises:
            BudgetExceeded: if the budget does not cover it.
        """

    def gives_metric(self, name: str) -> bool:
        """Whether the problem gives a further metric: "gradient_norm" (`full_gradients`) or "recall" (`recalls`)."""
        method = {"gradient_norm": "full_gradients", "recall": "recalls"}.get(name)
        return method is None or getattr(type(self), method) is not getattr(Problem, method)

    def recalls(self, x: NDArray) -> dict[str, float]:
        """The share of each class's held-out examples that a model (dim,) recognises; empty without classes."""
        return {}

    def validate(self, x: NDArray) -> dict[str, NDArray]:
        """As `evaluate`, but on the validation examples; empty if there are none.

        A search chooses by these metrics, so that it does not choose on the examples whose metrics are reported.
        """
        return {}

    def flip_labels(self, rows: NDArray[np.intp]) -> None:
        """Turn the class c of every training example of these rows of the block into C − 1 − c, as attackers do.

        Raises:
            OptionError: if the examples have no classes.
        """
        raise OptionError("adversary", "label_flip", "must have an objective with classes", "choose sign_flip")

    def project(self, x: NDArray) -> None:
        """Project x (p, dim) to the nearest valid models, in place; by default all are valid."""
        if self.categorical is not None:
            self.categorical.project(x)

    def sizes(self) -> NDArray[np.float64] | None:
        """Training examples of each peer of the block, shape (peers,); None without data."""
        return None

    def references(self) -> dict[str, float]:
        """Metrics that a run is compared with, such as the zero-shot accuracy; none by default."""
        return {}

    def rehearse(self) -> Bill | None:
        """Answer at once and at random from now on; None if the answers cost next to nothing, and stay true.

        Returns:
            What the model will have to read, with each query and evaluation.
        """
        return None

    def counts(self) -> dict[str, int]:
        """The cost of this process's queries, such as examples and tokens; empty by default."""
        return {}

    def save(self, mean: NDArray, path: Path) -> None:
        """Write the mean model (dim,) in a form that can be used elsewhere."""
        write_tensors(path, {"x": np.ascontiguousarray(mean)})


@dataclass(frozen=True, kw_only=True)
class Objective(Options, ABC):
    """The options of an objective: a frozen dataclass that builds a Problem.

    Attributes:
        holds_out: whether metrics are of examples that are held out from training.
        records: the metrics that `Problem.evaluate` gives.
    """

    holds_out: ClassVar[bool] = False
    records: ClassVar[tuple[str, ...]] = ("loss",)

    @property
    def is_remote(self) -> bool:
        """Whether queries go to a service, which may cost money."""
        return False

    @abstractmethod
    def build(self, peers: int, block: Peers, seed: int, dtype: DTypeLike) -> Problem:
        """Load or draw the data that the block's peers need.

        Args:
            peers: peers in the whole network.
            block: the peers of this process, in order.
            seed: the run's seed; the data and their split depend on it and not on the block.
            dtype: type of x, float32 or float64.

        Raises:
            ValueError: for any mistake in the options or the data, in one line.
        """

    @property
    def is_solvable(self) -> bool:
        """Whether `solve` is available."""
        return False

    def solve(self, peers: int, seed: int) -> Solution:
        """The optimum of the mean objective over all peers, known or computed, for the record only."""
        raise NotImplementedError(f"the optimum of {type(self).__name__} is not known")

    def quadratics(self) -> Quadratics | None:
        """The peers' objectives, if they are f_i(x) = ½‖x − b_i‖² and theory is exact; None otherwise."""
        return None

    def class_counts(self, peers: int, seed: int) -> tuple[tuple[str, ...], NDArray[np.int64]]:
        """How the training examples are split over all peers of the network.

        Returns:
            The classes' names, and each peer's number of examples of each, shape (peers, classes).

        Raises:
            ValueError: if the objective has no examples of classes.
        """
        raise ValueError(f"{type(self).__name__} has no examples of classes")

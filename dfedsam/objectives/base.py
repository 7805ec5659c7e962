"""What is minimised: an Objective holds the options, and the Problem it builds answers for a block of peers."""

from abc import ABC, abstractmethod
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

import numpy as np
from numpy.typing import DTypeLike, NDArray

from dfedsam.objectives.categorical import Categorical
from dfedsam.peers import Peers
from dfedsam.random import RandomStream
from dfedsam.theory import Quadratics

ALL_ROWS = slice(None)


class Problem(ABC):
    """An objective with its data in memory, for one block of peers.

    Every method is a pure function of its arguments, and row i of an answer depends on row i of the arguments alone.
    """

    dim: int
    has_gradients: bool = False
    categorical: Categorical | None = None
    """How a vector is distributions that discrete prompts are drawn from; None: it is none."""
    part_bytes: int = 1 << 20
    """Candidates are asked for in parts of a block of about this size, so that they stay in the cache."""
    queries_a_loss: int = 1
    """What one loss of one candidate counts for."""

    scored: int = 0
    """Class scores of a candidate on a peer's minibatch, the same ones each time; 0: it tells losses only."""

    @abstractmethod
    def start(self) -> NDArray:
        """The common start x⁰, shape (dim,)."""

    @abstractmethod
    def minibatch(self, draws: RandomStream, rows: slice = ALL_ROWS) -> NDArray:
        """One minibatch a peer, shape (p, …): numbers of examples, or noise; whatever `losses` reads.

        Args:
            draws: random numbers of the p peers.
            rows: which rows of the block they are.
        """

    @abstractmethod
    def losses(self, x: NDArray, batch: NDArray, rows: slice = ALL_ROWS) -> NDArray:
        """Losses of q candidates a peer on its minibatch: these are the queries.

        Args:
            x: candidates, shape (p, q, dim).
            batch: these peers' minibatches, shape (p, …).
            rows: which p rows of the block the peers are.

        Returns:
            Losses, shape (p, q).
        """

    def scores(self, x: NDArray, batch: NDArray, rows: slice = ALL_ROWS) -> NDArray:
        """What losses are made of, (p, q, scored) for candidates x (p, q, dim), where `scored` is above 0: queries too.

        Raises:
            ValueError: if the objective tells losses only.
        """
        raise ValueError(f"{type(self).__name__} tells losses only; choose an estimator of losses, such as one_sided")

    def score_slopes(self, scores: NDArray, batch: NDArray, rows: slice = ALL_ROWS) -> NDArray:
        """The gradient of the loss by the scores (p, scored) of one candidate a peer, of their shape: no query."""
        raise ValueError(f"{type(self).__name__} tells losses only; choose an estimator of losses, such as one_sided")

    def gradients(self, x: NDArray, batch: NDArray, rows: slice = ALL_ROWS) -> NDArray:
        """Exact gradients (p, dim) at x (p, dim) on the minibatch: for first-order references, never a black box.

        Raises:
            ValueError: if the objective has none.
        """
        raise ValueError(f"{type(self).__name__} gives no gradients; choose a zeroth-order estimator such as two_point")

    @abstractmethod
    def evaluate(self, x: NDArray) -> dict[str, NDArray]:
        """Figures of k models on the whole problem, each of shape (k,), "loss" among them. x has shape (k, dim)."""

    def project(self, x: NDArray) -> None:
        """Move x (p, dim) to the nearest points that stand for a model, in place; by default all do."""
        if self.categorical is not None:
            self.categorical.project(x)

    def sizes(self) -> NDArray[np.float64] | None:
        """Training examples of each peer of the block, shape (peers,); None: all have as many."""
        return None

    def references(self) -> dict[str, float]:
        """Figures that a run is set beside, such as the zero-shot accuracy; none by default."""
        return {}

    def counts(self) -> dict[str, int]:
        """Further meters of this process's queries, such as examples and tokens; none by default."""
        return {}

    def limits(self) -> dict[str, int]:
        """How far some of the meters in `counts` may go, summed over all processes; the run ends before; none here."""
        return {}

    def dry(self) -> AbstractContextManager[None]:
        """Inside, where there are limits, queries are only counted; afterwards the meters are as they were before."""
        return nullcontext()

    def save(self, mean: NDArray, path: Path) -> None:
        """Write the mean model (dim,) in a form that can be used elsewhere."""
        from safetensors.numpy import save_file

        save_file({"x": np.ascontiguousarray(mean)}, path)


class Objective(ABC):
    """The options of an objective: a frozen dataclass that builds a Problem."""

    @abstractmethod
    def build(self, peers: int, block: Peers, seed: int, dtype: DTypeLike) -> Problem:
        """Load or draw the data and keep what the block's peers need.

        Args:
            peers: peers in the whole network.
            block: the peers that this process plays, rising.
            seed: the run's seed; the data and their split depend on it and not on the block.
            dtype: type of x, float32 or float64.

        Raises:
            ValueError: for every mistake in the options or the data, in one line.
        """

    def quadratics(self) -> Quadratics | None:
        """The peers' objectives, where they are f_i(x) = ½‖x − b_i‖² and theory is exact; None otherwise."""
        return None

    def class_counts(self, peers: int, seed: int) -> tuple[tuple[str, ...], NDArray[np.int64]]:
        """How the training examples are dealt: the classes' names, and each peer's examples of each (peers, classes).

        Raises:
            ValueError: if the objective deals no examples of classes.
        """
        raise ValueError(f"{type(self).__name__} deals no examples of classes, so there is no split to show")

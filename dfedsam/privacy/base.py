"""The interface of privacy mechanisms: what is released with noise, and how much privacy that costs."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from dfedsam.errors import OptionError, options_within
from dfedsam.options import Options, one_of, option, positive
from dfedsam.privacy.accounting import Accountant, epsilon, noise_for
from dfedsam.registry import public_name

if TYPE_CHECKING:
    from scipy.sparse import csr_array

    from dfedsam.algorithms import Algorithm
    from dfedsam.communication.base import Communicator
    from dfedsam.gossip.channel import MessageNoise
    from dfedsam.objectives.base import Problem, Rows
    from dfedsam.random import RandomStream
    from dfedsam.topologies import Topology


@dataclass(frozen=True, kw_only=True)
class Privacy(Options, ABC):
    """Differential privacy by noise. It covers what peers release in training, not the metrics of the recorder.

    Args:
        epsilon: the budget ε of the whole run, above 0. It determines the noise, unless that is given, and ends the run
            before the round that would exceed it. None: no budget.
        delta: δ, in (0, 1).
        clip: C, the bound on what one example, or one peer's update, contributes, above 0.
        noise: σ, the noise's standard deviation (Laplace: its scale) over the sensitivity, above 0; None: the least for
            the budget and the run's rounds.
        accountant: "rdp", our own, or "pld", tighter, by dp-accounting.

    Attributes:
        releases: what gets noise: "scalars", differences of losses, or "messages", whole rows.
        protects: whose data neighbouring data sets differ by, in words.
        pairwise: whether `spent_at` says what a peer learns that sees only some of what is released.
    """

    releases: ClassVar[Literal["scalars", "messages"]]
    protects: ClassVar[str]
    pairwise: ClassVar[bool] = False

    epsilon: float | None = option(None, positive)
    delta: float = 1e-5
    clip: float = option(1.0, positive)
    noise: float | None = option(None, positive)
    accountant: Accountant = option("rdp", one_of, get_args(Accountant))

    def __post_init__(self) -> None:
        super().__post_init__()
        if positive("delta", self.delta) >= 1:
            raise OptionError("delta", self.delta, "must be below 1", "usually below 1 over the number of examples")
        if self.epsilon is None and self.noise is None:
            raise OptionError("epsilon", None, "must be given, or else the noise", "set epsilon, such as 3")

    @property
    def sigma(self) -> float:
        """σ, once it is known."""
        assert self.noise is not None
        return self.noise

    def for_run(self, topology: Topology, algorithm: Algorithm, rounds: int) -> Privacy:
        """This mechanism with the noise that its budget needs for so many rounds.

        Raises:
            OptionError: if the releases of the algorithm cannot be counted.
        """
        self.check(topology, algorithm)
        if self.noise is not None or self.epsilon is None:
            return self

        def spent(sigma: float) -> float:
            return replace(self, noise=sigma).spent(topology, algorithm, max(1, rounds))

        with options_within("privacy"):
            return replace(self, noise=noise_for(self.epsilon, spent))

    def check(self, topology: Topology, algorithm: Algorithm) -> None:
        """Raise OptionError unless this mechanism covers all that the algorithm releases."""
        if algorithm.estimates() is None:
            rule = f"must consist of plain local steps and gossip for the privacy mechanism {public_name(self)}"
            raise OptionError("algorithm", public_name(algorithm), rule, "choose dpsgd, dfedavg or dfedsam")
        gossip = algorithm.gossip_of_x()
        if gossip is not None and gossip.queries:
            rule = "must not choose rows by a peer's own losses, to which no noise is added"
            raise OptionError("algorithm.gossip", public_name(gossip), rule, "choose plain, flood or clipped")

    def check_problem(self, problem: Problem) -> None:
        """Raise OptionError unless the problem gives what the mechanism needs; called before anything is written."""
        return

    @abstractmethod
    def spent(self, topology: Topology, algorithm: Algorithm, rounds: int) -> float:
        """ε at δ after so many rounds, against an observer of everything that is released."""

    def spent_by_peer(self, topology: Topology, algorithm: Algorithm, rounds: int) -> NDArray[np.float64]:
        """`spent` of each peer's data, shape (n,), of which it is the largest."""
        return np.full(topology.n, self.spent(topology, algorithm, rounds))

    def spent_at(self, releases: float) -> float:
        """ε at δ towards a peer whose Rényi divergence is that of so many releases to an observer of everything."""
        raise NotImplementedError(f"{public_name(self)} has no pairwise losses")

    @abstractmethod
    def describe(self, algorithm: Algorithm) -> str:
        """What is released and what is assumed, in a sentence for the ledger."""


@dataclass(frozen=True, kw_only=True)
class ScalarPrivacy(Privacy):
    """Noise on differences of losses: one number of noise a direction, whatever the length of x.

    Per example the differences along q directions are clipped to [−C, C] each and summed, with noise of σ C √q
    (Laplace: σ C q), and divided by the expected number of examples, which is public. All that follows, gossip
    included, works with these numbers alone. Source: Tang et al. (2024), "Private fine-tuning of large language models
    with zeroth-order optimization" (DP-ZO); Zhang et al. (2024), "DPZero". Costs no query, but needs one loss per
    example.

    Args:
        sampling: "poisson" (each example by itself is in a minibatch with probability `rate`; the objective's own
            minibatches are not used), or "fixed" (the objective's minibatches: the accountant then takes each example
            to be in all, and data sets are neighbours if one example counts for nothing in one of them).
        rate: of "poisson", above 0 and at most 1: all examples.
    """

    releases = "scalars"
    protects = "one example of one peer"

    sampling: Literal["poisson", "fixed"] = option("poisson", one_of, ("poisson", "fixed"))
    rate: float = 1.0

    def __post_init__(self) -> None:
        super().__post_init__()
        if positive("rate", self.rate) > 1:
            raise OptionError("rate", self.rate, "must be at most 1")

    @property
    def sampled(self) -> float:
        """The probability that an example is in a release, as the accountant takes it."""
        return self.rate if self.sampling == "poisson" else 1.0

    def check(self, topology: Topology, algorithm: Algorithm) -> None:
        super().check(topology, algorithm)
        estimator = getattr(algorithm, "estimator", None)
        if estimator is None or not estimator.releases_scalars:
            rule = f"must use differences of losses, which the privacy mechanism {public_name(self)} adds noise to"
            raise OptionError("algorithm.estimator", public_name(estimator), rule, "choose two_point or one_sided")

    def check_problem(self, problem: Problem) -> None:
        if not problem.gives_example_losses:
            rule = "must have an objective with one loss per example: a mean is not clipped example by example"
            raise OptionError("privacy", public_name(self), rule, "choose a black box that gives scores")

    def minibatch(self, problem: Problem, stream: RandomStream, rows: Rows) -> NDArray[np.int64]:
        """The examples of some peers in a local step, shape (p, b), padded with −1."""
        if self.sampling == "fixed":
            return problem.minibatch(stream, rows)
        examples = problem.example_indices(rows)
        if self.rate < 1:
            drawn = replace(stream, purpose="privacy: minibatch").uniform(examples.shape[1:]) < self.rate
            examples = np.where(drawn, examples, -1)
            order = np.argsort(examples < 0, axis=1, kind="stable")[:, : max(1, int((examples >= 0).sum(axis=1).max()))]
            examples = np.take_along_axis(examples, order, axis=1)
        return examples

    def release(self, slopes: NDArray, batch: NDArray, problem: Problem, rows: Rows, stream: RandomStream) -> NDArray:
        """The noisy means (p, q) of each example's slopes (p, q, b) on minibatches (p, b)."""
        present = (batch >= 0).astype(np.float64)
        if self.sampling == "fixed":  # an example that was drawn twice counts once
            present /= (batch[:, :, None] == batch[:, None]).sum(axis=2)
            counts = (batch >= 0).sum(axis=1)
        else:
            sizes = problem.sizes()
            assert sizes is not None  # there are examples
            counts = self.rate * sizes[rows]
        total = clipped_sum(slopes, present, self.clip)
        return (total + self.clip * self.draw(stream, slopes.shape[1])) / np.maximum(counts, 1)[:, None]

    @abstractmethod
    def draw(self, stream: RandomStream, count: int) -> NDArray[np.float64]:
        """Noise for `count` sums of sensitivity 1 each, shape (p, count)."""

    def describe(self, algorithm: Algorithm) -> str:
        steps, estimates = algorithm.estimates() or (0, 0)
        sampled = "all examples" if self.sampled == 1 else f"Poisson samples of rate {self.rate:g}"
        if self.sampling == "fixed":
            sampled = "fixed minibatches, without amplification"
        each = f"{steps} local step{'s' * (steps != 1)} a round, {estimates} estimate{'s' * (estimates != 1)} each"
        return f"differences of losses, on {sampled}; {each}"


def clipped_sum(slopes: NDArray, present: NDArray[np.float64], clip: float) -> NDArray[np.float64]:
    """Σ over examples of clipped slopes (p, q, b), weighted by `present` (p, b), shape (p, q).

    Added one by one, so that padding changes no bit. One example more or less moves each sum by at most `clip`.
    """
    contributions = np.clip(np.nan_to_num(slopes.astype(np.float64)), -clip, clip) * present[:, None]
    return np.cumsum(contributions, axis=2)[:, :, -1]


@dataclass(frozen=True, kw_only=True)
class MessagePrivacy(Privacy):
    """Noise on the peers' rows before they are gossiped: x_i ← x_i⁰ + clip(x_i − x_i⁰, C) + noise.

    x_i⁰ is the round's start. The local update of a round is clipped to length C, so that replacing all of a peer's
    data moves its row by at most 2C. What neighbours and later rounds do with the noisy rows costs no more privacy.
    """

    releases = "messages"
    protects = "all data of one peer"

    def check(self, topology: Topology, algorithm: Algorithm) -> None:
        super().check(topology, algorithm)
        gossip = algorithm.gossip_of_x()
        if gossip is None or gossip.sends_coefficients or not gossip.is_exact:
            rule = f"must send rows of x, to which the privacy mechanism {public_name(self)} adds noise"
            name = "none" if gossip is None else public_name(gossip)
            raise OptionError("algorithm.gossip", name, rule, "choose plain")

    def protect(
        self, x: NDArray, start: NDArray, W: csr_array, communicator: Communicator, stream: RandomStream
    ) -> MessageNoise | None:
        """Clip the updates of the block's rows x (peers, d) since `start`, and add noise, in place.

        Returns:
            The noise of each message, as `Channel.noise`; None where `x` has all of it.
        """
        update = x - start
        norms = np.sqrt(np.einsum("pd,pd->p", update, update, dtype=np.float64))
        factor = np.minimum(1, self.clip / np.maximum(norms, np.finfo(np.float64).tiny))
        np.multiply(update, factor[:, None].astype(x.dtype), out=update)
        np.add(start, update, out=x)
        return self.add_noise(x, W, communicator, stream)

    @abstractmethod
    def leaks(self, topology: Topology) -> NDArray[np.float64]:
        """σ² over that of the independent noise that would hide each peer's row as well in one round, shape (n,)."""

    def count_releases(self, rounds: int) -> int:
        """How many releases of sensitivity 2C tell as much as those of so many rounds."""
        return rounds

    def spent(self, topology: Topology, algorithm: Algorithm, rounds: int) -> float:
        return self._spent(float(self.leaks(topology).max()), rounds)

    def spent_by_peer(self, topology: Topology, algorithm: Algorithm, rounds: int) -> NDArray[np.float64]:
        return np.array([self._spent(leak, rounds) for leak in self.leaks(topology).tolist()])

    def _spent(self, leak: float, rounds: int) -> float:
        sigma = self.sigma / leak**0.5 / 2
        return epsilon("gaussian", sigma, self.count_releases(rounds), self.delta, accountant=self.accountant)

    @abstractmethod
    def add_noise(
        self, x: NDArray, W: csr_array, communicator: Communicator, stream: RandomStream
    ) -> MessageNoise | None:
        """Add noise to the block's rows x (peers, d) in place, or return that of each message, as `protect` does."""

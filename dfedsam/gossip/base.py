"""The interface of gossip: how the peers' rows mix along the edges of W_t in one phase."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Generic, Literal, TypeVar, cast

import numpy as np
from numpy.typing import NDArray

from dfedsam.errors import OptionError
from dfedsam.options import Options, option, whole_number
from dfedsam.registry import public_name
from dfedsam.topologies import spectrum_ends

if TYPE_CHECKING:
    from scipy.sparse import csr_array

    from dfedsam.gossip.channel import Channel
    from dfedsam.topologies import Topology

S = TypeVar("S", bound="GossipState")
Needs = Literal["rows", "columns", "symmetric", "links"]


@dataclass
class GossipState:
    """A gossip's state between rounds: arrays whose first axis is the block's peers. This one is empty."""


@dataclass(frozen=True, kw_only=True)
class Gossip(Options, ABC, Generic[S]):
    """One gossip phase. Class attributes declare its requirements on W, which `check` enforces, and its guarantees.

    Attributes:
        needs: what W_t must be: its "rows", or its "columns", sum to one; one "symmetric" matrix for all rounds, with
            rows that sum to one; the same "links" in all rounds, whatever their weights.
        instead: alternative if W does not fit, for the message.
        is_exact: whether whole rows are sent, so that x becomes P(W) x up to rounding.
        keeps_mean: whether the mean of the peers' rows is preserved if rows and columns of W_t sum to one.
        needs_increments: whether x must be the last phase's result plus the peers' increments since.
        admits_attackers: whether an adversary can forge what it sends.
        sends_coefficients: whether it sends the coefficients of local steps in place of x: `channel.update` has them.
        queries: whether it queries losses of what peers receive: `channel.losses`.
    """

    needs: ClassVar[Needs] = "rows"
    instead: ClassVar[str] = "choose the gossip plain"
    is_exact: ClassVar[bool] = True
    keeps_mean: ClassVar[bool] = True
    needs_increments: ClassVar[bool] = False
    sends_coefficients: ClassVar[bool] = False
    queries: ClassVar[bool] = False
    admits_attackers: ClassVar[bool] = False

    def check(self, topology: Topology) -> None:
        """Check that W_t is what this gossip needs; called before round 0.

        Raises:
            OptionError: if it is not; the hint names an alternative.
        """
        name = public_name(type(self))
        if self.needs == "symmetric":
            require_static_symmetric("gossip", name, topology, self.instead)
        elif self.needs == "links" and topology.period != 1:
            rule = "must have the same links in all rounds, but this topology's change"
            raise OptionError("gossip", name, rule, self.instead)
        elif self.needs != "links" and topology.sums not in ("both", self.needs):
            rule = (
                f"must have weights whose {self.needs} sum to one, but only the {topology.sums} of this topology's do"
            )
            raise OptionError("gossip", name, rule, self.instead)

    def check_dim(self, dim: int) -> None:
        """Raise OptionError unless rows of length `dim` can be exchanged; called before anything is written."""

    def note(self, topology: Topology) -> str | None:
        """A note for the user on this gossip and topology, printed once at the start of a run; None: no note."""
        return None

    def note_attackers(self, topology: Topology, attackers: NDArray[np.bool_]) -> str | None:
        """A note for the user if these attackers, a mask (n,), are more than this gossip tolerates; None: no note."""
        return None

    @property
    def needs_shared_directions(self) -> bool:
        """Whether all peers must estimate along the same directions."""
        return False

    def init(self, x: NDArray) -> S:
        """The state before round 0, for the block's common start x, shape (peers, dim); empty unless overridden."""
        return cast(S, GossipState())

    @abstractmethod
    def __call__(self, x: NDArray, state: S, channel: Channel) -> tuple[NDArray, S]:
        """Mix the rows of x (peers, dim) along the edges of W_t, and return x and the new state.

        It owns x and the state, and may overwrite both.
        """

    def difference(self, x: NDArray, state: S, channel: Channel) -> tuple[NDArray[np.float64], S]:
        """The increment of the rows of x (peers, dim) in this phase, in float64, and the new state.

        A gossip that is a polynomial in W computes it by `Channel.difference`, so that it vanishes if peers agree,
        whatever the type of x. For any other gossip it is the mixed x minus x, with the rounding of both.
        """
        mixed, state = self(x.copy(), state, channel)
        return np.subtract(mixed, x, dtype=np.float64), state

    def metrics(self, state: S) -> dict[str, float]:
        """Numbers to include in a run's metrics, such as a tuned step size; the same on every rank."""
        return {}

    def num_steps(self, topology: Topology) -> int:
        """Q, the gossip steps of one phase on this topology: the number of messages along every edge."""
        return 1

    def multipliers(self, eigenvalues: NDArray, W: csr_array) -> NDArray | None:
        """The factors by which one phase multiplies the eigenvectors of a symmetric W: the eigenvalues of P_Q(W).

        Apart from the first eigenvalue, 1, the modulus of the multiplier must be largest at λ₂ or at λ_min.

        Args:
            eigenvalues: any eigenvalues of W, shape (k,).
            W: symmetric, shape (n, n).

        Returns:
            Shape (k,); None if the phase is not a polynomial in W.
        """
        return None

    def spectral_contraction(self, W: csr_array) -> float | None:
        """‖P_Q(W) − J‖₂ for a symmetric W, from the multipliers of λ_min and λ₂; None if there are none."""
        multipliers = self.multipliers(np.array(spectrum_ends(W)), W)
        return None if multipliers is None else float(np.abs(multipliers).max())

    def smallest_multiplier(self, W: csr_array) -> float | None:
        """A lower bound of the eigenvalues of P_Q(W) for a symmetric W; None where none is known."""
        contraction = self.spectral_contraction(W)
        return None if contraction is None else -contraction

    def contraction_factor(self, topology: Topology, plain: float | None) -> float | None:
        """λ_Q: the factor by which one phase contracts the peers' distance from their mean, at least.

        Args:
            topology: the run's topology.
            plain: λ_Q of as many steps of plain gossip on it, if it exists.

        Returns:
            ‖P_Q(W) − J‖₂ for one symmetric W; None where no such number exists.
        """
        if topology.period != 1 or topology.directed or topology.sums != "both":
            return None
        return self.spectral_contraction(topology.weights(0))

    def mixing_summary(self, topology: Topology, plain: float | None) -> dict[str, Any]:
        """The mixing of one phase on the topology, as values for `json.dump`.

        Args:
            topology: the run's topology.
            plain: as in `contraction_factor`.

        Returns:
            `name`, `steps` (Q), `lambda_q` and `plain`; the last two are None where no such number exists.
        """
        lambda_q = self.contraction_factor(topology, plain)
        return {
            "name": public_name(type(self)),
            "steps": self.num_steps(topology),
            "lambda_q": lambda_q,
            "plain": plain,
        }


@dataclass(frozen=True, kw_only=True)
class MultiStepGossip(Gossip[S]):
    """A gossip with a given number of steps.

    Args:
        steps: Q, gossip steps per round, at least 1.
    """

    steps: int = option(1, whole_number, 1, "local_only is the algorithm without communication")

    def num_steps(self, topology: Topology) -> int:
        return self.steps


def require_static_symmetric(option: str, name: str, topology: Topology, instead: str) -> None:
    """Raise OptionError unless W is symmetric and the same in all rounds.

    Args:
        option: the option that needs it, such as "gossip" or "algorithm".
        name: its value.
        topology: the run's topology.
        instead: an alternative for any W whose rows and columns sum to one, as a hint: "choose …".
    """
    rule = "must have one symmetric W for all rounds, but "
    if topology.sums != "both":
        rule += f"only the {topology.sums} of this topology's W sum to one"
        instead = "choose undirected links with the weights metropolis, or dpsgd or dfedsam with the gossip push_sum"
    elif topology.period != 1:
        rule += "this topology's changes from round to round"
    elif topology.directed:
        rule += "this topology is directed"
        instead += ", or undirected links"
    else:
        return
    raise OptionError(option, name, rule, instead)

"""The interface of algorithms: hyper-parameters, a state of arrays with a row for each peer, and one round."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from numpy.typing import NDArray

from dfedsam.context import RoundContext
from dfedsam.errors import OptionError, options_within
from dfedsam.gossip import Gossip
from dfedsam.gossip.base import require_static_symmetric
from dfedsam.objectives.base import Problem
from dfedsam.options import Options
from dfedsam.registry import public_name
from dfedsam.theory import LocalSGD
from dfedsam.topologies import Topology

if TYPE_CHECKING:
    from dfedsam.blackbox.base import Bill

_ROUNDS_AHEAD = 64  # checked for absent peers before a run; a later absence ends it
GossipKind = Literal["compressed", "push_sum", "biased"]


@dataclass(kw_only=True)
class State:
    """The state of a block's peers between rounds; each algorithm has its own subclass.

    Its fields are arrays whose first axis is the peers, and states of gossip and estimator; None marks
    unused ones. `Algorithm.init` determines the set of arrays, which never changes.

    Args:
        x: the peers' models, shape (peers, dim).
    """

    x: NDArray


@dataclass(frozen=True, kw_only=True)
class Algorithm(Options, ABC):
    """An algorithm reaches other peers only through gossip, or, as a baseline, through a server.

    Attributes:
        wakes: how peers meet if the algorithm is asynchronous (`dfedsam.clock.AsynchronousTime`); None: in rounds.
        uses_server: whether it is a baseline with a central server, `context.server`.
        replayable: whether its rounds are plain local steps, whose coefficients a gossip may send in place of x.
        adds_gradient_steps: whether peers change the result of the last gossip phase only by steps along estimated
            gradients, not by mixing terms or searches; push-sum amplifies such changes.
        mixes: the vector that enters the gossip of x, in words; `consensus_distance_before_gossip` is measured on it.
        covered_gossip: kinds of gossip, besides polynomials in W, that theory covers.
        refused_gossip: kinds with which it diverges; a kind that is neither covered nor refused gets a note.
        needs_symmetric: whether W must be symmetric and the same in all rounds.
        irregular: whether rounds send different numbers of messages on one W, as where a coin decides.
        needs_all_peers: whether all peers must take part in every round.
        instead: the algorithm to choose instead, for the messages.
    """

    uses_server: ClassVar[bool] = False
    wakes: ClassVar[Literal["mailboxes", "pairs", "fragments"] | None] = None
    irregular: ClassVar[bool] = False
    replayable: ClassVar[bool] = False
    adds_gradient_steps: ClassVar[bool] = True
    mixes: ClassVar[str] = "x after the round's steps"
    covered_gossip: ClassVar[frozenset[GossipKind]] = frozenset()
    refused_gossip: ClassVar[frozenset[GossipKind]] = frozenset()
    needs_symmetric: ClassVar[bool] = False
    needs_all_peers: ClassVar[bool] = False
    instead: ClassVar[str] = "gradient_tracking"

    def gossip_of_x(self) -> Gossip | None:
        """The gossip that mixes the peers' x: the option `gossip`; None if there is none."""
        return getattr(self, "gossip", None)

    def check(self, topology: Topology) -> None:
        """Raise OptionError unless this algorithm works on the topology; called before round 0."""
        gossip, me = self.gossip_of_x(), public_name(self)
        if self.needs_symmetric:
            require_static_symmetric("algorithm", me, topology, f"choose {self.instead}")
        absent = (t for t in range(_ROUNDS_AHEAD) if topology.participants(t) is not None)
        if self.needs_all_peers and (t := next(absent, None)) is not None:
            rule = f"must have all peers in every round, which its server needs, but some are absent in round {t}"
            raise OptionError("algorithm", me, rule, f"choose a topology without absences, or {self.instead}")
        if gossip is None:
            return
        with options_within("algorithm"):
            gossip.check(topology)
        name = public_name(gossip)
        if gossip.queries and self.estimates() is None:
            rule = f"must not query losses of what {me} sends, which is not x alone"
            raise OptionError("algorithm.gossip", name, rule, "choose dpsgd, dfedavg or dfedsam")
        if gossip.sends_coefficients and not self.replayable:
            rule = f"must consist of plain local steps for the gossip {name}, which replays them"
            raise OptionError("algorithm", me, rule, "choose dpsgd, dfedavg or dfedsam")
        if gossip.needs_increments and not self.adds_gradient_steps and topology.sums != "both":
            rule = f"must add only gradient steps for the gossip {name}, which magnifies them"
            raise OptionError("algorithm", me, rule, "choose dpsgd, dfedsam or gradient_tracking")
        if _kind(gossip) in self.refused_gossip:
            what = "send uncompressed rows" if gossip.keeps_mean else "keep the peers' mean"
            instead = "lead" if gossip.keeps_mean else "gradient_tracking"
            rule = f"must {what} for the algorithm {me}, which adds up the errors of this one"
            raise OptionError("algorithm.gossip", name, rule, f"choose the gossip plain, or the algorithm {instead}")

    def for_rounds(self, rounds: int) -> Algorithm:
        """This algorithm, with the options that follow the run's number of rounds filled in."""
        return self

    def check_problem(self, problem: Problem) -> None:
        """Raise OptionError unless this algorithm can minimise the problem; called before anything is written."""
        gossip = self.gossip_of_x()
        if gossip is not None:
            with options_within("algorithm.gossip"):
                gossip.check_dim(problem.dim)

    def state_size(self, dim: int) -> int:
        """Numbers that a peer's state has at least, for x of length `dim`: what may not fit is refused beforehand."""
        return dim

    def queries_per_waking(self, problem: Problem) -> float:
        """Queries that a peer of an asynchronous algorithm asks between two wakings."""
        return 0.0

    def sends(self, topology: Topology) -> tuple[int, int]:
        """Fragments that a peer of an asynchronous algorithm cuts its row into, and the neighbours each is sent to."""
        return 1, 1

    def note(self, topology: Topology) -> str | None:
        """A note for the user on this algorithm and topology, printed once at the start of a run; None: no note."""
        gossip = self.gossip_of_x()
        if gossip is None:
            return None
        kind = _kind(gossip)
        notes = [gossip.note(topology)]
        if kind in ("push_sum", "compressed") and kind not in self.covered_gossip:
            notes.append(f"theory does not cover {public_name(self)} with the gossip {public_name(gossip)}")
        return "; ".join(filter(None, notes)) or None

    def estimates(self) -> tuple[int, int] | None:
        """The local steps of a round, each on a minibatch of its own, and the estimates in each; None: not counted.

        A privacy mechanism needs them, and that peers release nothing else before they gossip x.
        """
        return None

    def local_sgd(self) -> LocalSGD | None:
        """The number of local steps if a round is plain SGD at a constant rate followed by gossip; None otherwise."""
        return None

    def convergence_rate(self, contraction: float, rounds: int) -> float | None:
        """The rate of the algorithm's theorem after so many rounds, up to constants; None if there is no theorem.

        `contraction` is λ_Q, the contraction factor of a round's gossip, in [0, 1).
        """
        return None

    @property
    def has_budget(self) -> bool:
        """Whether a budget may end what it asks besides queries, as that of an editor."""
        return False

    def rehearsed(self, bill: Bill) -> Algorithm:
        """This algorithm for a rehearsal: it asks no service, and adds to `bill` what it would have asked."""
        return self

    def peer_counts(self, state: Any) -> dict[str, NDArray]:
        """What each peer of the block has used so far besides queries, each (peers,); their means are recorded."""
        return {}

    def metrics(self, state: Any) -> dict[str, float]:
        """Numbers of the state to include in a run's metrics; the same on every rank."""
        gossip = self.gossip_of_x()
        return {} if gossip is None else gossip.metrics(state.gossip)

    @abstractmethod
    def init(self, x: NDArray, problem: Problem) -> Any:
        """The state before round 0; it owns x (peers, dim), the common initial point in a row for each peer."""

    @abstractmethod
    def round(self, state: Any, context: RoundContext) -> Any:
        """The state after one more round; the arrays of `state` may be overwritten.

        `context` has this round's oracles, random numbers and edges.
        """


def _kind(gossip: Gossip) -> GossipKind | None:
    """Its kind; None for polynomials in W."""
    if gossip.needs_increments:
        return "push_sum"
    return "biased" if not gossip.keeps_mean else None if gossip.is_exact else "compressed"

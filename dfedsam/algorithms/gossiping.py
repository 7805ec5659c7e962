"""Local steps, then one exchange phase with the neighbours: the frame of DFedAvg, DFedSAM and D-PSGD."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from dfedsam.algorithms.base import State
from dfedsam.algorithms.exchanges import Exchanges
from dfedsam.algorithms.local_steps import LocalSteps
from dfedsam.context import RoundContext
from dfedsam.gossip import Gossip, Plain
from dfedsam.gossip.channel import LocalUpdate
from dfedsam.objectives.base import Problem
from dfedsam.topologies import Topology
from dfedsam.zeroth_order import RandomDirections


@dataclass(frozen=True, kw_only=True)
class GossipingLocalSteps(LocalSteps, Exchanges):
    """K local steps of every peer, then gossip.

    Args:
        gossip: the exchange phase.
    """

    gossip: Gossip = Plain()  # as in Exchanges: the command line reads the types of a first base alone

    def check(self, topology: Topology) -> None:
        """Whether its gossip works on the topology, and with these local steps."""
        self.gossip.check(topology)
        if self.gossip.sends_coefficients:
            self._check_replayable()

    def init(self, x: NDArray, problem: Problem) -> State:
        """The state before round 0, gossip's memory included."""
        return {**super().init(x, problem), "gossip": self.gossip.init(x)}

    def round(self, state: State, context: RoundContext) -> State:
        """K local steps, then x ← gossip(x)."""
        if self.gossip.sends_coefficients:
            context = replace(context, trace=self._trace(state["x"], context))
        return self.exchange(self.local_phase(state, context), context)

    def exchange(self, state: State, context: RoundContext) -> State:
        """x ← gossip(x)."""
        channel = context.channel(state["x"], context.trace)
        state["x"], state["gossip"] = self.gossip(state["x"], state["gossip"], channel)
        return state

    def _check_replayable(self) -> None:
        """Raise ValueError unless local steps are sums of scalars times directions that the seed gives."""
        name = type(self.gossip).__name__
        if not isinstance(self.estimator, RandomDirections):
            raise ValueError(
                f"estimator is {type(self.estimator).__name__}: the gossip {name} sends the scalars of random "
                "directions, and it has none; choose two_point or one_sided"
            )
        if self.estimator.control_variate:
            raise ValueError(
                f"estimator.control_variate is true: the gossip {name} replays steps along the seed's directions "
                "alone; leave it false"
            )
        for option in ("momentum", "weight_decay"):
            if getattr(self, option):
                raise ValueError(
                    f"{option} is {getattr(self, option)}: the gossip {name} replays plain steps along random "
                    "directions; leave it at 0"
                )
        if type(self).round is not GossipingLocalSteps.round:
            raise ValueError(
                f"algorithm is {type(self).__name__}: the gossip {name} replays plain local steps; choose DPSGD, "
                "DFedAvg or DFedSAM"
            )

    def _trace(self, x: NDArray, context: RoundContext) -> LocalUpdate:
        """An empty trace of a round that begins at x, shape (peers, dim)."""
        estimator, steps = self.estimator, self.local_steps
        assert isinstance(estimator, RandomDirections)  # as `check` has made sure

        def directions(round: int, peers: range) -> NDArray:
            like = np.empty((len(peers), x.shape[1]), x.dtype)
            keys = (replace(context.key, purpose="descent", round=round, step=k, peers=peers) for k in range(steps))
            return np.concatenate([estimator.draw(like, key) for key in keys], axis=1)

        return LocalUpdate(x.copy(), np.zeros((len(x), steps * estimator.directions), x.dtype), directions)

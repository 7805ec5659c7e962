"""FedBPT without a server: peers search by CMA-ES and gossip their distributions."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dfedsam.algorithms.cma_search import LocalCMASearch, SearchState
from dfedsam.context import RoundContext
from dfedsam.errors import OptionError
from dfedsam.gossip import Gossip, Plain
from dfedsam.objectives.base import Problem
from dfedsam.registry import public_name
from dfedsam.topologies import Topology
from dfedsam.zeroth_order import cma


@dataclass(kw_only=True)
class GossipCMAESState(SearchState):
    """The states of the gossip of means and of the gossip of step sizes and covariances."""

    gossip: Any
    gossip_shape: Any


@dataclass(frozen=True, kw_only=True)
class GossipCMAES(LocalCMASearch):
    """I generations of CMA-ES at every peer, then means, step sizes and covariances are averaged along the graph.

    Peers are not ranked. Step sizes and the entries of diagonal covariances are sent as logarithms, so that they stay
    positive under any gossip; of a full covariance the upper triangle is sent unchanged, so that gossip must be an
    average of the peers' rows. Evolution paths are not sent. A round
    costs I λ queries, and each gossip step sends d + 1 + d (d + 1)/2 numbers along every edge in both directions, or
    2 d + 1 with a diagonal covariance.

    Args:
        gossip: the gossip phase of both.
    """

    adds_gradient_steps = False

    gossip: Gossip = Plain()

    def check(self, topology: Topology) -> None:
        super().check(topology)
        if self.covariance == "full" and (not self.gossip.is_exact or self.gossip.needs_increments):
            rule = (
                f"must be diagonal for the gossip {public_name(self.gossip)}, which is no average of the peers' "
                "covariances and can make a full one indefinite"
            )
            raise OptionError("algorithm.covariance", "full", rule, "choose covariance diagonal, or the gossip plain")

    def init(self, x: NDArray, problem: Problem) -> GossipCMAESState:
        search = cma.start(x, self.sigma, self.covariance)
        shape = self._packed(search)
        return GossipCMAESState(x=x, search=search, gossip=self.gossip.init(x), gossip_shape=self.gossip.init(shape))

    def round(self, state: GossipCMAESState, context: RoundContext) -> GossipCMAESState:
        x, search, _ = self.local_phase(state.x, state.search, context)
        state.x, state.gossip = self.gossip(x, state.gossip, context.channel(x))
        shape, state.gossip_shape = self.gossip(self._packed(search), state.gossip_shape, context.channel())
        state.search = self._unpacked(search, shape)
        return state

    def _packed(self, search: cma.Search) -> NDArray:
        """The parts of the distributions that are sent, shape (peers, 1 + entries)."""
        if self.covariance == "diagonal":
            entries = np.log(search.covariance)
        else:
            entries = search.covariance[(slice(None), *np.triu_indices(search.covariance.shape[1]))]
        return np.ascontiguousarray(np.concatenate([np.log(search.sigma)[:, None], entries], axis=1))

    def _unpacked(self, search: cma.Search, shape: NDArray) -> cma.Search:
        search = replace(search, sigma=np.exp(shape[:, 0]))
        if self.covariance == "diagonal":
            return replace(search, covariance=np.exp(shape[:, 1:]))
        covariance = search.covariance
        above, right = np.triu_indices(covariance.shape[1])
        covariance[:, above, right] = covariance[:, right, above] = shape[:, 1:]
        interval = self.parameters(covariance.shape[1], self.population).eigen_interval
        return cma.decomposed(search, search.generation % interval < self.generations)

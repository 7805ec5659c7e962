"""FedBPT without a server: peers search by CMA-ES and gossip their distributions."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dfedsam.algorithms.base import State
from dfedsam.algorithms.evolution import LocalEvolution
from dfedsam.algorithms.exchanges import Exchanges
from dfedsam.context import RoundContext
from dfedsam.objectives.base import Problem
from dfedsam.zeroth_order import cma


@dataclass(frozen=True, kw_only=True)
class GossipCMAES(Exchanges, LocalEvolution):
    """I generations of CMA-ES at every peer, then means, step sizes and covariances are averaged along the graph.

    Nobody ranks the peers. Step sizes and the entries of diagonal covariances travel as logarithms, so that any gossip
    leaves them above 0; of a full covariance its upper triangle travels as it is. Paths stay with their peers. A round
    costs I λ queries, and each gossip step sends d + 1 + d (d + 1)/2 numbers along every edge in both directions, or
    2 d + 1 with a diagonal covariance.
    """

    def init(self, x: NDArray, problem: Problem) -> State:
        """The search, and both gossips' memory."""
        state = super().init(x, problem)
        shape = self._packed(state["search"])
        return state | {"gossip": self.gossip.init(x), "gossip_shape": self.gossip.init(shape)}

    def round(self, state: State, context: RoundContext) -> State:
        """The generations, then means and shapes are mixed."""
        x, search, _ = self.local_phase(state["x"], state["search"], context)
        x = self.mix(state, context, x)
        shape = self.mix(state, context, self._packed(search), "gossip_shape")
        return state | {"x": x, "search": self._unpacked(search, shape)}

    def _packed(self, search: cma.Shape) -> NDArray:
        """What travels of the shapes, shape (peers, 1 + entries)."""
        covariance = search["covariance"]
        if self.covariance == "diagonal":
            entries = np.log(covariance)
        else:
            entries = covariance[(slice(None), *np.triu_indices(covariance.shape[1]))]
        packed = np.concatenate([np.log(search["sigma"])[:, None], entries], axis=1)
        return np.ascontiguousarray(packed)

    def _unpacked(self, search: cma.Shape, shape: NDArray) -> cma.Shape:
        search = search | {"sigma": np.exp(shape[:, 0])}
        if self.covariance == "diagonal":
            return search | {"covariance": np.exp(shape[:, 1:])}
        covariance = search["covariance"]
        above, right = np.triu_indices(covariance.shape[1])
        covariance[:, above, right] = covariance[:, right, above] = shape[:, 1:]
        lazy = self.rates(covariance.shape[1], self.population).lazy
        return cma.decomposed(search, search["generation"] % lazy < self.generations)

"""BBT: black-box tuning by CMA-ES, on the pooled data, or locally with means that a server averages."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from dfedsam.algorithms.cma_search import CMASearch, LocalCMASearch, SearchState, broadcast
from dfedsam.context import RoundContext
from dfedsam.state import rows_of
from dfedsam.zeroth_order import cma


@dataclass(frozen=True, kw_only=True)
class BBT(CMASearch):
    """CMA-ES on one machine with all data: a round is one generation, and a loss is the mean of all peers' losses.

    Source: Sun et al. (2022), "Black-box tuning for language-model-as-a-service", with peers of equal weight however
    many examples they have, as for gossip. On one machine nothing is sent; distributed over peers, candidates follow
    from the seed, so that a round costs λ queries, and λ losses up and λ mean losses down for each peer.
    """

    uses_server = True
    needs_all_peers = True

    def round(self, state: SearchState, context: RoundContext) -> SearchState:
        assert context.server is not None
        x, one = state.x, rows_of(state, slice(0, 1))
        common = replace(context.stream, purpose="candidates", peers=range(1))  # the same numbers for every peer
        candidates = cma.ask(one.x, one.search, common.normal((self.population, x.shape[1]), x.dtype))
        losses = np.empty((len(x), self.population), x.dtype)
        for rows, chunk in context.chunks(self.population, x[0].nbytes):
            losses[rows] = chunk.oracle(0).losses(np.repeat(candidates, rows.stop - rows.start, axis=0))
        context.server.before_gossip(x)
        means = context.server.collect(losses, reply=self.population).mean(axis=0)
        broadcast(state, *self.tell_server(state, candidates[0], means))
        return state


@dataclass(frozen=True, kw_only=True)
class FedAvgBBT(LocalCMASearch):
    """FedAvg of BBT: I generations of CMA-ES at every peer, then all take the mean of their means.

    Source: the baseline of that name of Sun et al. (2024), "FedBPT: efficient federated black-box prompt tuning for
    large language models". A peer keeps its own step size, covariance and paths. A round costs I λ queries, and one
    vector up and one down for each peer.
    """

    public_name = "fedavg_bbt"
    uses_server = True

    def round(self, state: SearchState, context: RoundContext) -> SearchState:
        assert context.server is not None
        state.x, state.search, _ = self.local_phase(state.x, state.search, context)
        state.x[:] = context.server.mean(state.x)
        return state

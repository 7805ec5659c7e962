"""BBT: black-box tuning by CMA-ES, on the pooled data, or locally with means that a server averages."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from dfedsam.algorithms.base import State
from dfedsam.algorithms.baselines import Averaged
from dfedsam.algorithms.evolution import LocalEvolution, SharedEvolution
from dfedsam.context import RoundContext, Server
from dfedsam.zeroth_order import cma


@dataclass(frozen=True, kw_only=True)
class BBT(SharedEvolution):
    """CMA-ES as one machine with all data runs it: a round is a generation, a loss the mean of all peers' losses.

    Source: Sun et al. (2022), "Black-box tuning for language-model-as-a-service", with peers of equal weight however
    many examples they have, as for gossip. On one machine nothing travels; played by peers, a candidate follows from
    the seed, so that a round costs λ queries, and λ losses up and λ mean losses down a peer.
    """

    def answer(self, state: State, context: RoundContext) -> State:
        """Every peer's losses of the same candidates."""
        x = state["x"]
        common = replace(context.key, purpose="candidates", peers=range(1))  # the same numbers for every peer
        normal = common.normal((self.population, x.shape[1]), x.dtype)
        candidates = cma.ask(x[:1], cma.first(state["search"]), normal)
        losses = np.empty((len(x), self.population), x.dtype)
        for rows, part in context.parts(self.population, x[0].nbytes):
            oracle = part.oracle(0)
            losses[rows] = oracle.losses(np.repeat(candidates, rows.stop - rows.start, axis=0))
        return state | {"candidates": candidates, "losses": losses}

    def serve(self, state: State, server: Server) -> State:
        """Tell the search the mean losses."""
        server.watch(state["x"])
        losses = server.collect(state.pop("losses"), reply=self.population).mean(axis=0)
        return self.share(state, *self.tell(state["x"], state["search"], state.pop("candidates")[0], losses))


@dataclass(frozen=True, kw_only=True)
class FedAvgBBT(LocalEvolution, Averaged):
    """FedAvg of BBT: I generations of CMA-ES at every peer, then all take the mean of their means.

    Source: the baseline of that name of Sun et al. (2024), "FedBPT: efficient federated black-box prompt tuning for
    large language models". A peer keeps its own step size, covariance and paths. A round costs I λ queries, and one
    vector up and one down a peer.
    """

    def round(self, state: State, context: RoundContext) -> State:
        """The generations."""
        state["x"], state["search"], _ = self.local_phase(state["x"], state["search"], context)
        return state

"""CMA-ES with a server: on the pooled data, or at every peer, with means that the server averages or ranks."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

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


@dataclass(frozen=True, kw_only=True)
class FedBPT(LocalCMASearch):
    """I generations of every peer from the server's distribution; the server then ranks the n means by their losses.

    To the server the means z_k are the candidates of one generation. They moved further than its step size suggests, so
    it uses σ' = 2 √(Σ_k Σ_j σ_kj² / (|S| λ)) over the better half S of the peers, whose step sizes in
    generation j were σ_kj; σ of the next round is that of this one times the factor by which the generation changes σ'.
    The objective's option perturb is the paper's r_p. Source: Sun et al. (2024), "FedBPT: efficient federated black-box
    prompt tuning for large language models" (arXiv:2310.01467), algorithm 1.

    A round costs I λ + 1 queries (twice that with perturb); d + 1 + I numbers up for each peer, and d + 1 and the
    covariance down: its d (d + 1)/2 different entries, or the d of a diagonal one.

    The authors' code differs: it takes all peers into S and counts all of them in the mean; its σ' is √2 times smaller
    (1 in place of 2, and λ/2 in place of λ); and it divides the sum of a peer's losses on its texts by that on the
    perturbed ones, not each example's. Its searches are pycma's, which clips candidates that it did not draw itself,
    such as the peers' means, to a Mahalanobis distance of √d + 2d/(d + 2), and takes min(1, λ/6) of the tutorial's c₁
    and about twice its c_μ.
    """

    public_name = "fedbpt"
    uses_server = True
    needs_all_peers = True

    def round(self, state: SearchState, context: RoundContext) -> SearchState:
        assert context.server is not None
        means, _, sigmas = self.local_phase(state.x, cma.without_paths(state.search), context)
        dim, losses = means.shape[1], np.empty((len(means), 1), means.dtype)
        for rows, chunk in context.chunks(1, means[0].nbytes):
            losses[rows] = chunk.oracle(self.generations).losses(means[rows, None])
        context.server.before_gossip(means)
        down = dim + 1 + (dim if self.covariance == "diagonal" else dim * (dim + 1) // 2)
        sent = context.server.collect(np.concatenate([means, losses, sigmas], axis=1), reply=down)
        means, ranks, sigmas = sent[:, :dim], sent[:, dim], sent[:, dim + 1 :]
        corrected, sigma = self.corrected_sigma(sigmas, ranks).astype(means.dtype), state.search.sigma[0].copy()
        told = replace(state, search=replace(state.search, sigma=np.full_like(state.search.sigma, corrected)))
        mean, search = self.tell_server(told, means, ranks)
        search.sigma *= sigma / corrected
        broadcast(state, mean, search)
        return state

    def corrected_sigma(self, sigmas: NDArray, losses: NDArray) -> NDArray:
        """σ' from the step sizes (n, I) and losses (n,) of all peers; a scalar."""
        best = np.argsort(losses, kind="stable")[: max(1, len(losses) // 2)]
        squares = np.square(sigmas[best].astype(np.float64)).sum()
        return 2 * np.sqrt(squares / (len(best) * self.population))

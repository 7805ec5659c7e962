"""FedBPT: CMA-ES at every peer, and CMA-ES by a server on the resulting means."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from dfedsam.algorithms.cma_search import LocalCMASearch, SearchState, broadcast
from dfedsam.context import RoundContext
from dfedsam.zeroth_order import cma


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

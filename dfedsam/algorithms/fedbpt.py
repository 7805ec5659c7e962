"""FedBPT: CMA-ES at every peer, and CMA-ES of a server on what they found."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dfedsam.algorithms.base import State
from dfedsam.algorithms.evolution import LocalEvolution, SharedEvolution
from dfedsam.context import RoundContext, Server
from dfedsam.zeroth_order import cma


@dataclass(frozen=True, kw_only=True)
class FedBPT(LocalEvolution, SharedEvolution):
    """I generations of every peer from the server's distribution; the server then ranks the n means by their losses.

    To the server the means z_k are the candidates of one generation. They went further than its step size says, so it
    is told them with σ' = 2 √(Σ_k Σ_j σ_kj² / (|S| λ)) over the better half S of the peers, whose step sizes in
    generation j were σ_kj; and σ of the next round is that of this one times what the generation makes of σ'. The
    objective's option perturb is the paper's r_p. Source: Sun et al. (2024), "FedBPT: efficient federated black-box
    prompt tuning for large language models" (arXiv:2310.01467), algorithm 1.

    A round costs I λ + 1 queries (twice that with perturb); d + 1 + I numbers up a peer, and d + 1 and the covariance
    down: its d (d + 1)/2 different entries, or the d of a diagonal one.

    The authors' code differs: it takes all peers into S and counts all of them in the mean; its σ' is √2 times smaller
    (1 in place of 2, and λ/2 in place of λ); and it divides the sum of a peer's losses on its texts by that on the
    perturbed ones, not each example's.
    """

    def answer(self, state: State, context: RoundContext) -> State:
        """Generations from the server's distribution with paths of length 0, and the loss of the mean they end at."""
        means, _, sigmas = self.local_phase(state["x"], cma.fresh(state["search"]), context)
        losses = np.empty((len(means), 1), means.dtype)
        for rows, part in context.parts(1, means[0].nbytes):
            losses[rows] = part.oracle(self.generations).losses(means[rows, None])
        return state | {"found": np.concatenate([means, losses, sigmas], axis=1)}

    def serve(self, state: State, server: Server) -> State:
        """One generation of the server's own search."""
        x, search, found = state["x"], state["search"], state.pop("found")
        dim = x.shape[1]
        server.watch(found[:, :dim])
        down = dim + 1 + (dim if self.covariance == "diagonal" else dim * (dim + 1) // 2)
        found = server.collect(found, reply=down)
        means, losses, sigmas = found[:, :dim], found[:, dim], found[:, dim + 1 :]
        corrected = self.corrected(sigmas, losses).astype(x.dtype)
        mean, shape = self.tell(x, search | {"sigma": corrected[None]}, means, losses)
        shape["sigma"] *= search["sigma"][0] / corrected
        return self.share(state, mean, shape)

    def corrected(self, sigmas: NDArray, losses: NDArray) -> NDArray:
        """σ' from the step sizes (n, I) and losses (n,) of all peers; a scalar."""
        best = np.argsort(losses, kind="stable")[: max(1, len(losses) // 2)]
        squares = np.square(sigmas[best].astype(np.float64)).sum()
        return 2 * np.sqrt(squares / (len(best) * self.population))

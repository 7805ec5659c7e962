"""Search by CMA-ES instead of gradient estimates: BBT, FedAvg-BBT and FedBPT, which need a server, and by gossip."""

from __future__ import annotations

import copy
from dataclasses import dataclass, replace
from typing import Any, get_args

import numpy as np
from numpy.typing import NDArray

from dfedsam.algorithms.base import Algorithm, State
from dfedsam.context import RoundContext
from dfedsam.errors import OptionError
from dfedsam.gossip import Gossip, Plain
from dfedsam.objectives.base import Problem
from dfedsam.options import one_of, option, positive, whole_number
from dfedsam.registry import public_name
from dfedsam.state import rows_of, set_rows
from dfedsam.topologies import Topology
from dfedsam.zeroth_order import cma


@dataclass(kw_only=True)
class SearchState(State):
    """`search`: each peer's distribution around its mean, which is x."""

    search: cma.Search


@dataclass(frozen=True, kw_only=True)
class CMASearch(Algorithm):
    """Shared options of searches by CMA-ES (Hansen, 2016): x is the mean of a normal distribution that adapts.

    Args:
        population: λ, candidates per generation, at least 4.
        sigma: σ₁, the step size of the first generation, in units of x, above 0.
        covariance: "full" (peers hold d² numbers, so for d up to some hundred) or "diagonal" (sep-CMA-ES of Ros and
            Hansen, 2008, which learns the scales of the coordinates alone, (d + 2)/3 times as fast).
    """

    instead = "fedavg_bbt"

    population: int = option(20, whole_number, 4, "the mean moves to the better half of them")
    sigma: float = option(1.0, positive)
    covariance: cma.Covariance = option("full", one_of, get_args(cma.Covariance))

    def init(self, x: NDArray, problem: Problem) -> SearchState:
        return SearchState(x=x, search=cma.start(x, self.sigma, self.covariance))

    def state_size(self, dim: int) -> int:
        return 2 * dim * dim if self.covariance == "full" else super().state_size(dim)

    def metrics(self, state: SearchState) -> dict[str, float]:
        return {"sigma": float(state.search.sigma[0])} if self.needs_all_peers else super().metrics(state)

    def parameters(self, dim: int, population: int) -> cma.CMAParameters:
        """The constants of CMA-ES for vectors of length `dim` and `population` candidates."""
        return cma.parameters(dim, population, diagonal=self.covariance == "diagonal")

    def tell_server(self, state: SearchState, candidates: NDArray, losses: NDArray) -> tuple[NDArray, cma.Search]:
        """One generation of a search of which all peers hold a copy; returns its new mean (1, dim) and distribution.

        The first row of `state` represents all; the candidates have shape (λ, dim), their losses (λ,).
        """
        one, constants = rows_of(state, slice(0, 1)), self.parameters(state.x.shape[1], len(losses))
        return cma.tell(one.x, one.search, candidates[None], losses[None], constants)


@dataclass(frozen=True, kw_only=True)
class LocalCMASearch(CMASearch):
    """Shared by algorithms whose peers search on their own minibatches.

    Args:
        population: λ, candidates per generation, at least 4.
        generations: I, generations in a round, at least 1.
    """

    population: int = 5
    generations: int = option(8, whole_number, 1)

    def local_phase(self, x: NDArray, search: cma.Search, context: RoundContext) -> tuple[NDArray, cma.Search, NDArray]:
        """Every peer's generations of one round, from means x (peers, dim) and the distributions around them.

        Returns:
            New means and distributions, and σ at the start of each generation, shape (peers, I).
        """
        x, search = x.copy(), copy.deepcopy(search)
        sigmas, dim = np.empty((len(x), self.generations), x.dtype), x.shape[1]
        constants = self.parameters(dim, self.population)
        for rows, chunk in context.chunks(self.population, x[0].nbytes):
            mean, local = x[rows], rows_of(search, rows)
            for step in range(self.generations):
                sigmas[rows, step] = local.sigma
                oracle = chunk.oracle(step)
                normal = oracle.random("candidates").normal((self.population, dim), mean.dtype)
                candidates = cma.ask(mean, local, normal)
                mean, local = cma.tell(mean, local, candidates, oracle.losses(candidates), constants)
            x[rows] = mean
            set_rows(search, rows, local)
        return x, search, sigmas


def broadcast(state: SearchState, mean: NDArray, search: cma.Search) -> None:
    """Give every peer the server's search, whose arrays have one row, in place."""
    state.x[:] = mean
    set_rows(state.search, slice(None), search)


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
        search = replace(state.search, sigma=np.full_like(state.search.sigma, corrected))
        mean, search = self.tell_server(replace(state, search=search), means, ranks)
        search.sigma *= sigma / corrected
        broadcast(state, mean, search)
        return state

    def corrected_sigma(self, sigmas: NDArray, losses: NDArray) -> NDArray:
        """σ' from the step sizes (n, I) and losses (n,) of all peers; a scalar."""
        best = np.argsort(losses, kind="stable")[: max(1, len(losses) // 2)]
        squares = np.square(sigmas[best].astype(np.float64)).sum()
        return 2 * np.sqrt(squares / (len(best) * self.population))


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

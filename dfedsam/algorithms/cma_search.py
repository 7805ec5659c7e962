"""Search by CMA-ES instead of gradient estimates: the shared parts of BBT, FedBPT and related algorithms."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import get_args

import numpy as np
from numpy.typing import NDArray

from dfedsam.algorithms.base import Algorithm, State
from dfedsam.context import RoundContext
from dfedsam.objectives.base import Problem
from dfedsam.options import option
from dfedsam.state import rows_of, set_rows
from dfedsam.validation import one_of, positive, whole_number
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
        """σ, if the peers share one search."""
        return {"sigma": float(state.search.sigma[0])} if self.needs_all_peers else super().metrics(state)

    def parameters(self, dim: int, population: int) -> cma.CMAParameters:
        """The constants of CMA-ES for vectors of length `dim` and `population` candidates."""
        return cma.parameters(dim, population, diagonal=self.covariance == "diagonal")

    def tell_server(self, state: SearchState, candidates: NDArray, losses: NDArray) -> tuple[NDArray, cma.Search]:
        """One generation of a search of which all peers hold a copy; returns its new mean (1, dim) and distribution.

        Args:
            state: the state; its first row represents all.
            candidates: shape (λ, dim).
            losses: losses of the candidates, shape (λ,).
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
        """Execute every peer's generations of one round.

        Args:
            x: means, shape (peers, dim).
            search: the distributions around them.
            context: the round's context.

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

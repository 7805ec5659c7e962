"""CMA-ES instead of gradient estimates: what BBT, FedBPT and their kin share."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dfedsam.algorithms.base import Algorithm, ServerAlgorithm, State
from dfedsam.context import Oracle, RoundContext
from dfedsam.objectives.base import Problem
from dfedsam.topologies import Topology
from dfedsam.validation import one_of, positive, whole_number
from dfedsam.zeroth_order import cma
from dfedsam.zeroth_order.cma_rates import Rates, rates

_LOOK_AHEAD = 64  # rounds


@dataclass(frozen=True, kw_only=True)
class Evolution(Algorithm):
    """A search by CMA-ES (Hansen, 2016): x is the mean of a normal distribution that adapts to how candidates rank.

    Args:
        population: λ, candidates a generation, at least 4.
        sigma: σ₁, the step size of the first generation, in units of x, above 0.
        covariance: "full" (peers hold d² numbers, so for d up to some hundred) or "diagonal" (sep-CMA-ES of Ros and
            Hansen, 2008, which learns the scales of the coordinates alone, (d + 2)/3 times as fast).
    """

    population: int = 20
    sigma: float = 1.0
    covariance: cma.Covariance = "full"

    def __post_init__(self) -> None:
        whole_number("population", self.population, 4, "half of the candidates are followed")
        positive("sigma", self.sigma)
        one_of("covariance", self.covariance, cma.COVARIANCES)

    def init(self, x: NDArray, problem: Problem) -> State:
        """x, and the shapes of the peers' distributions around it."""
        return {"x": x, "search": cma.start(x, self.sigma, self.covariance)}

    def rates(self, dim: int, population: int) -> Rates:
        """The constants for vectors of this length and so many candidates."""
        return rates(dim, population, diagonal=self.covariance == "diagonal")


@dataclass(frozen=True, kw_only=True)
class LocalEvolution(Evolution):
    """Generations of every peer on its own minibatches.

    Args:
        population: λ, candidates a generation, at least 4.
        generations: I, generations a round, at least 1.
    """

    population: int = 5
    generations: int = 8

    def __post_init__(self) -> None:
        super().__post_init__()
        whole_number("generations", self.generations, 1)

    def local_phase(self, x: NDArray, search: cma.Shape, context: RoundContext) -> tuple[NDArray, cma.Shape, NDArray]:
        """The generations of a round: x (peers, dim) and the shapes afterwards, and σ of each generation (peers, I)."""
        x, search = x.copy(), {name: array.copy() for name, array in search.items()}
        sigmas = np.empty((len(x), self.generations), x.dtype)
        for rows, part in context.parts(self.population, x[0].nbytes):
            mean, shape = x[rows], {name: array[rows] for name, array in search.items()}
            for step in range(self.generations):
                sigmas[rows, step] = shape["sigma"]
                mean, shape = self._generation(part.oracle(step), mean, shape)
            x[rows] = mean
            for name, array in shape.items():
                search[name][rows] = array
        return x, search, sigmas

    def _generation(self, oracle: Oracle, mean: NDArray, shape: cma.Shape) -> tuple[NDArray, cma.Shape]:
        dim = mean.shape[1]
        candidates = cma.ask(mean, shape, oracle.draws("candidates").normal((self.population, dim), mean.dtype))
        return cma.tell(mean, shape, candidates, oracle.losses(candidates), self.rates(dim, self.population))


@dataclass(frozen=True, kw_only=True)
class SharedEvolution(Evolution, ServerAlgorithm):
    """One search, a server's, of which every peer holds a copy between rounds."""

    def check(self, topology: Topology) -> None:
        """Whether all peers are there in each of the first rounds; a later absence ends the run."""
        for t in range(_LOOK_AHEAD):
            self._all_there(topology.participants(t), t)

    def figures(self, state: State) -> dict[str, float]:
        """σ."""
        return {"sigma": float(state["search"]["sigma"][0])}

    def round(self, state: State, context: RoundContext) -> State:
        """The peers' part."""
        self._all_there(context.active, context.round)
        return self.answer(state, context)

    @abstractmethod
    def answer(self, state: State, context: RoundContext) -> State:
        """What the peers do with their copies, and what they then have for the server."""

    def tell(self, x: NDArray, search: cma.Shape, candidates: NDArray, losses: NDArray) -> tuple[NDArray, cma.Shape]:
        """The search of the first row after a generation of candidates (λ, dim) with losses (λ,); it has one row."""
        constants = self.rates(x.shape[1], len(losses))
        return cma.tell(x[:1], cma.first(search), candidates[None], losses[None], constants)

    def share(self, state: State, mean: NDArray, shape: cma.Shape) -> State:
        """Every peer gets the search, whose arrays have one row."""
        state["x"][:] = mean
        for name, array in shape.items():
            state["search"][name][:] = array
        return state

    def _all_there(self, active: NDArray[np.bool_] | None, round: int) -> None:
        if active is not None:
            raise ValueError(
                f"algorithm is {type(self).__name__}: its server needs all peers in every round, but some are away in "
                f"round {round}; choose a topology without absences, or FedAvgBBT"
            )

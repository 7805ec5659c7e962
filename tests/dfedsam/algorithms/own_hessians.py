"""Quadratics with another Hessian for each peer, and the rounds of an algorithm on them without a run."""

from dataclasses import dataclass

import numpy as np

from dfedsam import Exact, Objective, make
from dfedsam.communication import SingleProcess
from dfedsam.context import QueryCounter, RoundContext
from dfedsam.objectives.base import ALL_ROWS, Problem
from dfedsam.random import RandomStream

LR, N, DIM = 0.1, 8, 3
RING = make("ring", N).weights(0)
W = RING.toarray()
EXACT = {"estimator": Exact(), "lr": LR}


def play(algorithm, rounds, *, objective=None, weights=RING, dtype="float64", seen=lambda state: None):
    """x after so many rounds, without a run's evaluation."""
    objective = objective or OwnHessians()
    peers = weights.shape[0]
    communicator, counter = SingleProcess(peers), QueryCounter.zero(peers)
    problem = objective.build(peers, range(peers), 0, np.dtype(dtype))
    state = algorithm.init(np.tile(problem.start().astype(dtype), (peers, 1)), problem)
    for t in range(rounds):
        stream = RandomStream(0, "", t, 0, communicator.block)
        context = RoundContext(t, problem, stream, counter, communicator, weights, lambda _: None, ALL_ROWS)
        state = algorithm.round(state, context)
        seen(state)
    return state.x


@dataclass(frozen=True)
class OwnHessians(Objective):
    """Quadratics with another full Hessian for each peer, so that the optimum is not the mean of the peers' optima."""

    def build(self, peers, block, seed, dtype):
        rng = np.random.default_rng(seed)
        factors = rng.standard_normal((peers, DIM, DIM))
        hessians = factors @ factors.swapaxes(1, 2) / DIM + 0.15 * np.eye(DIM)
        hessians /= np.linalg.eigvalsh(hessians).max()
        return OwnHessiansProblem(hessians, 1.5 * rng.standard_normal((peers, DIM)) + 1, block, dtype)


class OwnHessiansProblem(Problem):
    has_gradients = True
    has_conjugates = True
    dim = DIM

    def __init__(self, hessians, optima, block, dtype):
        self.optimum = np.linalg.solve(hessians.sum(axis=0), np.einsum("nij,nj->i", hessians, optima))
        self.hessians, self.optima = hessians[np.asarray(block)].astype(dtype), optima[np.asarray(block)].astype(dtype)

    def start(self):
        return np.zeros(DIM)

    def minibatch(self, stream, rows=slice(None)):
        return np.empty((len(stream.peers), 0))

    def losses(self, x, batch, rows=slice(None)):
        raise NotImplementedError

    def gradients(self, x, batch, rows=slice(None)):
        return np.einsum("pij,pj->pi", self.hessians[rows], x - self.optima[rows])

    def conjugate_gradients(self, y, rows=slice(None), near=None, stiffness=0.0):
        hessians = self.hessians[rows]
        y = y + np.einsum("pij,pj->pi", hessians, self.optima[rows])
        return np.linalg.solve(hessians + np.reshape(stiffness, (-1, 1, 1)) * np.eye(self.dim), y[:, :, None])[:, :, 0]

    def evaluate(self, x):
        return {"loss": np.zeros(len(x))}


PROBLEM = OwnHessians().build(N, range(N), 0, np.dtype(np.float64))


def gradients(x):
    return PROBLEM.gradients(x, np.empty((N, 0)))

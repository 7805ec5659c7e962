"""A round of the simulator against a plain loop over stacked numpy arrays that does the same arithmetic."""

from collections.abc import Callable

import numpy as np

from dfedsam import DPSGD, DFedSAM, Exact, LogisticRegression, Objective, Quadratic, topologies
from dfedsam.algorithms import Algorithm
from dfedsam.communication import SingleProcess
from dfedsam.context import QueryCounter, RoundContext
from dfedsam.objectives.base import ALL_ROWS
from dfedsam.random import RandomStream
from dfedsam.rows import short_buffers
from tests.benchmarks import Row, seconds

PEERS = 1000


def ours(objective: Objective, algorithm: Algorithm, topology: topologies.Topology):
    """Rounds through play, estimator, meter and network, how many is asked; and the problem, for the plain loop."""
    everyone, communicator = range(PEERS), SingleProcess(PEERS)
    problem = objective.build(PEERS, everyone, 0, np.float32)
    state = algorithm.init(np.tile(problem.start(), (PEERS, 1)), problem)
    meter, weights = QueryCounter.zero(PEERS), topology.weights(0)
    done = 0

    @short_buffers()  # as in dfedsam.simulation.run
    def play(rounds: int = 1) -> None:
        nonlocal state, done
        for round in range(done, done + rounds):
            key = RandomStream(0, "", round, 0, everyone)
            state = algorithm.round(
                state, RoundContext(round, problem, key, meter, communicator, weights, lambda x: None, ALL_ROWS)
            )
        done += rounds

    return play, problem


def plain_dfedsam(problem, W, steps: int, q: int, mu: float, rho: float, lr: float) -> Callable[[], None]:
    """DFedSAM on quadratics, every array whole."""
    rng, b, x = np.random.default_rng(0), problem.optima, np.zeros_like(problem.optima)
    n, d = x.shape
    half = np.full(d, 0.5, np.float32)

    def estimate(x):
        u = np.unpackbits(np.frombuffer(rng.bytes(n * q * d // 8), np.uint8)).reshape(n, q, d).astype(np.float32)
        u *= 2
        u -= 1
        step = mu * u
        candidates = np.concatenate([x[:, None] + step, x[:, None] - step], axis=1)
        candidates -= b[:, None]
        candidates *= candidates
        losses = candidates @ half
        return np.matmul(((losses[:, :q] - losses[:, q:]) / (2 * mu * q))[:, None], u)[:, 0]

    def round() -> None:
        nonlocal x
        for _ in range(steps):
            g = estimate(x)
            g = estimate(x + rho * g / np.linalg.norm(g, axis=1, keepdims=True))
            x = x - lr * g
        x = W @ x

    return round


def plain_dpsgd(problem, W, steps: int, batch: int, lr: float, l2: float) -> Callable[[], None]:
    """D-PSGD on logistic regression with exact gradients, every array whole."""
    rng, n = np.random.default_rng(0), PEERS
    x = np.zeros((n, problem.dim), np.float32)
    features, labels, first, counts = problem._features, problem._labels, problem._first, problem._counts
    peer, example = np.arange(n)[:, None], np.arange(batch)

    def round() -> None:
        nonlocal x
        for _ in range(steps):
            drawn = first[:, None] + (rng.random((n, batch)) * counts[:, None]).astype(np.int64)
            a = features[drawn]
            z = x.reshape(n, problem.classes, -1) @ a.swapaxes(1, 2)
            z -= z.max(axis=1, keepdims=True)
            np.exp(z, out=z)
            z /= z.sum(axis=1, keepdims=True)
            z[peer, labels[drawn], example] -= 1
            z /= batch
            x = x - lr * ((z @ a).reshape(n, -1) + l2 * x)
        x = W @ x

    return round


def run() -> list[Row]:
    """Both rounds."""
    ring = topologies.make("ring", PEERS)
    W = ring.weights(0).astype(np.float32)
    sam = DFedSAM()
    sam_round, quadratic = ours(Quadratic(dim=512), sam, ring)
    sgd = DPSGD(local_steps=8, lr=0.1, estimator=Exact())
    sgd_round, logistic = ours(LogisticRegression(batch_size=32), sgd, ring)
    cases = {
        "DFedSAM (K=5, q=4), quadratics, 1,000 peers × 512": (
            sam_round,
            plain_dfedsam(quadratic, W, steps=5, q=4, mu=1e-3, rho=sam.rho, lr=sam.lr),
        ),
        "D-PSGD, logistic regression, 1,000 peers, 8 steps of 32": (
            sgd_round,
            plain_dpsgd(logistic, W, steps=8, batch=32, lr=0.1, l2=1e-3),
        ),
    }
    rows = []
    for what, (our_round, plain_round) in cases.items():
        took = seconds({"ours": our_round, "plain": plain_round}, repeats=10)
        rows.append(
            Row(
                what=f"a round of {what}",
                floor="plain stacked-array numpy loop",
                ratio=took["ours"] / took["plain"],
                target=1.25,
                at_most=True,
                figures=f"{1e3 * took['ours']:.0f} against {1e3 * took['plain']:.0f} ms",
            )
        )
    return rows

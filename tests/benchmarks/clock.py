"""What simulated time costs: of a round, of a timeline of a million wakings, and of gradients without rounds."""

import time
from collections.abc import Callable
from statistics import median

import numpy as np

from dfedsam import ADSGD, DPSGD, Exact, Experiment, Quadratic, make
from dfedsam.clock import AsynchronousTime, Clock, Compute, Constant, Exponential, SynchronousTime, TwoSpeeds
from dfedsam.simulation import run as execute
from tests.benchmarks import Row

PEERS, DIM, ROUNDS = 1000, 512, 30


def seconds(action: Callable[[], object]) -> float:
    """Seconds of the processor for a call, so that a busy machine does not count."""
    began = time.process_time()
    action()
    return time.process_time() - began


def of_a_run(algorithm: DPSGD | ADSGD, topology: str) -> float:
    """Seconds of a round with exact gradients, the cheapest there are."""
    experiment = Experiment(
        objective=Quadratic(dim=DIM), topology=make(topology, PEERS), algorithm=algorithm, rounds=ROUNDS,
        evaluate_every=ROUNDS, checkpoint_every=ROUNDS, evaluate_local=False, clock=Clock(compute=Constant(mean=1)),
    )  # fmt: skip
    return seconds(lambda: execute(experiment)) / ROUNDS


def of_the_clock(topology: str) -> float:
    """Seconds that a synchronous clock takes for a round."""
    clock, W = SynchronousTime(Clock(compute=Exponential()), PEERS, seed=0), make(topology, PEERS).weights(0)
    return median(seconds(lambda t=t: clock.advance(t, [(W, 4 * DIM)], np.zeros(PEERS))) for t in range(ROUNDS))


def of_a_timeline(compute: Compute) -> float:
    """Seconds of a timeline of a million wakings on a random 4-regular graph."""
    W = make("random_regular", PEERS, seed=0, degree=4).weights(0)
    events = AsynchronousTime(Clock(compute=compute), "mailboxes", W, 0, 4 * DIM, 0)
    return seconds(lambda: events.restore(1_000_000 // PEERS, {}))


def run() -> list[Row]:
    """Every figure."""
    rows = []
    for topology in ("ring", "exponential"):
        plain, clock = of_a_run(DPSGD(lr=0.1, estimator=Exact()), topology), of_the_clock(topology)
        without = min(of_a_run(ADSGD(lr=0.1, estimator=Exact()), topology) for _ in range(2))
        figures = f"{1e3 * clock:.2f} of {1e3 * plain:.1f} ms"
        rows.append(
            Row(f"the clock of a round, {topology}", "the round", clock / plain, 0.05, at_most=True, figures=figures)
        )
        figures = f"{1e3 * without:.1f} against {1e3 * plain:.1f} ms"
        rows.append(
            Row(
                f"a gradient of ADSGD, {topology}",
                "a gradient of D-PSGD",
                without / plain,
                2,
                at_most=True,
                figures=figures,
            )
        )
    for compute in (Constant(), TwoSpeeds(), Exponential()):
        took, name = of_a_timeline(compute), type(compute).__name__
        rows.append(Row(f"a million wakings, {name}", "10 s", took / 10, 1, at_most=True, figures=f"{took:.1f} s"))
    return rows

"""Fed-BBPT against its equations written plainly, and one-peer SPSA-GC with exact gradients."""

from dataclasses import dataclass

import numpy as np
import pytest

from dfedsam import Exact, FedBBPT, Quadratic, TwoPoint, simulate, topologies
from dfedsam.checkpoint import load
from dfedsam.communication.single_process import SingleProcess
from dfedsam.random import RandomStream
from dfedsam.zeroth_order import SPSA

PEERS, DIM, ROUNDS, STEPS = 4, 3, 3, 2


@dataclass(frozen=True, kw_only=True)
class Uneven(Quadratic):
    """Quadratics of peers that have 1, 2, 3 and 4 examples."""

    def build(self, peers, block, seed, dtype):
        problem = super().build(peers, block, seed, dtype)
        problem.sizes = lambda: np.asarray(block) + 1.0  # type: ignore[method-assign]
        return problem


def test_rounds_are_those_of_the_paper_with_the_datas_shares(tmp_path) -> None:
    objective = Uneven(dim=DIM, noise=0, condition=1.0)
    settings = {"a": 0.2, "o": 1.0, "alpha": 0.4, "beta": 0.9}
    algorithm = FedBBPT(local_steps=STEPS, estimator=SPSA(samples=2, c=0.02, gamma=0.1), **settings)
    topology = topologies.make("ring", PEERS)
    result = simulate(
        objective=objective,
        topology=topology,
        algorithm=algorithm,
        rounds=ROUNDS,
        dtype="float64",
        out=tmp_path / "run",
    )

    optima = objective.build(PEERS, range(PEERS), 0, np.float64).optima
    x, m = np.zeros((PEERS, DIM)), np.zeros((PEERS, DIM))
    x[:] = objective.build(PEERS, range(PEERS), 0, np.float64).start()
    for t in range(1, ROUNDS * STEPS + 1):
        round, step = divmod(t - 1, STEPS)
        for i in range(PEERS):
            g = np.zeros(DIM)
            for delta in SPSA(samples=2).perturbations(
                RandomStream(0, "descent", round, step, range(i, i + 1)), DIM, x.dtype
            )[0]:
                c = 0.02 / t**0.1
                up, down = (0.5 * ((x[i] + sign * c * delta - optima[i]) ** 2).sum() for sign in (1, -1))
                g += (up - down) / (2 * c * delta) / 2
            m[i] = g if t == 1 else 0.9 * m[i] + g
            x[i] -= 0.2 / (t + 1) ** 0.4 * (g + 0.9 * m[i])
        if step == STEPS - 1:
            x[:] = (np.arange(1, 5) / 10) @ x
    found = load(tmp_path / "run" / "checkpoint.safetensors", SingleProcess(PEERS))[0]["x"]
    np.testing.assert_allclose(found, x, rtol=1e-9)
    assert result.rows[-1]["bytes"] == ROUNDS * (2 * DIM + 1) * 8  # a vector and a number up, a vector down
    assert result.rows[-1]["queries"] == ROUNDS * STEPS * 4


def test_an_estimator_that_keeps_something_keeps_it_here_too() -> None:
    options = {"objective": Quadratic(dim=DIM, noise=0), "topology": topologies.make("ring", PEERS), "rounds": 40}
    ends = [
        simulate(**options, algorithm=FedBBPT(a=0.05, alpha=0, beta=0, estimator=estimator))["loss"].iloc[-1]
        for estimator in (Exact(), TwoPoint(directions=2, control_variate=True))
    ]
    assert ends[1] == pytest.approx(ends[0], rel=0.1)


@pytest.mark.parametrize("bad", [{"local_steps": 0}, {"a": 0}, {"o": -1}, {"alpha": -1}, {"beta": 1}])
def test_bad_values_are_named(bad: dict) -> None:
    with pytest.raises(ValueError, match=f"{next(iter(bad))} is .* must be"):
        FedBBPT(**bad)

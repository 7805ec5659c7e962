"""The steady consensus distance on noisy quadratics against its closed form: the whole stack, on one and four ranks."""

import json

import numpy as np
import pytest

from dfedsam import topologies
from tests.dfedsam.steady import GOSSIPS, LR, NOISE, OBJECTIVE, PEERS, measured
from tests.mpi import mpirun


def theory(name, gossip):
    topology = topologies.make(name, PEERS[name])
    W, n = topology.weights(0), topology.n
    optima = OBJECTIVE.build(n, range(n), 0, np.dtype(np.float64)).optima
    multipliers = lambda values: GOSSIPS[gossip].multipliers(values, W)  # noqa: E731
    return topologies.steady_consensus(W, optima, LR, NOISE, multipliers=multipliers)


@pytest.mark.parametrize("gossip", GOSSIPS)
@pytest.mark.parametrize("name", PEERS)
def test_in_one_process(name, gossip):
    assert measured(name, gossip) == pytest.approx(theory(name, gossip), rel=0.01)


def test_on_four_ranks(tmp_path):
    job = mpirun(4, ["-m", "tests.dfedsam.steady", tmp_path / "found.json", "ring"], timeout=120)
    assert job.returncode == 0, job.stderr
    found = json.loads((tmp_path / "found.json").read_text())
    assert found == {gossip: pytest.approx(theory("ring", gossip), rel=0.01) for gossip in GOSSIPS}

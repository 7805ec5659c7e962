"""Every topology by its name in a run, built again from the settings that the run has written."""

import pytest

import topologies
from launch import options
from tests.launch.test_options import parse
from tests.topologies.sizes import SIZES

MORE = {  # what some need besides their name
    "in_turn": ("--topology.topologies", "ring, star"),
    "at_random": ("--topology.topologies", "[ring, {class_path: grid, init_args: {rows: 2}}]"),
    "stl_fw": ("--objective", "logistic_regression", "--topology.degree", "3"),
    "link_failures": ("--topology.topology", "random_regular", "--topology.topology.degree", "3"),
    "peers_away": ("--topology.away", "[[3, 0, 1]]", "--topology.p", "0.2"),
    "latency": ("--topology.topology", "davis", "--topology.topology.weights", "best_constant"),
    "matcha": ("--topology.topology", "karate"),
}


@pytest.mark.parametrize("name", topologies.table())
def test_by_name_and_from_its_own_settings(dfedsam, name):
    sizes = SIZES.get(name, (16,))
    own = MORE.get(name, ())
    fixed = sizes == (None,) or name in ("latency", "matcha")
    argv = ["--topology", name, *own, *([] if fixed else ["--peers", str(16 if 16 in sizes else sizes[-1])])]
    ours = options.topology(parse(*argv, "--seed", "3"))
    if ours.sums == "columns":
        argv += ["--algorithm.gossip", "push_sum"]
    dim = () if "--objective" in own else ("--objective.dim", "5")
    said = dfedsam("run", *argv, "--rounds", "1", "--seed", "3", *dim, "--out", "a")
    assert (said.status, said.err) == (0, "")
    again = options.topology(parse("--config", "a/config.yaml"))
    assert again.n == ours.n
    for t in range(3):
        assert (again.weights(t) != ours.weights(t)).nnz == 0
    assert again.description == ours.description

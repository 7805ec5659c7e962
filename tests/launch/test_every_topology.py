"""Every topology by its name in a run, and built again from the settings that the run has written."""

import numpy as np
import pytest

from dfedsam import topologies
from dfedsam.launch import options
from dfedsam.topologies.registry import GROUPS
from tests.launch.test_options import parse
from tests.topologies.sizes import SIZES

MORE = {  # what some need besides their name
    "round_robin": ("--topology.topologies", "ring, star"),
    "dense_late": ("--topology.topologies", "ring, complete"),
    "random_choice": ("--topology.topologies", "[ring, {class_path: grid, init_args: {rows: 2}}]"),
    "d_cliques": ("--objective", "logistic_regression", "--topology.clique_size", "4"),
    "stl_fw": ("--objective", "logistic_regression", "--topology.degree", "3"),
    "link_failures": ("--topology.topology", "random_regular", "--topology.topology.degree", "3"),
    "peer_dropout": ("--topology.absences", "[[3, 0, 1]]", "--topology.p", "0.2"),
    "latency": ("--topology.topology", "davis", "--topology.topology.weights", "best_constant"),
    "matcha": ("--topology.topology", "karate"),
}
ALIKE = ("graphs", "clustered graphs", "random graphs")  # a function from n to a graph, as most are: one of each is run


def command(name):
    """The options that choose a topology of a size that it takes."""
    sizes = SIZES.get(name, (16,))
    fixed = sizes == (None,) or name in ("latency", "matcha")
    return ["--topology", name, *MORE.get(name, ()), *([] if fixed else ["--peers", str(min(sizes, key=far))])]


def far(size):
    return abs(size - 16)


@pytest.mark.parametrize("name", [name for group in ALIKE for name in GROUPS[group]])
def test_a_graph_by_its_name(name):
    topology = options.build_topology(parse(*command(name)))
    topologies.verify(topology)
    assert topologies.make(topology.description, topology.n).description == topology.description


@pytest.mark.parametrize("name", [
    name for group in GROUPS
    for name in GROUPS[group][: 1 if group in ALIKE else None]
    if name not in GROUPS["from edges and files"]
])  # fmt: skip
def test_a_run_by_name_and_the_same_topology_from_its_settings(dfedsam, name):
    argv = [*command(name), "--seed", "3"]
    ours = options.build_topology(parse(*argv))
    gossip = ["--algorithm.gossip", "push_sum"] if ours.sums == "columns" else []
    dim = ["--objective.dim", "5"] if "--objective" not in argv else []
    said = dfedsam("run", *argv, *gossip, *dim, "--rounds", "1", "--out", "a")
    assert said.status == 0
    assert not said.err or (ours.sums == "rows" and "biased" in said.err)
    again = options.build_topology(parse("--config", "a/config.yaml"))
    assert again.n == ours.n
    assert again.description == ours.description
    for t in range(3):
        np.testing.assert_array_equal(again.weights(t).toarray(), ours.weights(t).toarray())

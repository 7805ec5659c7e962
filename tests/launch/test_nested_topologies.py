"""Topologies and weight rules as options of other ones: named, typed, written down, and built again the same."""

import re
import textwrap
from pathlib import Path

import numpy as np
import pytest

from dfedsam.launch import options
from tests.launch.command import metrics
from tests.launch.test_options import parse

OURS = '''
    from __future__ import annotations

    import networkx as nx
    import numpy as np
    import scipy.sparse as sp

    from dfedsam.errors import OptionError
    from dfedsam.topologies import Periodic, Topology, find_rule, make
    from dfedsam.topologies.make import Spec


    def halved(n: int, topology: Spec = "ring", rounds: list[int] | None = None, p: float = 0.1, seed: int = 0) -> Topology:
        """Halved."""
        if not 0 <= p <= 1:
            raise OptionError("p", p, "must be at most 1")
        W = make(topology, n, seed).weights(0)
        return Periodic([sp.csr_array((W + sp.eye_array(W.shape[0])) / 2)])


    def turns(n: int, topologies: list[Spec], seed: int = 0) -> Topology:
        """In turn."""
        return Periodic([make(one, n, seed).weights(0) for one in topologies])


    def rule(graph: nx.Graph, weights: Spec = "metropolis", share: float = 0.5) -> sp.csr_array:
        """Lazy."""
        W = find_rule(weights)(graph)
        return sp.csr_array(share * W + (1 - share) * sp.eye_array(len(graph)))


    def knowing(n: int, degree: int = 2, class_proportions: np.ndarray | None = None) -> nx.Graph:
        """A ring of peers that know their data."""
        assert class_proportions is not None
        assert class_proportions.shape[0] == n
        np.testing.assert_allclose(class_proportions.sum(axis=1), 1)
        return nx.cycle_graph(n)


    def five() -> nx.Graph:
        """Five peers."""
        return nx.path_graph(5)
'''  # noqa: E501  (a module as a user has it)


@pytest.fixture(autouse=True)
def ours(tmp_path, monkeypatch):
    (tmp_path / "nests.py").write_text(textwrap.dedent(OURS))
    monkeypatch.syspath_prepend(tmp_path)


def test_a_topology_inside_another_has_its_own_options():
    settings = parse(
        *("--topology", "nests.halved", "--topology.topology", "random_regular", "--topology.topology.degree", "6"),
        *("--topology.rounds", "[3, 4]", "--topology.p", "1e-1"),
    )
    inside = settings.topology["init_args"]
    assert (inside["rounds"], inside["p"]) == ([3, 4], 0.1)
    assert inside["topology"]["init_args"]["degree"] == 6
    assert (np.diff(options.build_topology(settings).support().indptr) == 6).all()


def test_the_options_of_a_default_that_is_a_name():
    settings = parse("--topology", "nests.halved", "--topology.topology.weights", "nests.rule")
    assert settings.topology["init_args"]["topology"]["class_path"] == "ring"
    W = options.build_topology(settings).weights(0)
    assert W[0, 1] == pytest.approx(1 / 12)  # a third, halved twice


def test_a_weight_rule_inside_another():
    settings = parse(
        *("--topology.weights", "nests.rule", "--topology.weights.share", "0.9"),
        *("--topology.weights.weights", "nests.rule", "--topology.weights.weights.share", "0.3"),
    )
    topology = options.build_topology(settings)
    assert topology.weights(0)[0, 1] == pytest.approx(0.9 * 0.3 / 3)
    assert topology.graph(0).graph["name"] == "ring"


@pytest.mark.parametrize("written", ["[ring, {class_path: random_regular, init_args: {degree: 6}}]", "ring, star"])
def test_a_list_of_topologies(written):
    topology = options.build_topology(parse("--topology", "nests.turns", "--topology.topologies", written))
    assert topology.period == 2
    assert (np.diff(topology.weights(0).indptr) == 3).all()


NESTS = {
    "inside": ("--topology", "nests.halved", "--topology.topology", "grid", "--topology.topology.rows", "2"),
    "list": ("--topology", "nests.turns", "--topology.topologies", "[star, {class_path: grid, init_args: {rows: 2}}]"),
    "list inside": (
        *("--topology", "nests.halved", "--topology.topology", "nests.turns"),
        *("--topology.topology.topologies", "random_regular, star"),
    ),
    "weights": ("--topology.weights", "nests.rule", "--topology.weights.weights", "metropolis"),
    "data": ("--topology", "nests.knowing", "--objective", "logistic_regression"),
}


@pytest.mark.parametrize("argv", NESTS.values(), ids=NESTS)
def test_the_printed_settings_are_a_file_for_the_same_settings(dfedsam, tmp_path, argv):
    printed = tmp_path / "printed.yaml"
    printed.write_text(dfedsam("run", *argv, "--print_config").out)
    assert "dfedsam." not in printed.read_text()  # public names
    assert "null" not in printed.read_text().partition("algorithm")[0]
    assert parse("--config", str(printed), "--allow-code") == parse(*argv)


@pytest.mark.parametrize("case", ["list inside", "data"])
def test_a_run_is_repeated_and_made_longer_from_its_written_settings(dfedsam, case):
    assert dfedsam("run", *NESTS[case], "--rounds", "2", "--seed", "3", "--out", "a").status == 0
    assert dfedsam("run", "--config", "a/config.yaml", "--out", "b", "--allow-code").status == 0
    assert metrics("a") == metrics("b")
    settings = Path("a/config.yaml").read_text()
    assert settings == Path("b/config.yaml").read_text()
    assert "class_proportions" not in settings
    assert dfedsam("resume", "a", "--rounds", "3", "--allow-code").status == 0
    assert len(metrics("a")) == 4


@pytest.mark.parametrize(("argv", "peers"), [
    (("--topology", "nests.five"), 5),
    (("--topology", "nests.halved", "--topology.topology", "nests.five"), 5),
    (("--topology", "nests.turns", "--topology.topologies", "nests.five, path"), 5),
    (("--topology", "nests.halved"), 16),
])  # fmt: skip
def test_a_graph_of_fixed_size_says_its_number_of_peers(argv, peers):
    assert options.build_topology(parse(*argv)).n == peers


def test_a_topology_that_knows_the_data_does_not_show_how(dfedsam):
    out = dfedsam("run", "--topology.help", "nests.knowing").out
    assert "--topology.degree" in out
    assert "class_proportions" not in out
    assert "--topology.n " not in out


@pytest.mark.parametrize(("line", "text"), [
    ("--topology nests.halved --topology.topology rong", "topology.topology is rong.*did you mean ring"),
    ("--topology nests.halved --topology.topology.degree 3", "--topology.topology.degree is not an option"),
    ("--topology nests.halved --topology.topology grid --topology.topology.rows two", r"topology.topology.rows is two"),
    ("--topology nests.halved --topology.topology erdos_renyi --topology.topology.p 2", r"topology\.topology\.p is 2"),
    ("--topology nests.halved --topology.p 2", r"topology\.p is 2.0"),
    ("--topology nests.halved --topology.rounds soon", r"topology\.rounds is soon: it must be a list"),
    ("--topology nests.turns", "topology.topologies is missing"),
    ("--topology nests.turns --topology.topologies 3", "topology.topologies is .3.: it must be a list of names"),
    ("--topology nests.turns --topology.topologies ring,rong", "topology.topology is rong"),
    ("--topology nests.turns --topology.topologies.0.degree 4", "topology.topologies is a list"),
    ("--topology nests.halved --topology.topology.weights.share 1", "topology.topology.weights needs a name first"),
    ("--topology.weights metropolist", "topology.weights is metropolist.*did you mean metropolis"),
    ("--topology {ring", "topology is {ring: it must be YAML"),
    ("--topology nests.halved --topology.topology {rows:2}", "topology.topology is .*must be a name, or have a class"),
    ("--topology nests.knowing", "topology is nests.knowing.*Quadratic has no examples of classes; choose an"),
    ("--topology nests.knowing --topology.class_proportions 3", "class_proportions is not an option"),
    ("--topology nests.five --peers 6", "peers is 6: it must be 5"),
    ("--topology nests.halved --topology.topology nests.five --peers 6", "peers is 6: it must be 5"),
], ids=lambda value: value if value.startswith("--") else "")  # fmt: skip
def test_bad_input(dfedsam, tmp_path, line, text):
    said = dfedsam("run", *line.split())
    assert said.status == 2
    assert said.err.count("\n") == 1
    assert re.search(text, said.err), said.err
    assert not (tmp_path / "runs").exists()

"""Public names in any case, import paths, entry points, and what is said of unknown ones."""

import subprocess
import sys
import textwrap
from functools import partial

import pytest

import dfedsam
from dfedsam import registry, topologies
from dfedsam.algorithms import DFedSAM, FedBBPT, GossipCMAES, Lead
from dfedsam.data.split import IID
from dfedsam.errors import OptionError
from dfedsam.gossip import Chebyshev, Choco
from dfedsam.gossip.compressors import TopK
from dfedsam.objectives import LogisticRegression, PromptTuning
from dfedsam.zeroth_order import TwoPoint


@pytest.mark.parametrize("name", ["DFedSAM", "dfedsam", "d_fed_sam", "D-Fed-SAM", "dfedsam.algorithms.DFedSAM"])
def test_any_spelling(name):
    assert registry.find("algorithm", name) is DFedSAM


@pytest.mark.parametrize("kind", [kind for kind, where in registry.KINDS.items() if not where.functions])
def test_the_package_offers_every_class_of_plug_ins_and_their_base(kind):
    ours = [one for one in registry.plugins(kind).values() if one.__module__.startswith("dfedsam.")]
    for plugin in (registry.base_class(kind), *ours):
        assert getattr(dfedsam, plugin.__name__) is plugin


def test_a_public_name_stands_for_a_plug_in_in_python_too():
    assert DFedSAM(estimator="two_point", gossip="Chebyshev") == DFedSAM(estimator=TwoPoint(), gossip=Chebyshev())
    assert Lead(compressor="block_quantizer") == Lead()
    assert Choco(compressor="top-k") == Choco(compressor=TopK())
    assert GossipCMAES(gossip="plain") == GossipCMAES()
    assert FedBBPT(estimator="spsa") == FedBBPT()
    assert LogisticRegression(split="iid").split == IID()
    assert PromptTuning(blackbox="dual_encoder", split="dirichlet", parameters="full_prompt") == PromptTuning()


@pytest.mark.parametrize("value", ["chebyshef", TwoPoint(), Chebyshev, None])
def test_another_value_than_a_plug_in_of_the_kind_is_refused_when_it_is_made(value):
    with pytest.raises(OptionError, match=r"gossip is .*: it must be"):
        DFedSAM(gossip=value)


def test_a_kind_is_known_by_the_last_part_of_its_option():
    assert registry.find("algorithm.estimator", "two_point") is TwoPoint
    assert registry.find("objective", "prompt_tuning") is PromptTuning
    assert registry.find("topology", "Random-Regular") is topologies.random_regular
    assert registry.find("topology.topology", "ring") is topologies.ring


@pytest.mark.parametrize("kind", registry.KINDS)
def test_every_plugin_is_found_by_its_public_name(kind):
    found = registry.plugins(kind)
    assert found
    assert all(name == name.lower() and name.isidentifier() for name in found)
    assert all(registry.find(kind, name) is plugin for name, plugin in found.items())
    assert all(registry.public_name(plugin) == name for name, plugin in found.items())


@pytest.mark.parametrize(
    ("kind", "name", "nearest"),
    [
        ("algorithm", "DFedSMA", "dfedsam"),
        ("topology", "gird", "grid"),
        ("gossip", "plan", "plain"),
        ("compute", "two_speeds", "two_point"),  # Python's name of the class
        ("compute", "TwoSpeeds", "two_point"),
        ("availability", "daily", "synthetic"),
    ],
)
def test_an_unknown_name_gets_the_names_and_the_nearest(kind, name, nearest):
    with pytest.raises(OptionError, match=f"{kind} is {name}.*did you mean {nearest}") as caught:
        registry.find(kind, name)
    if kind != "topology":  # there are too many of these
        assert all(known in str(caught.value) for known in registry.plugins(kind))


@pytest.mark.parametrize("path", ["dfedsam.objectives.Quadratic", "dfedsam.algorithms.Algorithm", "json.dumps"])
def test_an_import_path_must_lead_to_the_kind(path):
    with pytest.raises(OptionError, match="must be a class derived from"):
        registry.find("algorithm", path)


@pytest.mark.parametrize("path", ["subprocess.getoutput", "collections.Counter", "json.dumps"])
def test_a_function_must_say_that_it_gives_a_graph(path):
    with pytest.raises(OptionError, match="must be a function that is annotated to return a networkx graph"):
        registry.find("topology", path)


def test_a_function_is_judged_by_the_class_that_it_returns(tmp_path, monkeypatch):
    (tmp_path / "returns.py").write_text(
        textwrap.dedent("""
            import networkx as nx, scipy.sparse as sp
            class Graphite: ...
            def no_graph(n: int) -> Graphite: ...
            def digraph(n: int) -> nx.Graph | nx.DiGraph: ...
            def rule(graph: nx.Graph) -> "sp.csr_array": ...
            def unread(n: int) -> "missing.Graph": ...
        """)
    )
    monkeypatch.syspath_prepend(tmp_path)
    assert callable(registry.find("topology", "returns.digraph"))
    assert callable(registry.find("weights", "returns.rule"))
    with pytest.raises(OptionError, match="annotated to return a networkx graph"):
        registry.find("topology", "returns.no_graph")
    with pytest.raises(
        OptionError, match="annotations that can be read when it runs, but name 'missing' is not defined"
    ):
        registry.find("topology", "returns.unread")


def test_what_is_not_vouched_for_is_not_imported():
    code = """
        import sys
        from dfedsam import registry
        try:
            registry.find("algorithm", "antigravity.Thing", code=False)
        except ValueError as error:
            print(error)
        print("antigravity" in sys.modules)
    """
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True, check=True)
    assert "algorithm is antigravity.Thing: it must be a registered plug-in" in done.stdout
    assert done.stdout.endswith("False\n")


def test_a_graphs_file_gives_its_reader():
    reader = registry.find("topology", "friends.graphml")
    assert isinstance(reader, partial)
    assert (reader.func, reader.keywords) == (topologies.from_file, {"path": "friends.graphml"})
    assert registry.find("topology", "from_file") is topologies.from_file


PACKAGE = '''
    import networkx as nx
    from dfedsam.algorithms import DPSGD

    def wheel(n: int, spokes: bool = True) -> nx.Graph:
        """A wheel."""
        return nx.wheel_graph(n) if spokes else nx.cycle_graph(n)

    class Mine(DPSGD):
        """Mine."""
'''
ENTRIES = """
    [dfedsam.plugins]
    topology.wheel = wheels:wheel
    algorithm.mine = wheels:Mine
    algorithm.broken = wheels:gone
"""


@pytest.fixture
def installed(tmp_path):
    """A package with entry points, as pip installs it: a module, and its dist-info."""
    site = tmp_path / "site"
    info = site / "wheels-1.0.dist-info"
    info.mkdir(parents=True)
    (site / "wheels.py").write_text(textwrap.dedent(PACKAGE))
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: wheels\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(textwrap.dedent(ENTRIES))
    return site


def test_an_installed_package_adds_plug_ins_by_entry_points(installed, tmp_path):
    def dfedsam(*argv):
        program = "import sys; from dfedsam.launch.cli import main; sys.exit(main())"
        env = {"PYTHONPATH": str(installed), "PATH": "/usr/bin:/bin"}
        command = [sys.executable, "-c", program, *argv]
        return subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, env=env)

    done = dfedsam("run", "--topology", "Wheel", "--algorithm", "mine", "--rounds", "1", "--out", "a")
    assert done.returncode == 0, done.stderr
    settings = (tmp_path / "a" / "config.yaml").read_text()
    assert "class_path: wheel\n" in settings
    assert "class_path: mine\n" in settings
    assert "wheels" not in settings
    assert dfedsam("run", "--config", "a/config.yaml", "--rounds", "1", "--out", "b").returncode == 0
    assert "  wheel  " in dfedsam("topology", "--list").stdout
    broken = dfedsam("run", "--algorithm", "broken")
    assert (broken.returncode, broken.stderr.count("\n")) == (2, 1)
    assert "algorithm is broken: it must be importable, but its entry point wheels:gone fails" in broken.stderr

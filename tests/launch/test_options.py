"""From the command line and files to settings: merging, overriding, typed values."""

import dataclasses
import textwrap

import pytest

from dfedsam import registry
from dfedsam.algorithms import DPSGD, DFedSAM, DFedSAMMG
from dfedsam.data.split import Dirichlet
from dfedsam.errors import OptionError
from dfedsam.experiment import Experiment
from dfedsam.gossip import Plain
from dfedsam.gossip.compressors import Compressor, RandomK, TopK
from dfedsam.launch import arguments, options, run, signatures
from dfedsam.objectives import PromptTuning, Quadratic
from dfedsam.zeroth_order import OneSided, TwoPoint


def parse(*argv: str) -> options.Settings:
    settings = run.parse(*arguments.split(argv, options.FLAGS))
    assert settings is not None
    return settings


def test_defaults():
    settings = parse()
    assert settings.topology == {"class_path": "ring", "init_args": {}}
    assert settings.simulation["algorithm"] == DFedSAM()
    assert settings.simulation["objective"] == Quadratic()
    assert options.build_topology(settings).n == options.PEERS


@pytest.mark.parametrize(("hint", "value"), [(int | str, 3), (str | int, "3")])
def test_a_value_has_the_first_type_that_takes_it_whatever_was_converted_before(hint, value):
    assert signatures.convert("a", "3", hint) == value


def test_a_part_of_an_algorithm_is_its_option():
    algorithm = parse(
        *("--algorithm", "DFedSAMMG", "--algorithm.gossip.steps", "3", "--algorithm.rho=1e-2"),
        *("--algorithm.estimator", "one_sided", "--algorithm.estimator.directions", "2"),
    ).simulation["algorithm"]
    assert isinstance(algorithm, DFedSAMMG)
    assert (algorithm.gossip, algorithm.rho, algorithm.estimator) == (Plain(steps=3), 0.01, OneSided(directions=2))


def test_the_order_of_options_does_not_matter():
    assert parse("--algorithm.local_steps", "2", "--algorithm", "dpsgd").simulation["algorithm"] == DPSGD(local_steps=2)


def test_an_option_alone_keeps_the_default_plugin_and_its_other_options():
    algorithm = parse("--algorithm", "DFedSAMMG", "--algorithm.estimator.mu", "0.1").simulation["algorithm"]
    assert algorithm == DFedSAMMG(estimator=TwoPoint(mu=0.1))


def test_hyphens_flags_and_yes_or_no():
    settings = parse(
        "--evaluate-every", "5", "--cosine", "--references", "false", "--algorithm.keep-momentum", "--figure"
    )
    assert (settings.simulation["evaluate_every"], settings.simulation["cosine"]) == (5, True)
    assert settings.simulation["references"] is False
    assert settings.simulation["algorithm"].keep_momentum is True
    assert settings.execution["figure"] is True


def test_text_with_a_comma_and_a_split():
    objective = parse(
        *("--objective", "prompt_tuning", "--objective.words", "terrible, great"),
        *("--objective.split", "dirichlet", "--objective.split.alpha", "0.7"),
    ).simulation["objective"]
    assert isinstance(objective, PromptTuning)
    assert (objective.words, objective.split) == ("terrible, great", Dirichlet(alpha=0.7))


def test_a_random_graph_takes_the_runs_seed_unless_it_has_its_own():
    ours = options.build_topology(parse("--topology", "erdos_renyi", "--seed", "7")).description["init_args"]["seed"]
    own = options.build_topology(parse("--topology", "erdos_renyi", "--seed", "7", "--topology.seed", "8"))
    assert (ours, own.description["init_args"]["seed"]) == (7, 8)


def test_a_graphs_file_says_its_own_number_of_peers(tmp_path):
    path = tmp_path / "five.edgelist"
    path.write_text("0 1\n1 2\n2 3\n3 4\n")
    assert options.build_topology(parse("--topology", str(path))).n == 5


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "experiment.yaml"
    path.write_text(
        textwrap.dedent("""
            topology: {class_path: grid, init_args: {rows: 2}}
            peers: 12
            algorithm:
              class_path: DFedSAMMG
              init_args: {lr: 1e-3, rho: 0.2, estimator: one_sided, gossip: {class_path: plain, init_args: {steps: 5}}}
            evaluate-every: 4
        """)
    )
    return str(path)


def test_a_file_and_the_command_line_over_it(file):
    settings = parse("--config", file, "--algorithm.rho", "0.3", "--peers", "8")
    algorithm = settings.simulation["algorithm"]
    assert (algorithm.lr, algorithm.rho, algorithm.gossip.steps, algorithm.estimator) == (0.001, 0.3, 5, OneSided())
    assert settings.simulation["evaluate_every"] == 4
    assert options.build_topology(settings).graph(0).graph["rows"] == 2
    assert options.build_topology(settings).n == 8


def test_another_plugin_keeps_the_options_that_it_has_too(file):
    settings = parse("--config", file, "--algorithm", "DPSGD", "--topology", "ring")
    algorithm = settings.simulation["algorithm"]
    assert isinstance(algorithm, DPSGD)
    assert (algorithm.lr, algorithm.estimator) == (0.001, OneSided())
    assert options.build_topology(settings).graph(0).graph["name"] == "ring"


def test_the_printed_settings_are_a_file_for_the_same_settings(file, tmp_path, capsys):
    argv = ["--config", file, "--topology", "watts_strogatz", "--topology.p", "0.5", "--seed", "3"]
    assert run.parse(*arguments.split([*argv, "--print_config"], options.FLAGS)) is None
    printed = tmp_path / "printed.yaml"
    printed.write_text(capsys.readouterr().out)
    assert "class_path: dfedsam_mg" in printed.read_text()
    assert parse("--config", str(printed)) == parse(*argv)


def test_a_plugin_of_a_users_own(tmp_path, monkeypatch):
    (tmp_path / "ours.py").write_text(
        textwrap.dedent('''
            from dataclasses import dataclass

            import networkx as nx
            from dfedsam.algorithms import DPSGD

            def wheel(n: int, spokes: bool = True) -> nx.Graph:
                """A wheel."""
                return nx.wheel_graph(n) if spokes else nx.cycle_graph(n)

            @dataclass(frozen=True, kw_only=True)
            class Mine(DPSGD):
                """Mine.

                Args:
                    twist: how much.
                """

                twist: float = 0.5
        ''')
    )
    monkeypatch.syspath_prepend(tmp_path)
    settings = parse(
        "--topology", "ours.wheel", "--topology.spokes", "no", "--algorithm", "ours.Mine", "--algorithm.twist", "2"
    )
    assert settings.simulation["algorithm"].twist == 2.0
    assert options.build_topology(settings).graph(0).number_of_edges() == options.PEERS


@pytest.mark.parametrize("name", registry.plugins("algorithm"))
def test_every_number_of_an_algorithm_must_be_one(dfedsam, name):
    fields = [
        field.name for field in dataclasses.fields(registry.find("algorithm", name)) if field.type in ("int", "float")
    ]
    assert fields
    for field in fields:
        said = dfedsam("run", "--algorithm", name, f"--algorithm.{field}", "many")
        assert said.status == 2
        assert f"algorithm.{field} is many: it must be a" in said.err


@pytest.fixture
def with_a_compressor(monkeypatch):
    """Experiments with one more field, an optional plug-in of a registered kind: all that a new kind needs."""

    @dataclasses.dataclass(frozen=True, kw_only=True)
    class Compressed(Experiment):
        """An experiment.

        Args:
            compressor: what shortens messages.
        """

        compressor: Compressor | None = None

    Compressed.__annotations__["compressor"] = Compressor | None
    monkeypatch.setattr("dfedsam.experiment.Experiment", Compressed)
    monkeypatch.setitem(
        registry.KINDS, "compressor", dataclasses.replace(registry.KINDS["compressor"], usual="random_k")
    )
    options.experiment_options.cache_clear()
    yield
    options.experiment_options.cache_clear()


@pytest.mark.usefixtures("with_a_compressor")
def test_an_optional_plugin_needs_only_its_field(tmp_path):
    assert parse().simulation["compressor"] is None
    assert parse("--compressor", "topk", "--compressor.k", "3").simulation["compressor"] == TopK(k=3)
    assert parse("--compressor.k", "3").simulation["compressor"] == RandomK(k=3)
    file = tmp_path / "experiment.yaml"
    for text in ("topk", "{class_path: topk, init_args: {k: 3}}"):
        file.write_text(f"compressor: {text}")
        assert isinstance(parse("--config", str(file)).simulation["compressor"], TopK)
        assert parse("--config", str(file), "--compressor", "none").simulation["compressor"] is None
        assert parse("--config", str(file), "--compressor.k", "4").simulation["compressor"] == TopK(k=4)
    with pytest.raises(OptionError, match=r"compressor\.k cannot be set, because compressor is none"):
        parse("--compressor", "none", "--compressor.k", "4")
    with pytest.raises(OptionError, match="algorithm is none: it must be"):
        parse("--algorithm", "none")


def test_attackers_are_a_number_a_share_or_a_list():
    for text, peers in (("3", 3), ("0.25", 0.25), ("[0,3]", [0, 3]), ("0,3", [0, 3])):
        adversary = parse("--adversary", "alie", "--adversary.peers", text).simulation["adversary"]
        assert adversary.peers == peers
        assert type(adversary.peers) is type(peers)

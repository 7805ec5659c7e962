"""Options of topologies and weight rules: their names, types and texts, as the command line shows them."""

import inspect

import pytest

from dfedsam import registry
from dfedsam.launch import help
from dfedsam.topologies import make, rules, table
from dfedsam.topologies.make import parameters, rule_parameters
from dfedsam.topologies.registry import find, find_rule

NAMES = [*(("topology", name) for name in table()), *(("weights", name) for name in rules())]


@pytest.mark.parametrize(("kind", "name"), NAMES)
def test_every_option_has_a_type_and_a_text(kind, name):
    plugin = registry.find(kind, name)
    options = parameters(plugin) if kind == "topology" else rule_parameters(plugin)
    texts = help.options(kind, plugin)
    assert [one.name for one in options] == list(texts)
    assert not {"n", "graph", "class_proportions"} & set(texts)
    for one in options:
        assert not isinstance(one.annotation, str)
        assert one.annotation is not inspect.Parameter.empty
        assert texts[one.name].text


def test_a_file_named_like_a_topology_does_not_replace_it(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "ring").write_text("0 1\n")
    assert make("ring", 5).n == 5


def test_options_of_files_and_of_rules_within_rules(tmp_path):
    (tmp_path / "a.edgelist").write_text("0 1\n")
    file = find(str(tmp_path / "a.edgelist"))
    assert parameters(file)[0].name == "path"
    assert make(file).n == 2
    assert [(one.name, one.default) for one in rule_parameters(find_rule("lazy"))] == [("weights", "metropolis")]
    lazy = find_rule({"class_path": "lazy", "init_args": {"weights": "uniform"}})
    assert (lazy.sums, rule_parameters(lazy)[0].default) == ("rows", "uniform")

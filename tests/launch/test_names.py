"""Short names in any case, import paths, and what is said of unknown ones."""

import pytest

from dfedsam import topologies
from dfedsam.algorithms import DFedSAM
from dfedsam.launch import names
from dfedsam.objectives import PromptTuning
from dfedsam.zeroth_order import TwoPoint


@pytest.mark.parametrize("name", ["DFedSAM", "dfedsam", "d_fed_sam", "D-Fed-SAM", "dfedsam.algorithms.DFedSAM"])
def test_any_spelling(name):
    assert names.find("algorithm", name) is DFedSAM


def test_a_kind_is_known_by_the_last_part_of_its_option():
    assert names.find("algorithm.estimator", "two_point") is TwoPoint
    assert names.find("objective", "prompt_tuning") is PromptTuning
    assert names.find("topology", "Random-Regular") is topologies.random_regular


@pytest.mark.parametrize("kind", [*names.KINDS, names.TOPOLOGY])
def test_every_listed_plugin_is_found_by_its_own_name(kind):
    found = names.table(kind)
    assert found
    assert all(names.find(kind, name) is plugin for name, plugin in found.items())


@pytest.mark.parametrize(
    ("kind", "name", "nearest"),
    [("algorithm", "DFedSMA", "DFedSAM"), ("topology", "gird", "grid"), ("gossip", "plan", "Plain")],
)
def test_an_unknown_name_gets_the_names_and_the_nearest(kind, name, nearest):
    with pytest.raises(ValueError, match=f"{kind} is {name}.*did you mean {nearest}") as caught:
        names.find(kind, name)
    if kind != "topology":  # there are too many of these
        assert all(known in str(caught.value) for known in names.table(kind))


@pytest.mark.parametrize("path", ["dfedsam.objectives.Quadratic", "dfedsam.algorithms.Algorithm"])
def test_an_import_path_must_lead_to_the_kind(path):
    with pytest.raises(ValueError, match="must be a class derived from"):
        names.find("algorithm", path)


def test_an_experiment_is_expanded_through_and_through():
    tree = names.expand(
        "", {"rounds": 3, "algorithm": {"class_path": "dpsgd", "init_args": {"estimator": "two_point"}}}
    )
    assert tree["rounds"] == 3
    assert tree["algorithm"]["class_path"] == "dfedsam.algorithms.dpsgd.DPSGD"
    assert (
        tree["algorithm"]["init_args"]["estimator"]["class_path"] == "dfedsam.zeroth_order.finite_differences.TwoPoint"
    )


def test_a_graphs_file_is_an_option_of_its_reader():
    assert names.expand("topology", "friends.graphml") == {
        "class_path": "from_file",
        "init_args": {"path": "friends.graphml"},
    }

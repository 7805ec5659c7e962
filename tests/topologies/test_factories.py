"""Topologies and weight rules as typed factories: every option, its type, its text, and what it builds."""

import inspect
from importlib import import_module

import numpy as np
import pytest

from dfedsam.topologies import Topology, WeightRule, factory, make, rules, table, verify, weight_factory
from tests.topologies.sizes import SIZES


@pytest.mark.parametrize("name", table())
def test_every_topology_has_a_typed_signature_and_a_text_for_each_option(name):
    build = factory(name)
    signature = inspect.signature(build)
    assert signature.return_annotation is Topology
    assert "class_proportions" not in signature.parameters
    for key, parameter in signature.parameters.items():
        assert not isinstance(parameter.annotation, str)
        assert parameter.annotation is not inspect.Parameter.empty
        assert key == "n" or f"    {key}: " in build.__doc__
    assert build is not factory(name)
    assert getattr(import_module(build.__module__), name).__doc__ == build.__doc__


@pytest.mark.parametrize("name", SIZES)
def test_a_factory_builds_what_make_does(name):
    n = SIZES[name][-1]
    built, made = factory(name)(n=n, weights="max_degree"), make(name, n, weights="max_degree")
    assert built.description == made.description
    np.testing.assert_array_equal(built.weights(0).data, made.weights(0).data)
    verify(built)


@pytest.mark.parametrize("name", rules())
def test_every_rule_has_a_factory(name):
    signature = inspect.signature(weight_factory(name))
    assert signature.return_annotation is WeightRule
    assert "graph" not in signature.parameters
    if not any(parameter.default is inspect.Parameter.empty for parameter in signature.parameters.values()):
        assert weight_factory(name)().description in (name, {"class_path": name, "init_args": {}})


def test_options_of_files_and_of_nested_topologies(tmp_path):
    (tmp_path / "a.edgelist").write_text("0 1\n")
    build = factory(str(tmp_path / "a.edgelist"))
    assert inspect.signature(build).parameters["path"].default == str(tmp_path / "a.edgelist")
    assert build().n == 2
    inner = {"class_path": "grid", "init_args": {"rows": 2}}
    assert factory("link_failures")(n=8, topology=inner, p=0.5).description["init_args"]["topology"] == inner
    lazy = weight_factory("lazy")(weights="uniform")
    assert (lazy.sums, lazy.description) == ("rows", {"class_path": "lazy", "init_args": {"weights": "uniform"}})

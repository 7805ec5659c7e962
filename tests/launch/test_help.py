"""Help teaches: a sentence, the options and an example for each command, a plug-in's own options from its docstring."""

import re

import pytest

from dfedsam.launch.cli import COMMANDS


@pytest.mark.parametrize("flag", ["--help", "-h", "help"])
def test_the_first_help_names_every_command(dfedsam, flag):
    said = dfedsam(flag)
    assert said.status == 0
    assert all(f"  {name} " in said.out for name in COMMANDS)
    assert "examples:" in said.out


def test_no_command_shows_the_help_and_fails(dfedsam):
    assert dfedsam().status == 2


@pytest.mark.parametrize("command", COMMANDS)
def test_help_of_a_command_has_usage_and_an_example(dfedsam, command):
    said = dfedsam(command, "--help")
    assert said == dfedsam(command, "-h")
    assert said.status == 0
    assert f"usage: dfedsam {command}" in said.out
    assert f"  dfedsam {command}" in said.out.partition("example")[2]


def test_help_of_run_has_every_option(dfedsam):
    out = dfedsam("run", "--help").out
    for option in (
        *("config", "print_config", "topology", "peers", "algorithm", "objective", "rounds", "seed", "dtype", "ranks"),
        *("evaluate_every", "checkpoint_every", "cosine", "references", "draw_split", "out", "figure"),
    ):
        assert f"--{option} " in out
    assert "seed of all random numbers" in out  # from the docstring


@pytest.mark.parametrize(
    ("option", "names"),
    [
        ("topology", ["ring", "random_regular", "base"]),
        ("topology.weights", ["metropolis"]),
        ("topology.topologies", ["ring"]),
        ("algorithm", ["dfedsam", "dfedsam_mg", "dpsgd", "local_only", "central_average", "fedbpt", "gossip_cmaes"]),
        ("objective", ["quadratic", "logistic_regression", "prompt_tuning"]),
        ("algorithm.estimator", ["two_point", "one_sided", "coordinate_wise", "spsa", "policy_gradient", "exact"]),
        ("algorithm.gossip", ["plain"]),
        ("objective.split", ["iid", "dirichlet", "shards", "quantity_skew"]),
        ("objective.blackbox", ["dual_encoder", "masked_lm", "causal_lm", "endpoint", "function", "image_text"]),
        ("objective.parameters", ["full_prompt", "random_projection", "discrete_prompt", "prompt_generator"]),
    ],
)
def test_help_of_a_kind_lists_its_plugins(dfedsam, option, names):
    said = dfedsam("run", f"--{option}.help")
    assert said.status == 0
    assert all(re.search(rf"^  {name}\b", said.out, re.MULTILINE) for name in names)


@pytest.mark.parametrize(
    ("argv", "options"),
    [
        (("--topology.help", "grid"), ["--topology.rows"]),
        (("--topology.help=erdos-renyi",), ["--topology.p", "--topology.seed"]),
        (("--topology.help", "link_failures"), ["--topology.topology NAME", "--topology.p float"]),
        (("--topology.topology.help", "base"), ["--topology.topology.degree int"]),
        (("--topology.topologies.help", "davis"), ["--topology.topology.weights NAME"]),
        (("--topology.weights.help", "lazy"), ["--topology.weights.weights NAME", "(default: metropolis)"]),
        (("--topology.help", "networkx.barbell_graph"), ["--topology networkx.barbell_graph", "--topology.m1 int"]),
        (("--algorithm.help", "DFedSAM"), ["--algorithm.rho", "--algorithm.lr", "--algorithm.estimator"]),
        (("--algorithm.estimator.help", "two_point"), ["--algorithm.estimator.directions"]),
        (("--objective.help", "prompt_tuning"), ["--objective.words", "--objective.split"]),
        (("--objective.blackbox.help", "causal_lm"), ["--objective.blackbox.template", "--objective.blackbox.cache"]),
    ],
)
def test_help_of_a_plugin_has_its_options(dfedsam, argv, options):
    said = dfedsam("run", *argv)
    assert said.status == 0
    assert all(option in said.out for option in options)


def test_help_of_a_plugin_explains_inherited_options(dfedsam):
    out = dfedsam("run", "--algorithm.help", "DFedSAMMG").out
    assert "the length of SAM's perturbation" in out
    assert "local steps in a round, at least 1" in out

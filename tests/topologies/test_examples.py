"""The examples in docstrings of topologies run and give what they say."""

import doctest
import importlib
import pkgutil

import pytest

import dfedsam.topologies as package

MODULES = [module.name for module in pkgutil.walk_packages(package.__path__, "dfedsam.topologies.")]
EXAMPLES = {
    test.name: test
    for name in MODULES
    for test in doctest.DocTestFinder(exclude_empty=True).find(importlib.import_module(name))
    if test.examples
} | {
    test.name: test
    for name, rule in package.rules().items()
    for test in doctest.DocTestFinder().find(rule.function, f"rule {name}", globs=vars(package).copy())
    if test.examples
}


def test_the_main_entry_points_have_examples():
    names = {name.rpartition(".")[2] for name in EXAMPLES}
    assert names >= {"make", "ring", "verify", "rule metropolis"}


@pytest.mark.parametrize("name", EXAMPLES)
def test_example(name):
    runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS)
    said = []
    runner.run(EXAMPLES[name], out=said.append)
    assert not runner.failures, "".join(said)

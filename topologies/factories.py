"""Topologies and weight rules as typed factories: plug-ins with a signature and a docstring, like all other kinds.

A graph function such as `ring(n) -> nx.Graph` is written in networkx's manner, and a schedule gives a whole `Topology`.
`factory` makes them alike: a function from the number of peers and all options, the graph's `weights` among them, to a
`Topology`. Factories of our own can be imported by their public name: `dfedsam.topologies.factories.ring`.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import partial
from typing import Any

from dfedsam.errors import OptionError
from dfedsam.topologies import registry
from dfedsam.topologies.make import PASSED, Spec, make
from dfedsam.topologies.topology import Topology
from dfedsam.topologies.weights.rules import WeightRule

Parameter = inspect.Parameter
_N = "number of peers; None if the topology determines it itself, as a file does."
_WEIGHTS = "from the graph to W; None takes metropolis, for a directed graph out_degree."


def factory(name: str) -> Callable[..., Topology]:
    """The topology of this name as a function of `n` and its options, by keyword.

    Its `__signature__` lists all options with resolved types and the return type `Topology`; its `__doc__` describes
    each under Args. Nested plug-ins keep their names: options `topology` and `weights` take a `Spec` (a name or
    {"class_path", "init_args"}), `topologies` a sequence of them. What a run passes itself (`class_proportions`) is a
    parameter of the call, but not listed. jsonargparse takes it as it is:

        parser.add_function_arguments(factory("random_regular"), "topology", skip={"n", "seed"})

    and the topology is `factory(name)(n=peers, **options)`, or `make({"class_path": name, "init_args": options}, peers,
    seed)`, which also passes the run's seed where the options have none.

    Args:
        name: as for `find`: a public name, a file, networkx.NAME or an import path.

    Raises:
        OptionError: as for `find`.

    >>> from dfedsam.topologies import factory
    >>> factory("random_regular").__signature__
    <Signature (n: int | None = None, *, degree: int = 4, seed: int = 0, weights: ... = None) -> ...Topology>
    >>> factory("ring")(n=8).n
    8
    """
    function = registry.find(name)
    fixed: dict[str, Any] = {}
    if isinstance(function, partial):
        function, fixed = function.func, dict(function.keywords)
    signature = inspect.signature(function, eval_str=True)

    def build(n: int | None = None, **options: Any) -> Topology:
        return make(function, n, **{**fixed, **options})

    options = [
        parameter.replace(kind=Parameter.KEYWORD_ONLY, default=fixed.get(key, parameter.default))
        for key, parameter in signature.parameters.items()
        if key not in ("n", *PASSED) and parameter.kind not in (Parameter.VAR_POSITIONAL, Parameter.VAR_KEYWORD)
    ]
    lines = [f"    n: {_N}"] if "n" in signature.parameters else []
    if _gives_graph(signature):
        options.append(Parameter("weights", Parameter.KEYWORD_ONLY, default=None, annotation=Spec | None))
        lines.append(f"    weights: {_WEIGHTS}")
    size = Parameter("n", Parameter.POSITIONAL_OR_KEYWORD, default=None, annotation=int | None)
    _present(build, function, inspect.Signature([size, *options], return_annotation=Topology), lines)
    return build


def weight_factory(name: str) -> Callable[..., WeightRule]:
    """The weight rule of this name as a function of its options, by keyword, typed and documented as in `factory`.

    Args:
        name: as for `find_rule`: a public name, a file that holds W, or an import path.

    Raises:
        OptionError: as for `find_rule`.

    >>> from dfedsam.topologies import ring, weight_factory
    >>> weight_factory("lazy")(weights="metropolis")(ring(4)).diagonal().round(3).tolist()
    [0.667, 0.667, 0.667, 0.667]
    """
    rule = registry.find_rule(name)
    signature = inspect.signature(rule.function, eval_str=True)

    def build(**options: Any) -> WeightRule:
        return registry.find_rule({"class_path": name, "init_args": options})

    options = [
        parameter.replace(kind=Parameter.KEYWORD_ONLY, default=rule.options.get(key, parameter.default))
        for key, parameter in list(signature.parameters.items())[1:]
    ]
    options = [
        option.replace(annotation=Spec, default=option.default.description)
        if isinstance(option.default, WeightRule)
        else option
        for option in options
    ]
    _present(build, rule.function, inspect.Signature(options, return_annotation=WeightRule), [])
    return build


def __getattr__(name: str) -> Callable[..., Any]:
    """The factory of one of our topologies or weight rules by its public name, so that its import path works."""
    try:
        if name in registry.table():
            return factory(name)
        if name in registry.rules():
            return weight_factory(name)
    except OptionError as error:
        raise AttributeError(str(error)) from None
    raise AttributeError(f"module {__name__} has no attribute {name}")


def _gives_graph(signature: inspect.Signature) -> bool:
    """Whether a function gives a graph, which needs a weight rule; a whole topology is annotated as such."""
    gives = signature.return_annotation
    return not (isinstance(gives, type) and issubclass(gives, Topology))


def _present(build: Any, function: Callable[..., Any], signature: inspect.Signature, lines: list[str]) -> None:
    """Give a factory the name, docstring and signature under which the command line shows it."""
    doc = inspect.getdoc(function) or ""
    head, args, rest = doc.partition("\nArgs:\n")
    if lines and not args:
        head, args, rest = f"{head}\n", "\nArgs:\n", ""
    first, _, others = rest.partition("\n\n")
    own = [line for line in first.splitlines() if not line.startswith("    n:")]
    build.__doc__ = f"{head}{args}" + "\n".join([*own, *lines]) + (f"\n\n{others}" if others else "\n")
    ours = function.__module__.partition(".")[0] == "dfedsam"
    build.__module__ = __name__ if ours else function.__module__
    build.__name__ = build.__qualname__ = function.__name__
    build.__signature__ = signature

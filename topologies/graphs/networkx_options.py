"""The options of a function of networkx, as its signature and its docstring have them: typed, and given by name."""

import inspect
import re
from collections.abc import Callable, Mapping
from typing import Any

import networkx as nx

_HIDDEN = ("backend", "backend_kwargs", "create_using", "default")  # the last: of empty_graph, a class
_TYPES = {r"(list|tuple|sequence|iterable)": list, r"int": int, r"float": float, r"bool": bool}
_OURS = {
    "networkx_n": "networkx's own n, for graphs where that is not the number of peers; None takes the number of peers.",
    "seed": "Seed, at least 0.",
}
_SECTION = re.compile(r"^Parameters\n-+\n(.*?)(?=^\w[^\n]*\n---|\Z)", re.DOTALL | re.MULTILINE)
_ENTRY = re.compile(r"^(\w[\w, ]*?) *: *(.*)\n((?: .*\n|\n)*)", re.MULTILINE)
_MARKS = re.compile(r":\w+:(?=`)|[`$]| ?<[^>`]*>(?=`)")  # of reStructuredText


def signature(function: Callable[..., Any]) -> inspect.Signature:
    """Its options by name, n first, without those that say nothing of the graph.

    Types are those that the docstring or a default says, else Any. A function with an n gets `networkx_n` too, and the
    seed is 0 where networkx has none.
    """
    theirs = inspect.signature(function).parameters
    kinds = {name: kind for name, (kind, _) in _entries(function).items()}
    found = [
        _typed(parameter, kinds.get(name, "")).replace(kind=inspect.Parameter.KEYWORD_ONLY)
        for name, parameter in theirs.items()
        if name not in (*_HIDDEN, "n") and parameter.kind != parameter.VAR_KEYWORD
    ]
    if "n" in theirs:
        n = inspect.Parameter("n", inspect.Parameter.POSITIONAL_OR_KEYWORD, annotation=int)
        own = inspect.Parameter("networkx_n", inspect.Parameter.KEYWORD_ONLY, default=None, annotation=int | None)
        found = [n, *found, own]
    return inspect.Signature(found, return_annotation=nx.Graph)


def docstring(function: Callable[..., Any], options: Mapping[str, inspect.Parameter]) -> str:
    """What networkx says of the function and of these options, in the form of our own docstrings."""
    first = _plain((inspect.getdoc(function) or function.__name__).split("\n\n")[0])
    texts = {name: text for name, (_, text) in _entries(function).items()} | _OURS
    return "\n".join(
        [f"{first} (networkx)", "", "Args:", *(f"    {name}: {texts.get(name, '')}" for name in options), ""]
    )


def _typed(parameter: inspect.Parameter, kind: str) -> inspect.Parameter:
    if parameter.kind is parameter.VAR_POSITIONAL:
        return inspect.Parameter(parameter.name, inspect.Parameter.KEYWORD_ONLY, annotation=list)
    default = 0 if parameter.name == "seed" else parameter.default
    annotation: Any = next((known for word, known in _TYPES.items() if re.match(word, kind.lower())), Any)
    if annotation is Any and isinstance(default, (bool, int, float)):
        annotation = type(default)
    if default is None and annotation is not Any:
        annotation = annotation | None
    return parameter.replace(default=default, annotation=annotation)


def _entries(function: Callable[..., Any]) -> dict[str, tuple[str, str]]:
    """Type and text of each option in networkx's docstring."""
    section = _SECTION.search(inspect.getdoc(function) or "")
    entries = _ENTRY.findall(section[1] + "\n") if section else []
    return {name.strip(): (kind, _plain(text)) for names, kind, text in entries for name in names.split(",")}


def _plain(text: str) -> str:
    return " ".join(_MARKS.sub("", text).split())

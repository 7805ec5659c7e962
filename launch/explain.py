"""What a plug-in's options are, from its signature and docstrings, and the help that says so."""

from __future__ import annotations

import inspect
import re
import textwrap
from dataclasses import dataclass
from typing import Any, get_origin

from dfedsam.launch import names

WIDTH = 100


@dataclass(frozen=True)
class Option:
    """One option of a plug-in: its type as written, its default, and what the docstring says of it."""

    type: str
    default: Any
    text: str


WEIGHTS = Option("NAME", None, "From the graph to W (default: metropolis; for a directed graph out_degree).")
HIDDEN = ("n", "graph", "class_proportions")  # of topologies and weight rules: what the program itself passes


def options(plugin: names.Plugin) -> dict[str, Option]:
    """The options of a plug-in by name; a topology's number of peers is not among them."""
    from docstring_parser import parse

    sources = reversed(inspect.getmro(plugin)) if isinstance(plugin, type) else [plugin]
    texts = {
        param.arg_name: param.description or "" for source in sources for param in parse(source.__doc__ or "").params
    }
    found = {
        name: Option(_type(parameter), parameter.default, " ".join(texts.get(name, "").split()))
        for name, parameter in inspect.signature(plugin).parameters.items()
        if name not in HIDDEN and parameter.kind not in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD)
    }
    return {**found, "weights": WEIGHTS} if _takes_weights(plugin) else found


def _takes_weights(plugin: names.Plugin) -> bool:
    """Whether it gives a graph, for which a weight rule can be chosen; a whole topology brings its weights."""
    signature = inspect.signature(plugin)
    gives = signature.return_annotation
    return not isinstance(plugin, type) and "graph" not in signature.parameters and "Topology" not in str(gives)


def _type(parameter: inspect.Parameter) -> str:
    annotation = parameter.annotation
    if annotation is inspect.Parameter.empty:
        return ""
    simple = isinstance(annotation, type) and get_origin(annotation) is None
    return annotation.__name__ if simple else str(annotation)


def plugin_help(option: str, plugin: names.Plugin) -> str:
    """The help of one plug-in, as `--algorithm.help DFedSAM` prints it."""
    plugin = getattr(plugin, "func", plugin)  # a file's name is a partial of the function that reads it
    ours = plugin.__module__.partition(".")[0] in ("topologies", "dfedsam")
    name = plugin.__name__ if ours else f"{plugin.__module__}.{plugin.__qualname__}"
    doc = inspect.getdoc(plugin) or ""
    lines = [f"--{option} {name}", "", *_prose(doc), ""]
    own = options(plugin)
    lines.append(
        f"Its options, each also in a file as {option}: {{class_path: {name}, init_args: {{…}}}}:"
        if own
        else "It has no options."
    )
    for key, value in own.items():
        head = f"  --{option}.{key} {_kind_of_value(key, value.type)}".rstrip()
        text = " ".join(part for part in (value.text, _default(key, value.default)) if part)
        if names.is_kind(key) or names.is_list(key):
            text += f" Names and options: --{option}.{key}.help"
        lines += [head, *textwrap.wrap(text, WIDTH, initial_indent=" " * 8, subsequent_indent=" " * 8)]
    return "\n".join(lines)


def kind_help(option: str) -> str:
    """The classes of an option's kind with a line each, as `--algorithm.help` prints them."""
    kind = option.rpartition(".")[2]
    lines = [f"--{option} NAME, where NAME is (any case, with or without _ and -)"]
    for name, plugin in names.table(kind).items():
        first = re.split(r"(?<=\.)\s", " ".join(_prose(inspect.getdoc(plugin) or "")))[0]
        lines += [f"  {name}", *textwrap.wrap(first, WIDTH, initial_indent=" " * 8, subsequent_indent=" " * 8)]
    return "\n".join([*lines, "  … or the import path of your own class", f"The options of one: --{option}.help NAME"])


def _prose(doc: str) -> list[str]:
    """A docstring up to its list of arguments, a line a paragraph folded to the width."""
    for section in ("Args:", "Raises:", "Returns:", "Attributes:"):
        doc = doc.split(f"\n{section}")[0]
    paragraphs = [" ".join(paragraph.split()) for paragraph in doc.strip().split("\n\n")]
    return [line for paragraph in paragraphs for line in textwrap.wrap(paragraph, WIDTH)]


def _kind_of_value(key: str, type_: str) -> str:
    if names.is_list(key):
        return "NAME,NAME,…"
    return "NAME" if names.is_kind(key) else re.sub(r"\b(\w+\.)+(?=\w)", "", type_).removesuffix(" | None")


def _default(key: str, default: Any) -> str:
    if default is inspect.Parameter.empty:
        return "(required)"
    if default is None:
        return ""  # the text says what then
    if key == "seed":
        return "(default: the run's seed)"
    if names.is_kind(key) and not isinstance(default, (str, dict)):
        return f"(default: {type(default).__name__})"
    return f"(default: {default})"

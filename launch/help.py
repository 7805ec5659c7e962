"""Help from signatures and docstrings: of commands, of the experiment's options, and of plug-ins."""

from __future__ import annotations

import inspect
import re
import textwrap
import types
import typing
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from dfedsam import registry
from dfedsam.launch import options as experiment, signatures
from dfedsam.launch.lists import WIDTH, plugin_name, topologies_list, weights_list
from dfedsam.launch.signatures import EMPTY, MissingValue

_INDENT = 24  # column of the texts of options
_PLUGINS = {
    "topology": "the communication graph: ring, erdos_renyi, base, link_failures, …, a graph file, or an import path; "
    "dfedsam topology --list shows all",
    "algorithm": "the steps of a round: dfedsam, dfedsam_mg, dpsgd, …, or an import path",
    "objective": "the function to minimise: quadratic, logistic_regression, prompt_tuning, or an import path",
}


def command_help(command: Callable[..., int]) -> str:
    """The help of a command: its docstring and options."""
    first, own = positional(command), dict(signatures.options_of(command))
    own.pop("_dotted", None)
    words = [] if first is None else [f"{first.upper()}{f' [{first.upper()} …]' * takes_several(command)}"]
    head = [] if first is None else _entry(first.upper(), _texts(command)[first])
    own.pop(first or "", None)
    return _page(command, [command.__name__, *words, "[--OPTION VALUE …]"], [*head, *_entries(own, _texts(command))])


def plan_help(command: Callable[..., int], prices: type) -> str:
    """The help of `dfedsam plan`: its own options, which are the fields of a dataclass."""
    usage = ["plan", "[STUDY.yaml]", "[--config FILE.yaml]", "[--OPTION VALUE …]"]
    return _page(command, usage, _entries(signatures.options_of(prices), _texts(prices)))


def _entries(options: dict[str, signatures.Option], texts: dict[str, str]) -> list[str]:
    lines = []
    for name, one in options.items():
        lines += _entry(f"--{name}" + f" {_metavar(one.hint)}" * (one.hint is not bool), texts[name])
    return lines


def run_help(command: Callable[..., int]) -> str:
    """The help of `dfedsam run`, with all options of an experiment."""
    from dfedsam.experiment import Experiment

    own = signatures.options_of(experiment.command)
    texts = _texts(Experiment) | _texts(experiment.command) | _PLUGINS
    all_options = {"config": own["config"], **experiment.experiment_options(), **own}
    lines: list[str] = []
    for name, one in all_options.items():
        kind = name in registry.KINDS
        text = texts[name] + f" --{name}.help lists them" * (kind and name not in _PLUGINS)
        default = "" if name in own or kind else _default(name, one.default)
        flag = one.hint is bool and name in own  # --quiet alone says it
        lines += _entry(f"--{name}" + f" {'NAME' if kind else _metavar(one.hint)}" * (not flag), f"{text} {default}")
    return _page(command, ["run", "[--config FILE.yaml]", "[--OPTION VALUE …]"], lines)


def prose(command: Callable[..., int]) -> tuple[str, str]:
    """A command's docstring without its arguments: the text, and the examples."""
    text, _, examples = (inspect.getdoc(command) or "").partition("\n\nExamples:\n")
    return text.partition("\n\nArgs:\n")[0], inspect.cleandoc(examples)


def positional(command: Callable[..., int]) -> str | None:
    """The parameter that receives words that belong to no option."""
    first = next(iter(inspect.signature(command).parameters.values()), None)
    return first.name if first is not None and first.kind is first.POSITIONAL_OR_KEYWORD else None


def takes_several(command: Callable[..., int]) -> bool:
    """Whether that parameter takes several words."""
    name = positional(command)
    return name is not None and typing.get_origin(signatures.options_of(command)[name].hint) is list


@dataclass(frozen=True)
class Option:
    """One option of a plug-in: its type in words, its default, and its text in the docstring."""

    type: str
    default: Any
    text: str


def options(kind: str, plugin: registry.Plugin) -> dict[str, Option]:
    """The options of a plug-in by name."""
    texts, found = _texts(signatures.signature_of(kind, plugin)), {}
    for key, one in signatures.plugin_options(kind, plugin).items():
        type_ = "NAME,NAME,…" if registry.list_kind(key) else "NAME" if registry.kind_of(key) else _metavar(one.hint)
        default = one.default["class_path"] if isinstance(one.default, dict) else one.default
        found[key] = Option(type_, default, " ".join(texts.get(key, "").split()))
    return found


def plugin_help(option: str, name: str | None) -> str:
    """The help of one plug-in for this option, or of all plug-ins.

    Raises:
        OptionError: if the option takes no plug-in, or no plug-in has this name.
    """
    listed = registry.list_kind(option)
    if listed:
        option = f"{option.rpartition('.')[0]}.{listed}".lstrip(".")
    kind = registry.kind_of(option)
    if kind is None:
        raise MissingValue(option, "is not a plug-in, so it has no help of its own; see --help")
    if name:
        return _one(option, kind, registry.find(option, name))
    if kind == "topology":
        return topologies_list(option)
    return weights_list(option) if kind == "weights" else _kind(option, kind)


def _page(command: Callable[..., int], usage: list[str], entries: list[str]) -> str:
    text, examples = prose(command)
    end = ["examples:", *(f"  {line}" for line in examples.splitlines())]
    listed = ["options:", *entries, ""] if entries else []
    return "\n".join([" ".join(["usage: dfedsam", *usage]), "", text, "", *listed, *end])


def _entry(head: str, text: str) -> list[str]:
    """An option and its text, which begins beside it if there is room."""
    indent = " " * _INDENT
    lines = textwrap.wrap(" ".join(text.split()), WIDTH, initial_indent=indent, subsequent_indent=indent)
    head = f"  {head}"
    if len(head) > _INDENT - 2 or not lines:
        return [head, *lines]
    return [f"{head:<{_INDENT}}{lines[0].lstrip()}", *lines[1:]]


def _texts(function: Callable[..., Any]) -> dict[str, str]:
    """What docstrings say of each option, those of base classes too."""
    from docstring_parser import parse

    sources = reversed(inspect.getmro(function)) if isinstance(function, type) else [function]
    return {one.arg_name: one.description or "" for source in sources for one in parse(source.__doc__ or "").params}


def _one(option: str, kind: str, plugin: registry.Plugin) -> str:
    """One plug-in: its text, and its options."""
    made = signatures.signature_of(kind, plugin)
    name, own = registry.public_name(made), options(kind, plugin)
    lines = [f"--{option} {name}", "", *_prose(inspect.getdoc(made) or ""), ""]
    where = f"Options (in a file: {option}: {{class_path: {name}, init_args: {{…}}}}):"
    lines.append(where if own else "It has no options.")
    for key, one in own.items():
        parts = [one.text, _default(key, one.default)]
        if registry.kind_of(key) or registry.list_kind(key):
            parts.append(f"Names and options: --{option}.{key}.help")
        lines += _entry(f"--{option}.{key} {one.type}", " ".join(filter(None, parts)))
    return "\n".join(lines)


def _kind(option: str, kind: str) -> str:
    lines = [f"--{option} NAME, where NAME is (in any case, with or without _ and -)"]
    for name, plugin in registry.plugins(kind).items():
        lines += _entry(name, re.split(r"(?<=\.)\s", " ".join(_prose(inspect.getdoc(plugin) or "")))[0])
    return "\n".join([*lines, "  … or the import path of your own class", f"Options of one: --{option}.help NAME"])


def _prose(doc: str) -> list[str]:
    """A docstring up to its list of arguments, folded to the width."""
    for section in ("Args:", "Raises:", "Returns:", "Attributes:"):
        doc = doc.split(f"\n{section}")[0]
    paragraphs = [" ".join(paragraph.split()) for paragraph in doc.strip().split("\n\n")]
    return [line for paragraph in paragraphs for line in textwrap.wrap(paragraph, WIDTH)]


def _metavar(hint: Any) -> str:
    """A type as it stands beside an option: int, {own,same}, or float or {theory,tuned}."""
    origin, inner = typing.get_origin(hint), typing.get_args(hint)
    if origin is Literal:
        return f"{{{','.join(map(str, inner))}}}"
    if origin is typing.Union or origin is types.UnionType:
        return " or ".join(_metavar(one) for one in inner if one is not types.NoneType)
    if hint is bool:
        return "{true,false}"
    return "[…]" if origin else getattr(hint, "__name__", str(hint)).replace("Any", "VALUE")


def _default(key: str, default: Any) -> str:
    if default is EMPTY:
        return "(required)"
    if default is None or default == ():  # the text explains it
        return "(default: the run's seed)" if key == "seed" else ""
    return f"(default: {plugin_name(key, default)})"

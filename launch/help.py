"""Help from signatures and docstrings: pages of commands, help of plug-ins, and lists of them."""

from __future__ import annotations

import inspect
import re
import textwrap
import typing
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from dfedsam import registry
from dfedsam.launch import arguments, options as experiment, signatures
from dfedsam.launch.arguments import Pair
from dfedsam.launch.signatures import EMPTY, MissingValue, metavar

if TYPE_CHECKING:
    from docstring_parser import Docstring

WIDTH = 100
_INDENT = 24  # column of the texts of options
_PLUGINS = {
    "topology": "the communication graph: ring, erdos_renyi, base, link_failures, …, a graph file, or an import path; "
    "dfedsam topology --list shows all",
    "algorithm": "the steps of a round: dfedsam, dfedsam_mg, dpsgd, …, or an import path",
    "objective": "the function to minimise: quadratic, logistic_regression, prompt_tuning, or an import path",
}
_WEIGHTS = "from the graph to W; None takes metropolis, for a directed graph out_degree."


def answer(pairs: Iterable[Pair], page: Callable[[], str]) -> str | None:
    """The help that a command line asks for: the command's page, or that of a plug-in; None if it asks for none.

    Raises:
        OptionError: if the option takes no plug-in, or no plug-in has this name.
    """
    for option, value in pairs:
        if option == "help":
            return page()
        if option.endswith(".help"):
            return plugin_help(option.removesuffix(".help"), value)
    return None


def command_help(
    command: Callable[..., int], usage: Iterable[str] = (), described: Callable[..., Any] | None = None
) -> str:
    """The page of a command: its docstring and options.

    `usage` follows its name, before the options, which are the parameters of `described` or of the command itself.
    """
    described = described or command
    (first, several), texts = positional(described), _texts(described)
    parameters = {name: one for name, one in signatures.options_of(described).items() if name != "_dotted"}
    words, head = list(usage), []
    if first is not None:
        del parameters[first]
        words.append(f"{first.upper()}{f' [{first.upper()} …]' * several}")
        head = _entry(first.upper(), texts[first])
    return _page(command, [*words, "[--OPTION VALUE …]"], [*head, *_entries(parameters, texts)])


def run_help(command: Callable[..., int]) -> str:
    """The page of `dfedsam run`, with all options of an experiment."""
    from dfedsam.experiment import Experiment

    parameters = signatures.options_of(experiment.command)
    every = {"config": parameters["config"], **experiment.experiment_options(), **parameters}
    texts = _texts(Experiment) | _texts(experiment.command) | _PLUGINS
    fields = every.keys() - parameters.keys()
    return _page(command, ["[--config FILE.yaml]", "[--OPTION VALUE …]"], _entries(every, texts, fields))


def examples(command: Callable[..., int]) -> list[str]:
    """The command lines that a command's docstring shows."""
    return (_parsed(command).examples[0].description or "").splitlines()


def positional(command: Callable[..., int]) -> tuple[str | None, bool]:
    """The parameter that receives words that belong to no option, if any, and whether it takes several."""
    first = next(iter(inspect.signature(command).parameters.values()), None)
    if first is None or first.kind is not first.POSITIONAL_OR_KEYWORD:
        return None, False
    return first.name, typing.get_origin(signatures.options_of(command)[first.name].hint) is list


@dataclass(frozen=True)
class Option:
    """One option of a plug-in: its type in words, its default, and its text in the docstring."""

    type: str
    default: Any
    text: str


def options(kind: str, plugin: registry.Plugin) -> dict[str, Option]:
    """The options of a plug-in by name."""
    texts, entries = {"weights": _WEIGHTS} | _texts(plugin), {}
    for key, one in signatures.plugin_options(kind, plugin).items():
        type_ = "NAME,NAME,…" if registry.list_kind(key) else "NAME" if registry.kind_of(key) else metavar(one.hint)
        entries[key] = Option(type_, plugin_name(key, one.default), " ".join(texts.get(key, "").split()))
    return entries


def plugin_help(option: str, name: str | None) -> str:
    """The help of one plug-in for this option, or of all plug-ins.

    Raises:
        OptionError: if the option takes no plug-in, or no plug-in has this name.
    """
    if registry.list_kind(option):
        option = arguments.item(option)
    kind = registry.kind_of(option)
    if kind is None:
        raise MissingValue(option, "is not a plug-in, so it has no help of its own; see --help")
    if name:
        return _one(option, kind, registry.find(option, name))
    return plugin_list(kind, option)


def plugin_list(kind: str, option: str) -> str:
    """All plug-ins of a kind, which an option takes: names and descriptions, of functions also options and defaults."""
    lines = [f"--{option} NAME, where NAME is (in any case, with or without _ and -)"]
    for group, plugins in _groups(kind).items():
        lines += ["", group] if group else []
        for name, plugin in plugins.items():
            lines += _entry(name, f"{sentence(plugin)} {_written(kind, plugin)}")
    lines += ["", "others"] if registry.KINDS[kind].functions else []
    for name, text in _others(kind).items():
        lines += _entry(name, text)
    return "\n".join([*lines, "", f"Options of one: --{option}.help NAME"])


def table() -> list[dict[str, Any]]:
    """Topologies and weight rules as plain values: group, name, text and options with their defaults."""
    return [
        {"group": group, "name": name, "text": sentence(plugin), "options": dict(_defaults(kind, plugin))}
        for kind in ("topology", "weights")
        for group, plugins in _groups(kind).items()
        for name, plugin in plugins.items()
    ]


def plugin_name(key: str, default: Any) -> Any:
    """A default value; a plug-in by its name."""
    if not registry.kind_of(key) or default is None or default is EMPTY or isinstance(default, str):
        return default
    return default["class_path"] if isinstance(default, dict) else registry.public_name(default)


def sentence(plugin: registry.Plugin) -> str:
    """The first sentence of a plug-in's docstring, without its source."""
    first = re.split(r"(?<=\.)\s", " ".join(_description(plugin).partition("\n\n")[0].split()))[0]
    return re.sub(r"\s*\([^()]*\d{4}[^()]*\)\.$", ".", first).replace("`", "")


def _page(command: Callable[..., int], usage: Iterable[str], entries: Iterable[str]) -> str:
    first = " ".join(["usage: dfedsam", command.__name__, *usage])
    listed = ["options:", *entries, ""] if (entries := list(entries)) else []
    shown = ["examples:", *(f"  {line}" for line in examples(command))]
    return "\n".join([first, "", _description(command), "", *listed, *shown])


def _entries(every: dict[str, signatures.Option], texts: dict[str, str], fields: Collection[str] = ()) -> Iterator[str]:
    """The lines of options. Those of `fields` always take a value, and have defaults that their texts do not say."""
    for name, one in every.items():
        kind, field = name in registry.KINDS, name in fields
        value = "NAME" if kind else metavar(one.hint) if field or one.hint is not bool else ""
        listed = f"--{name}.help lists them" if kind and name not in _PLUGINS else ""
        default = _default(name, one.default) if field and not kind else ""
        yield from _entry(f"--{name} {value}".rstrip(), f"{texts[name]} {listed} {default}")


def _entry(head: str, text: str) -> list[str]:
    """An option and its text, which begins beside it if there is room."""
    indent = " " * _INDENT
    lines = textwrap.wrap(" ".join(text.split()), WIDTH, initial_indent=indent, subsequent_indent=indent)
    head = f"  {head}"
    if len(head) > _INDENT - 2 or not lines:
        return [head, *lines]
    return [f"{head:<{_INDENT}}{lines[0].lstrip()}", *lines[1:]]


def _parsed(function: Callable[..., Any]) -> Docstring:
    from docstring_parser import parse  # it takes a while to import

    function = getattr(function, "func", function)  # a file's name is a partial of its reader
    return parse(inspect.getdoc(function) or "")


def _description(function: Callable[..., Any]) -> str:
    """A docstring without its sections."""
    return _parsed(function).description or ""


def _texts(function: Callable[..., Any]) -> dict[str, str]:
    """What docstrings say of each option, those of base classes too."""
    sources = reversed(inspect.getmro(function)) if isinstance(function, type) else [function]
    return {one.arg_name: one.description or "" for source in sources for one in _parsed(source).params}


def _one(option: str, kind: str, plugin: registry.Plugin) -> str:
    """One plug-in: its text, and its options."""
    name, parameters = registry.public_name(plugin), options(kind, plugin)
    where = f"Options (in a file: {option}: {{class_path: {name}, init_args: {{…}}}}):"
    text = [
        line for part in _description(plugin).split("\n\n") for line in textwrap.wrap(" ".join(part.split()), WIDTH)
    ]
    lines = [f"--{option} {name}", "", *text, "", where if parameters else "It has no options."]
    for key, one in parameters.items():
        plugins = registry.kind_of(key) or registry.list_kind(key)
        names = f"Names and options: --{option}.{key}.help" if plugins else ""
        lines += _entry(f"--{option}.{key} {one.type}", f"{one.text} {_default(key, one.default)} {names}")
    return "\n".join(lines)


def _default(key: str, default: Any) -> str:
    if default is EMPTY:
        return "(required)"
    if default is None or default == ():  # the text explains it
        return "(default: the run's seed)" if key == "seed" else ""
    return f"(default: {str(default).lower() if isinstance(default, bool) else plugin_name(key, default)})"


def _groups(kind: str) -> dict[str, dict[str, registry.Plugin]]:
    """Plug-ins by group: topologies in several, those of entry points last."""
    from dfedsam.topologies.registry import GROUPS

    known = registry.plugins(kind)
    if kind != "topology":
        return {"weights" if kind == "weights" else "": known}
    groups = {group: {name: known.pop(name) for name in names} for group, names in GROUPS.items()}
    return groups | ({"from other packages": known} if known else {})


def _others(kind: str) -> dict[str, str]:
    """What an option takes beside the names of plug-ins."""
    from dfedsam.topologies.registry import GRAPH_SUFFIXES, MATRIX_SUFFIXES, W_SUFFIXES

    if kind == "topology":
        return {
            "FILE": f"A graph ({', '.join(GRAPH_SUFFIXES)}), or a whole W ({', '.join(W_SUFFIXES)}).",
            "networkx.NAME": "Any graph of networkx, such as networkx.barbell_graph.",
            "PACKAGE.NAME": "Your own function, by its import path.",
        }
    if kind == "weights":
        path = "Your own function from a graph to W, by its import path."
        return {"FILE": f"W itself ({', '.join(MATRIX_SUFFIXES)}).", "PACKAGE.NAME": path}
    return {"PACKAGE.NAME": "Your own class, by its import path."}


def _defaults(kind: str, plugin: registry.Plugin) -> Iterator[tuple[str, Any]]:
    """Options and their defaults as plain values, None without a default. The option `weights` of graphs is omitted."""
    from dfedsam.options import describe

    for key, one in signatures.plugin_options(kind, plugin).items():
        if key != "weights" or one.default is not None:
            yield key, 0 if key == "seed" else None if one.default is EMPTY else describe(plugin_name(key, one.default))


def _written(kind: str, plugin: registry.Plugin) -> str:
    """The options of a function: [p=0.1, seed]; nothing for a class."""
    if not registry.KINDS[kind].functions:
        return ""
    written = []
    for key, default in _defaults(kind, plugin):
        value = f"{default:g}" if isinstance(default, float) else default
        written.append(key if default is None or key == "seed" else f"{key}={value}")
    return f"[{', '.join(written)}]" if written else ""

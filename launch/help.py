"""Help of plug-ins: a list of all of a kind, and the options of one from its signature and docstring."""

from __future__ import annotations

import inspect
import re
import textwrap
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, get_origin

from dfedsam import registry
from dfedsam.launch import factories
from dfedsam.launch.errors import MissingValue

WIDTH = 100
_COLUMN = 25  # column of the descriptions: after the longest name


@dataclass(frozen=True)
class Option:
    """One option of a plug-in: its type as written, its default, and its text in the docstring."""

    type: str
    default: Any
    text: str


def options(kind: str, plugin: registry.Plugin) -> dict[str, Option]:
    """The options of a plug-in by name."""
    from docstring_parser import parse

    cls = factories.option_class(kind, plugin)
    texts = {
        param.arg_name: param.description or ""
        for source in reversed(inspect.getmro(cls))
        for param in parse(source.__doc__ or "").params
    }
    return {
        name: Option(_type(parameter.annotation), parameter.default, " ".join(texts.get(name, "").split()))
        for name, parameter in inspect.signature(cls).parameters.items()
    }


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
        raise MissingValue(option, None, "is not a plug-in, so it has no help of its own; see --help")
    if name:
        plugin = registry.find(option, name)
        return _one(option, kind, getattr(plugin, "func", plugin))  # a file's name is a partial of its reader
    if kind == "topology":
        return topologies_list(option)
    return weights_list(option) if kind == "weights" else _kind(option, kind)


def topologies_list(option: str = "topology") -> str:
    """All topologies by group, a line each: name, description, options with their defaults.

    Args:
        option: the option that takes them, for the hint about their options.
    """
    lines = []
    for group, plugins in _groups().items():
        lines += [group, *_lines("topology", plugins), ""]
    from dfedsam.topologies.registry import GRAPH_SUFFIXES, W_SUFFIXES

    lines += [
        "others",
        _line("FILE", f"A graph ({', '.join(GRAPH_SUFFIXES)})"),
        _line("", f"or a whole W ({', '.join(W_SUFFIXES)})."),
        _line("networkx.NAME", "Any graph of networkx, such as networkx.barbell_graph."),
        _line("PACKAGE.NAME", "Your own function, by its import path."),
        "",
        f"Set an option with --{option}.OPTION VALUE; help on one topology: --{option}.help NAME",
    ]
    return "\n".join(lines)


def weights_list(option: str = "weights") -> str:
    """All weight rules in the same form."""
    from dfedsam.topologies.registry import MATRIX_SUFFIXES

    lines = ["weight rules, for graphs without weights of their own", *_lines("weights", registry.plugins("weights"))]
    lines.append(_line("FILE", f"W itself ({', '.join(MATRIX_SUFFIXES)})."))
    lines.append(_line("PACKAGE.NAME", "Your own function from a graph to W, by its import path."))
    last = f"Set an option with --{option}.OPTION VALUE; help on one rule: --{option}.help NAME"
    return "\n".join([*lines, "", last])


def table() -> list[dict[str, Any]]:
    """Topologies and weight rules as plain values: group, name, text and options with their defaults."""
    groups = {**_groups(), "weights": registry.plugins("weights")}
    return [
        {
            "group": group,
            "name": name,
            "text": sentence(plugin),
            "options": dict(_defaults("weights" if group == "weights" else "topology", plugin)),
        }
        for group, plugins in groups.items()
        for name, plugin in plugins.items()
    ]


def sentence(plugin: registry.Plugin) -> str:
    """The first sentence of a plug-in's docstring, without its source."""
    first = re.split(r"(?<=\.)\s", " ".join((inspect.getdoc(plugin) or "").split("\n\n")[0].split()))[0]
    return re.sub(r"\s*\([^()]*\d{4}[^()]*\)\.$", ".", first).replace("`", "")


def _one(option: str, kind: str, plugin: registry.Plugin) -> str:
    name = registry.public_name(plugin)
    lines = [f"--{option} {name}", "", *_prose(inspect.getdoc(plugin) or ""), ""]
    own = options(kind, plugin)
    lines.append(
        f"Options (in a file: {option}: {{class_path: {name}, init_args: {{…}}}}):" if own else "It has no options."
    )
    for key, value in own.items():
        head = f"  --{option}.{key} {_metavar(key, value.type)}".rstrip()
        text = " ".join(part for part in (value.text, _default(key, value.default)) if part)
        if registry.kind_of(key) or registry.list_kind(key):
            text += f" Names and options: --{option}.{key}.help"
        lines += [head, *textwrap.wrap(text, WIDTH, initial_indent=" " * 8, subsequent_indent=" " * 8)]
    return "\n".join(lines)


def _kind(option: str, kind: str) -> str:
    lines = [f"--{option} NAME, where NAME is (in any case, with or without _ and -)"]
    for name, plugin in registry.plugins(kind).items():
        first = re.split(r"(?<=\.)\s", " ".join(_prose(inspect.getdoc(plugin) or "")))[0]
        lines += [f"  {name}", *textwrap.wrap(first, WIDTH, initial_indent=" " * 8, subsequent_indent=" " * 8)]
    return "\n".join([*lines, "  … or the import path of your own class", f"Options of one: --{option}.help NAME"])


def _prose(doc: str) -> list[str]:
    """A docstring up to its list of arguments, folded to the width."""
    for section in ("Args:", "Raises:", "Returns:", "Attributes:"):
        doc = doc.split(f"\n{section}")[0]
    paragraphs = [" ".join(paragraph.split()) for paragraph in doc.strip().split("\n\n")]
    return [line for paragraph in paragraphs for line in textwrap.wrap(paragraph, WIDTH)]


def _type(annotation: Any) -> str:
    if annotation in (inspect.Parameter.empty, Any):
        return ""
    simple = isinstance(annotation, type) and get_origin(annotation) is None
    return annotation.__name__ if simple else str(annotation)


def _metavar(key: str, type_: str) -> str:
    if registry.list_kind(key):
        return "NAME,NAME,…"
    return "NAME" if registry.kind_of(key) else re.sub(r"\b(\w+\.)+(?=\w)", "", type_).removesuffix(" | None")


def _default(key: str, default: Any) -> str:
    if default is inspect.Parameter.empty:
        return "(required)"
    if key == "seed":
        return "(default: the run's seed)"
    if default is None:
        return ""  # the text explains it
    return f"(default: {registry.public_name(type(default)) if registry.kind_of(key) else default})"


def _groups() -> dict[str, dict[str, registry.Plugin]]:
    """Topologies by group, those of entry points last."""
    from dfedsam.topologies.registry import GROUPS

    known = registry.plugins("topology")
    groups = {group: {name: known.pop(name) for name in names} for group, names in GROUPS.items()}
    return groups | ({"from other packages": known} if known else {})


def _lines(kind: str, plugins: dict[str, registry.Plugin]) -> list[str]:
    return [
        _line(name, sentence(plugin), [_written(*one) for one in _defaults(kind, plugin)])
        for name, plugin in plugins.items()
    ]


def _line(name: str, text: str, written: Iterable[str] = ()) -> str:
    """A name, its description, and its options; a long description is cut."""
    end = ", ".join(written)
    end = f" [{end}]" if end else ""
    space = WIDTH - _COLUMN - len(end)
    if len(text) > space:
        words = textwrap.shorten(text, space, placeholder=" …").removesuffix(" …")
        ends = [end.start() for end in re.finditer(r"[,:;] | \(", words)]
        whole = words[: ends[-1]] if ends and ends[-1] >= 0.7 * len(words) else words  # better at the end of a clause
        text = f"{whole.rstrip(' …,:;(')} …"
    return f"{f'  {name} ':<{_COLUMN}}{text}{end}"


def _defaults(kind: str, plugin: registry.Plugin) -> Iterator[tuple[str, Any]]:
    """Options and their defaults as plain values, None without a default. The option `weights` of graphs is omitted."""
    from dfedsam.describe import describe

    for key, option in options(kind, plugin).items():
        if key == "weights" and option.default is None:
            continue
        default = None if option.default is inspect.Parameter.empty else option.default
        if registry.kind_of(key) and default is not None:
            default = registry.public_name(type(default))
        yield key, 0 if key == "seed" else describe(default)


def _written(key: str, default: Any) -> str:
    if default is None or key == "seed":
        return key
    return f"{key}={default:g}" if isinstance(default, float) else f"{key}={default}"

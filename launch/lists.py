"""Lists of plug-ins, a line each: all topologies and weight rules with their options, and names and texts of others."""

from __future__ import annotations

import inspect
import re
import textwrap
from collections.abc import Iterable, Iterator
from typing import Any

from dfedsam import registry
from dfedsam.launch import signatures
from dfedsam.launch.signatures import EMPTY

WIDTH = 100
_COLUMN = 25  # column of the descriptions: after the longest name


def topologies_list(option: str = "topology") -> str:
    """All topologies by group, a line each: name, description, options with their defaults.

    Args:
        option: the option that takes them, for the hint about their options.
    """
    from dfedsam.topologies.registry import GRAPH_SUFFIXES, W_SUFFIXES

    lines = []
    for group, plugins in _groups().items():
        lines += [group, *_lines("topology", plugins), ""]
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


def plugin_name(key: str, default: Any) -> Any:
    """A default value; a plug-in by its name."""
    if not registry.kind_of(key) or default is None or default is EMPTY or isinstance(default, str):
        return default
    return default["class_path"] if isinstance(default, dict) else registry.public_name(type(default))


def sentence(plugin: registry.Plugin) -> str:
    """The first sentence of a plug-in's docstring, without its source."""
    first = re.split(r"(?<=\.)\s", " ".join((inspect.getdoc(plugin) or "").split("\n\n")[0].split()))[0]
    return re.sub(r"\s*\([^()]*\d{4}[^()]*\)\.$", ".", first).replace("`", "")


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

    for key, one in signatures.plugin_options(kind, plugin).items():
        if key != "weights" or one.default is not None:
            yield key, 0 if key == "seed" else None if one.default is EMPTY else describe(plugin_name(key, one.default))


def _written(key: str, default: Any) -> str:
    if default is None or key == "seed":
        return key
    return f"{key}={default:g}" if isinstance(default, float) else f"{key}={default}"

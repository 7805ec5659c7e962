"""What topologies and weight rules there are, with their options."""

from __future__ import annotations

import inspect
import re
import textwrap
from collections.abc import Iterable, Iterator
from typing import Any

from dfedsam.launch import explain, names

COLUMN = 25  # where the texts begin: after the longest name


def topologies_list(option: str = "topology") -> str:
    """All topologies by group, a line each: name, what it is, its options with their defaults.

    Args:
        option: the option that takes them, for the words about their own options.
    """
    from dfedsam.topologies.graphs.files import SUFFIXES

    lines = []
    for group, found in _groups().items():
        lines += [group, *_lines(found), ""]
    lines += [
        "others",
        _line("FILE", f"A graph ({', '.join(SUFFIXES)})"),
        _line("", f"or a whole W ({', '.join(SUFFIXES)})."),
        _line("networkx.NAME", "Any graph of networkx, such as networkx.barbell_graph."),
        _line("PACKAGE.NAME", "Your own function, by its import path."),
        "",
        f"An option is given as --{option}.OPTION VALUE; more of one: --{option}.help NAME",
    ]
    return "\n".join(lines)


def weights_list(option: str = "weights") -> str:
    """All weight rules in the same form."""
    from dfedsam.topologies.registry import MATRIX_SUFFIXES

    lines = ["weights, for graphs that do not bring their own", *_lines(names.table(names.WEIGHTS))]
    lines.append(_line("FILE", f"W itself ({', '.join(MATRIX_SUFFIXES)})."))
    lines.append(_line("PACKAGE.NAME", "Your own function from a graph to W, by its import path."))
    return "\n".join([*lines, "", f"An option is given as --{option}.OPTION VALUE; more of one: --{option}.help NAME"])


def table() -> list[dict[str, Any]]:
    """The same as plain values: group, name, text and options with their defaults."""
    groups = {**_groups(), "weights": names.table(names.WEIGHTS)}
    return [
        {"group": group, "name": name, "text": sentence(plugin), "options": dict(_options(plugin))}
        for group, found in groups.items()
        for name, plugin in found.items()
    ]


def sentence(plugin: names.Plugin) -> str:
    """What a plug-in is: the first sentence of its docstring, without its source."""
    first = re.split(r"(?<=\.)\s", " ".join((inspect.getdoc(plugin) or "").split("\n\n")[0].split()))[0]
    return re.sub(r"\s*\([^()]*\d{4}[^()]*\)\.$", ".", first).replace("`", "")


def _groups() -> dict[str, dict[str, names.Plugin]]:
    from dfedsam.topologies.registry import GROUPS

    known = names.table(names.TOPOLOGY)
    return {
        group: {name: known[name] for name in (path.rpartition(".")[2] for path in paths)}
        for group, paths in GROUPS.items()
    }


def _lines(found: dict[str, names.Plugin]) -> list[str]:
    return [
        _line(name, sentence(plugin), [_written(*one) for one in _options(plugin)]) for name, plugin in found.items()
    ]


def _line(name: str, text: str, options: Iterable[str] = ()) -> str:
    """A name, what it is, and its options; of a text that is too long the first part."""
    written = f" [{', '.join(options)}]" if options else ""
    space = explain.WIDTH - COLUMN - len(written)
    if len(text) > space:
        words = textwrap.shorten(text, space, placeholder=" …").removesuffix(" …")
        ends = [end.start() for end in re.finditer(r"[,:;] | \(", words)]
        whole = words[: ends[-1]] if ends and ends[-1] >= 0.7 * len(words) else words  # better at the end of a clause
        text = f"{whole.rstrip(' …,:;(')} …"
    return f"{f'  {name} ':<{COLUMN}}{text}{written}"


def _options(plugin: names.Plugin) -> Iterator[tuple[str, Any]]:
    """Its options and their defaults; None where there is none. A graph's weights go without saying."""
    for key, option in explain.options(plugin).items():
        if option is not explain.WEIGHTS:
            yield key, None if option.default is inspect.Parameter.empty else option.default


def _written(key: str, default: Any) -> str:
    if default is None or key == "seed":
        return key
    return f"{key}={default:g}" if isinstance(default, float) else f"{key}={default}"

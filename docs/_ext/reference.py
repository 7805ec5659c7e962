"""Writes the pages of the reference: a page a kind of plug-in, the commands' help, and the Python interface.

Everything is read from the registry, docstrings and signatures, or measured here, so that the pages follow the code.
"""

from __future__ import annotations

import contextlib
import importlib
import inspect
import io
import re
import sys
import textwrap
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from docstrings import escape
from measures import NOTES, Row, measured
from sphinx.application import Sphinx
from sphinx.ext.napoleon import Config, GoogleDocstring

from dfedsam import registry
from dfedsam.launch import help as plugin_help
from dfedsam.launch.cli import main
from dfedsam.launch.commands import COMMANDS

PAGES = "reference"
TITLES = {
    "topology": "Topologies",
    "weights": "Weight rules",
    "algorithm": "Algorithms",
    "objective": "Objectives",
    "estimator": "Estimators",
    "gossip": "Gossip",
    "compressor": "Compressors",
    "split": "Splits of the data",
    "parameters": "Prompts",
    "blackbox": "Black boxes",
    "adversary": "Adversaries",
    "privacy": "Privacy mechanisms",
    "clock": "Simulated time",
    "compute": "Compute profiles",
    "links": "Link profiles",
    "availability": "Availability of peers",
}
PREFIXES = {  # where the option of a kind is
    "weights": "topology.",
    "estimator": "algorithm.",
    "gossip": "algorithm.",
    "compressor": "algorithm.gossip.",
    "split": "objective.",
    "parameters": "objective.",
    "blackbox": "objective.",
    "compute": "clock.",
    "links": "clock.",
    "availability": "clock.",
}
SECTIONS = ("Args", "Raises", "Returns", "Attributes", "Yields")


def title_of(kind: str) -> str:
    """The title of a kind's page; a kind that is new here gets its own name."""
    return TITLES.get(kind, f"{kind.replace('_', ' ').capitalize()} plug-ins")


def write_pages(app: Sphinx) -> None:
    """Write the pages into docs/reference, which git ignores there."""
    folder = Path(app.srcdir, PAGES)
    pages = {f"{kind}.rst": kind_page(kind) for kind in registry.KINDS}
    pages["commands.rst"] = commands_page()
    pages["python.rst"] = python_page()
    pages["plugins.rst"] = index_page()
    for name, text in pages.items():
        path = folder / name
        if not path.exists() or path.read_text() != text:  # an unchanged page is not read again
            path.write_text(text)


def index_page() -> str:
    """The list of kinds, with the number of plug-ins in each."""
    rows = [f"   * - :doc:`{title_of(kind)} <{kind}>`\n     - {len(registry.plugins(kind))}" for kind in registry.KINDS]
    toctree = "\n".join(f"   {kind}" for kind in registry.KINDS)
    return "\n".join(
        [
            *_heading("Plug-ins", "="),
            "Every plug-in has one public name, the same on the command line, in experiment files and in run folders.",
            "Case, underscores and hyphens do not matter. These pages are made from docstrings; the numbers in",
            "their tables are measured when the pages are built.",
            "",
            ".. list-table::\n   :header-rows: 1\n\n   * - kind\n     - plug-ins",
            *rows,
            "",
            f".. toctree::\n   :hidden:\n\n{toctree}",
            "",
        ]
    )


def kind_page(kind: str) -> str:
    """The page of one kind: a table of all its plug-ins, then a section each, then the contract."""
    plugins = registry.plugins(kind)
    if not registry.KINDS[kind].functions:  # topologies and weight rules are in groups
        plugins = dict(sorted(plugins.items()))
    columns = measured(kind, plugins)
    prefix = PREFIXES.get(kind, "")
    lines = [
        *_heading(title_of(kind), "="),
        f"``--{prefix}{kind} NAME`` on the command line, ``{kind}: NAME`` in a file. Your own is named by its import",
        f"path. ``--{prefix}{kind}.help`` prints this list in the terminal.",
        "",
        *_table(plugins, columns, kind),
        *(NOTES.get(kind, "").splitlines()),
        "",
    ]
    for name, plugin in plugins.items():
        lines += _section(kind, name, plugin)
    return "\n".join([*lines, *_contract(kind)])


def _table(plugins: dict[str, registry.Plugin], columns: dict[str, Row], kind: str) -> Iterator[str]:
    yield ".. list-table::\n   :header-rows: 1\n"
    for i, cell in enumerate(["name", "what it is", *columns]):
        yield f"   {'*' if i == 0 else ' '} - {cell}"
    for name, plugin in plugins.items():
        yield f"   * - :ref:`{name} <{kind}-{name}>`"
        yield f"     - {' '.join(escape([plugin_help.sentence(plugin)]))}"
        for row in columns.values():
            yield f"     - {row.get(name, '–')}"
    yield ""


def _section(kind: str, name: str, plugin: registry.Plugin) -> Iterator[str]:
    yield f".. _{kind}-{name}:\n"
    yield from _heading(name, "-")
    yield from _prose(inspect.getdoc(plugin) or "")
    yield from _prose(source(plugin))
    exported = importlib.import_module("dfedsam")
    if getattr(exported, plugin.__name__, None) is plugin:
        yield f"In Python: ``from dfedsam import {plugin.__name__}``.\n"
    elif hasattr(importlib.import_module(registry.KINDS[kind].package), plugin.__name__):
        yield f"In Python: ``from {registry.KINDS[kind].package} import {plugin.__name__}``.\n"
    options = plugin_help.options(kind, plugin)
    if not options:
        yield "It has no options.\n"
        return
    yield ".. list-table::\n   :header-rows: 1\n   :class: options\n   :widths: auto\n"
    yield "   * - option\n     - type\n     - default\n     - meaning"
    for key, option in options.items():
        yield f"   * - ``{key}``\n     - {_type(key, option.type)}\n     - {_default(key, option.default)}"
        yield f"     - {' '.join(escape([option.text])) or '–'}"
    yield ""


def source(plugin: registry.Plugin) -> str:
    """Where a file names the source of all its plug-ins once, that sentence; a docstring with a year says it itself."""
    if re.search(r"\((19|20)\d\d", inspect.getdoc(plugin) or ""):
        return ""
    module = sys.modules[plugin.__module__].__doc__ or ""
    found = re.search(r"Source of all[^:]*:((?:.|\n)*?)(?=\n\n|$)", module)
    return f"Source: {' '.join(found[1].split())}" if found else ""


def _prose(doc: str) -> Iterator[str]:
    """A docstring up to its list of arguments, as reStructuredText; what follows its Returns is left out."""
    pieces = re.split(rf"^({'|'.join(SECTIONS)}):\n", doc, flags=re.MULTILINE)
    rest = [re.split(r"\n(?=\S)", piece, maxsplit=1) for piece in pieces[2::2]]
    text = "\n\n".join([pieces[0], *(parts[1] for parts in rest if len(parts) > 1)])
    yield from str(GoogleDocstring(list(escape(text.splitlines())), Config())).splitlines()
    yield ""


def _type(key: str, text: str) -> str:
    kind = registry.kind_of(key) or registry.list_kind(key)
    return f":doc:`{kind} <{kind}>`" if kind else f"``{text}``" if text else "–"


def _default(key: str, value: Any) -> str:
    if value is inspect.Parameter.empty:
        return "required"
    if key == "seed":
        return "the run's"
    kind, value = registry.kind_of(key), plugin_help.plugin_name(key, value)
    if kind and value in registry.plugins(kind):
        return f":ref:`{value} <{kind}-{value}>`"
    return "–" if value in (None, "") else f"``{' '.join(str(value).split())}``"  # in one line


def _contract(kind: str) -> Iterator[str]:
    """The base class with its methods, for those who write a plug-in."""
    where = registry.KINDS[kind]
    yield from _heading("The contract", "-")
    if where.functions:
        yield CONTRACTS.get(kind, "")
        return
    yield f"A plug-in of this kind is a frozen dataclass derived from ``{where.package}.{where.base}``. The classes of"
    yield "its methods' arguments are described in :ref:`python-parts`.\n"
    cls = registry.base_class(kind)
    yield from (f".. autoclass:: {cls.__module__}.{cls.__name__}", "   :members:", "")


def commands_page() -> str:
    """Every command's --help, as the program prints it."""
    lines = [*_heading("Commands", "="), "What ``dfedsam COMMAND --help`` prints.\n"]
    for name in COMMANDS:
        lines += [f".. _command-{name}:\n", *_heading(f"dfedsam {name}", "-")]
        lines += [".. code-block:: text\n", *_indented(help_of(name)), ""]
    return "\n".join(lines)


def help_of(name: str) -> str:
    """The help of a command, through the program's own entry."""
    said = io.StringIO()
    with contextlib.redirect_stdout(said):
        main([name, "--help"])
    return said.getvalue()


def python_page() -> str:
    """The Python interface: what `from dfedsam import …` gives besides plug-ins, then topologies, analysis, testing."""
    plugins = {id(plugin) for kind in registry.KINDS for plugin in registry.plugins(kind).values()}
    bases = {id(registry.base_class(kind)) for kind, where in registry.KINDS.items() if not where.functions}
    lines = [
        *_heading("Python interface", "="),
        "Plug-ins and their base classes are on :doc:`their own pages <plugins>`.\n",
    ]
    seen = plugins | bases
    for module, title in MODULES.items():
        package = importlib.import_module(module)
        names = getattr(package, "__all__", None) or [n for n in vars(package) if n.startswith("check_")]
        found = {}
        for name in names:
            value = getattr(package, name)
            if id(value) not in seen and callable(value) and hasattr(value, "__module__"):
                seen.add(id(value))
                found[name] = value
        lines += [*_heading(title, "-"), *_documented(found, module)]
    lines += [".. _python-parts:\n", *_heading("What plug-ins work with", "-"), GIVEN]
    lines += [f".. autoclass:: {path}\n   :members:\n" for path in PARTS]
    return "\n".join(lines)


def _documented(found: dict[str, Any], module: str) -> Iterator[str]:
    for name, value in sorted(found.items(), key=lambda item: item[0].lower()):
        if isinstance(value, type):
            yield f".. autoclass:: {module}.{name}\n   :members:\n"
        elif inspect.isfunction(value):
            yield f".. autofunction:: {module}.{name}\n"


CONTRACTS = {
    "topology": "A topology is a function ``f(n, **options)`` that is annotated to return a networkx graph, which gets "
    "the weights of a :doc:`weight rule <weights>`, or a :class:`dfedsam.Topology`.\n",
    "weights": "A weight rule is a function from a graph to W, a ``scipy.sparse.csr_array`` of float64 and shape "
    "(n, n).\n",
}
MODULES = {
    "dfedsam": "Running experiments",
    "dfedsam.topologies": "Topologies and spectra",
    "dfedsam.analysis": "Reading and drawing runs",
    "dfedsam.testing": "Checks for your own plug-ins",
}
GIVEN = (
    "An algorithm's ``round`` gets a ``RoundContext``, an estimator an ``Oracle``, and a gossip a ``Channel``; an "
    "objective builds a ``Problem``. All take their random numbers from a ``RandomStream``.\n"
)
PARTS = (
    "dfedsam.context.RoundContext",
    "dfedsam.context.Oracle",
    "dfedsam.gossip.channel.Channel",
    "dfedsam.objectives.Problem",
    "dfedsam.random.RandomStream",
    "dfedsam.algorithms.base.State",
)


def _heading(text: str, line: str) -> list[str]:
    return [text, line * max(len(text), 4), ""]


def _indented(text: str) -> Iterable[str]:
    return textwrap.indent(text, "   ").splitlines()


def setup(app: Sphinx) -> dict[str, Any]:
    """Write the pages before Sphinx looks for them."""
    app.connect("builder-inited", write_pages)
    return {"parallel_read_safe": True, "parallel_write_safe": True}

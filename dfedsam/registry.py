"""Public names of plug-ins: the one table behind the command line, experiment files, run folders and Python.

A plug-in of ours has one public name in snake_case: the name of the function for a topology or a weight rule, and for a
class its `public_name`, or else the class's name in snake_case. A package adds its own by an entry point of the group
"dfedsam.plugins" whose name is KIND.NAME, such as `topology.wheel = "mypackage.graphs:wheel"`. Anything else is named
by its import path, which is code: what a file names is imported only if the caller allows it.

A kind is known by the last part of its option's name: `--algorithm.estimator` takes an estimator, `--topology.topology`
another topology, `--topology.topologies` a list of them.

To add a kind: write its base class and plug-ins in a package, add it to KINDS, and give `Experiment` (or a plug-in) a
field whose name is the kind, such as `clock: Clock | None = None`, described under Args. The command line, experiment
files, run folders, sweeps, help and completion follow from these two. None, the default of an optional kind, means that
it is off, and is written `--clock none` over a file that sets it.
"""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache, partial
from importlib.metadata import EntryPoint, entry_points
from types import UnionType
from typing import Any, Union, cast, get_args, get_origin

from dfedsam.errors import OptionError
from dfedsam.names import match_name, nearest, snake_case

Plugin = Callable[..., Any]
ENTRY_POINTS = "dfedsam.plugins"


@dataclass(frozen=True)
class Kind:
    """Plug-ins that an option can choose from.

    Args:
        package: the package with the plug-ins; for classes its `__all__` lists them.
        base: their base class in that package; for functions the function of the package that lists them.
        returns: for functions, the names of classes of which they must be annotated to return one, or a subclass.
        usual: for an optional kind, the plug-in whose options are set if none is named: with it `--clock.wait barrier`
            is enough to turn the clock on.
    """

    package: str
    base: str
    returns: tuple[str, ...] = ()
    usual: str = ""

    @property
    def functions(self) -> bool:
        """Whether they are functions."""
        return bool(self.returns)


KINDS = {
    "topology": Kind("dfedsam.topologies", "table", ("Graph", "Topology")),
    "weights": Kind("dfedsam.topologies", "rules", ("sparray", "spmatrix", "ndarray")),
    "algorithm": Kind("dfedsam.algorithms", "Algorithm"),
    "objective": Kind("dfedsam.objectives", "Objective"),
    "estimator": Kind("dfedsam.zeroth_order", "Estimator"),
    "gossip": Kind("dfedsam.gossip", "Gossip"),
    "compressor": Kind("dfedsam.gossip.compressors", "Compressor"),
    "split": Kind("dfedsam.data.split", "Split"),
    "parameters": Kind("dfedsam.objectives", "PromptParameters"),
    "blackbox": Kind("dfedsam.blackbox", "BlackBoxConfig"),
    "editor": Kind("dfedsam.blackbox", "Editor", usual="chat_editor"),
    "adversary": Kind("dfedsam.adversary", "Adversary"),
    "privacy": Kind("dfedsam.privacy", "Privacy", usual="gaussian"),
    "clock": Kind("dfedsam.clock", "TimeModel", usual="simulated"),
    "compute": Kind("dfedsam.clock", "Compute"),
    "links": Kind("dfedsam.clock", "Links"),
    "availability": Kind("dfedsam.clock", "Availability", usual="trace"),
}
LISTS = {"topologies": "topology"}  # options that take several plug-ins, and their kind


def kind_of(option: str) -> str | None:
    """The kind of plug-in that an option takes: "estimator" for `algorithm.estimator`; None if it takes none."""
    last = option.rpartition(".")[2]
    return last if last in KINDS else None


def list_kind(option: str) -> str | None:
    """The kind of plug-in that an option takes a list of; None if it takes no list of plug-ins."""
    return LISTS.get(option.rpartition(".")[2])


def base_class(kind: str) -> type:
    """The base class of a kind whose plug-ins are classes."""
    return getattr(importlib.import_module(KINDS[kind].package), KINDS[kind].base)


def plugins(kind: str) -> dict[str, Plugin]:
    """The plug-ins of a kind by their public names: ours, then those of entry points that can be loaded."""
    known = dict(_ours(kind))
    for name, entry in _entry_points(kind).items():
        try:
            known.setdefault(name, entry.load())
        except Exception:  # its error is reported when it is chosen
            continue
    return known


def find(option: str, name: str, *, kind: str | None = None, code: bool = True) -> Plugin:
    """Find the plug-in of a name.

    Args:
        option: the option it is the value of, for the message; its last part is the kind unless `kind` says it.
        name: a public name in any case, with or without underscores and hyphens; an import path; for a topology or
            weights also a file, which gives a partial of the function that reads it, or `networkx.NAME`.
        kind: key of KINDS.
        code: whether an import path may be imported: false for names in untrusted files.

    Raises:
        OptionError: if there is none, with the nearest name; if it is not a plug-in of this kind; or if it may not be
            imported.
    """
    kind = kind or option.rpartition(".")[2]
    if (plugin := _by_class_name(kind, name)) is not None:
        return plugin
    ours = _ours(kind)
    match = match_name(name, ours)
    if match is not None:
        return ours[match]
    entry = match_name(name, _entry_points(kind))
    if entry is not None:
        return _checked(option, name, kind, _load(option, _entry_points(kind)[entry]))
    if KINDS[kind].functions and (reader := _reader(kind, name)) is not None:
        return reader
    if is_import_path(name):
        if not code:
            rule = "must be a registered plug-in, because it is named in a file, and an import path is code"
            raise OptionError(
                option, name, rule, "name it on the command line, or, if you trust the file, add --allow-code"
            )
        return _checked(option, name, kind, import_object(option, name))
    raise _unknown(option, name, kind, ours)


def public_name(plugin: Any) -> str:
    """The name in files of a plug-in or of an instance or a partial of one: its import path if it is not ours."""
    plugin = plugin.func if isinstance(plugin, partial) else plugin
    plugin = plugin if hasattr(plugin, "__name__") else type(plugin)
    if plugin.__module__.partition(".")[0] == "dfedsam":
        explicit = vars(plugin).get("public_name") if isinstance(plugin, type) else None
        return explicit or snake_case(plugin.__name__)
    path = import_path(plugin)
    for kind in KINDS:
        for name, entry in _entry_points(kind).items():
            if entry.value.replace(":", ".") == path:
                return name
    return path


def import_object(option: str, path: str) -> Plugin:
    """The function or class at an import path such as `mypackage.graphs.wheel`.

    Raises:
        OptionError: if it cannot be imported, or is neither a function nor a class.
    """
    module, _, attribute = path.rpartition(".")
    try:
        value = getattr(importlib.import_module(module), attribute)
    except Exception as error:  # a user's module may raise anything when imported
        raise OptionError(option, path, f"must be importable, but {error}", "fix the path, or PYTHONPATH") from error
    if not callable(value):
        rule = f"must be a function or a class, but it is a {type(value).__name__}"
        raise OptionError(option, path, rule, "fix the path")
    return value


def import_path(plugin: Plugin) -> str:
    """The path that `import_object` finds a function or class at."""
    return f"{plugin.__module__}.{plugin.__qualname__}"


def is_import_path(name: str) -> bool:
    """Whether a name has the form of an import path: identifiers joined by dots."""
    return "." in name and all(part.isidentifier() for part in name.split("."))


def is_plugin(value: object, base: type) -> bool:
    """Whether a value is a class derived from `base`, or `base` itself, and not abstract."""
    if get_origin(value) is not None:  # dict[str, int], which Python 3.10 takes for a type
        return False
    return isinstance(value, type) and issubclass(value, base) and not inspect.isabstract(value)


def _reader(kind: str, name: str) -> Plugin | None:
    """The plug-in that a package of functions derives from another name, such as a file's; None if there is none."""
    return importlib.import_module(KINDS[kind].package).reader(kind, name)


@cache
def _ours(kind: str) -> dict[str, Plugin]:
    where = KINDS[kind]
    package = importlib.import_module(where.package)
    if where.functions:
        return dict(getattr(package, where.base)())
    base = getattr(package, where.base)
    values = [getattr(package, name) for name in getattr(package, "__all__", dir(package))]
    return dict(sorted((public_name(value), value) for value in values if is_plugin(value, base)))


def _by_class_name(kind: str, name: str) -> Plugin | None:
    """The plug-in of ours whose class is called so; the package, which is lazy, imports no other to find it."""
    package = importlib.import_module(KINDS[kind].package)
    attribute = match_name(name, dir(package))
    if attribute is None or KINDS[kind].functions:
        return None
    plugin = getattr(package, attribute)
    meant = is_plugin(plugin, base_class(kind)) and match_name(name, [public_name(plugin)])
    return plugin if meant else None


@cache
def _entry_points(kind: str) -> dict[str, EntryPoint]:
    group = entry_points(group=ENTRY_POINTS)
    return {entry.name.partition(".")[2]: entry for entry in group if entry.name.partition(".")[0] == kind}


def _load(option: str, entry: EntryPoint) -> Plugin:
    try:
        return entry.load()
    except Exception as error:
        rule = f"must be importable, but its entry point {entry.value} fails: {error}"
        raise OptionError(option, entry.name.partition(".")[2], rule, "fix the package that registers it") from error


def _checked(option: str, name: str, kind: str, plugin: Plugin) -> Plugin:
    """A user's plug-in, if it is of this kind."""
    where = KINDS[kind]
    if where.functions:
        if isinstance(plugin, type) or not _returned(option, name, plugin) & {*where.returns}:
            gives = "a networkx graph or a Topology" if kind == "topology" else "W, a scipy.sparse.csr_array"
            rule = f"must be a function that is annotated to return {gives}"
            raise OptionError(option, name, rule, "annotate it, or fix the path")
    elif not is_plugin(plugin, base_class(kind)):
        rule = f"must be a class derived from {where.package}.{where.base}"
        missing, base = sorted(getattr(plugin, "__abstractmethods__", ())), base_class(kind)
        if missing and plugin is not base and issubclass(cast(type, plugin), base):
            rule = f"must define {', '.join(missing)}"
        raise OptionError(option, name, rule)
    return plugin


def _returned(option: str, name: str, plugin: Plugin) -> set[str]:
    """The names of the classes, and of their bases, that a function is annotated to return."""
    try:
        hint = inspect.signature(plugin, eval_str=True).return_annotation
    except Exception as error:  # an annotation is code too
        rule = f"must have annotations that can be read when it runs, but {error}"
        raise OptionError(option, name, rule, "import what they name without TYPE_CHECKING") from error
    hints = get_args(hint) if get_origin(hint) in (Union, UnionType) else (hint,)
    return {base.__name__ for one in hints for base in getattr(get_origin(one) or one, "__mro__", ())}


def _unknown(option: str, name: str, kind: str, known: Mapping[str, Plugin]) -> OptionError:
    if kind == "topology":
        rule = "must be a name that `dfedsam topology --list` shows, a file of a graph or of W, or an import path"
    else:
        file = ", a file of W" if kind == "weights" else ""
        rule = f"must be one of {', '.join(known)}{file}, or the import path of your own"
    names = {snake_case(getattr(plugin, "__name__", one)): one for one, plugin in known.items()}  # as Python calls them
    names |= {one: one for one in (*known, *_entry_points(kind))}
    guess = nearest(name, names)
    return OptionError(option, name, rule, f"did you mean {names[guess]}?" if guess else "")

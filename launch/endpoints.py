"""Where data and keys may go: an experiment file alone does not decide it, the user confirms it.

A plug-in declares the options that name an address or a secret in its `confirmed`. Such values are confirmed if they
are defaults, were typed on the command line, now or before (for a resume), are listed in $DFEDSAM_ENDPOINTS, or come
with --allow-endpoint. What was confirmed is kept in the cache folder, as hashes only.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

from dfedsam import registry
from dfedsam.errors import OptionError
from dfedsam.launch.arguments import Tree
from dfedsam.launch.signatures import options_of
from dfedsam.whole_files import cache_folder, store

SETTING = "DFEDSAM_ENDPOINTS"  # "URL" or "URL KEY_VARIABLE", separated by commas
_FILE = "endpoints.txt"


def check(tree: Tree, typed: Tree, *, allowed: bool) -> None:
    """Check that every address and secret in an experiment's expanded options is confirmed.

    Those in `typed` the user has typed; `allowed` is whether --allow-endpoint was given.

    Raises:
        OptionError: for one that only a file names.
    """
    for path, cls, options in _declaring("", tree):
        usual = [str(options_of(cls)[key].default) for key in cls.confirmed]
        values = [str(options.get(key, default)) for key, default in zip(cls.confirmed, usual, strict=True)]
        unconfirmed = [key for key in cls.confirmed if key in options and not _is_typed(f"{path}.{key}", typed)]
        if not unconfirmed or allowed:
            _remember(values)
        elif values not in _settings(usual) and _digest(values) not in _remembered():
            rule = "must be confirmed, because a file names it, and your data or a key would be sent there"
            hint = f"type --{path}.{unconfirmed[0]} yourself, or, if you trust the file, add --allow-endpoint"
            raise OptionError(f"{path}.{unconfirmed[0]}", options[unconfirmed[0]], rule, hint)


def _declaring(path: str, tree: Tree) -> Iterator[tuple[str, Any, Tree]]:
    """The plug-ins in a tree that declare such options: their option, class and options."""
    for key, form in tree.items():
        name = f"{path}.{key}".lstrip(".")
        kind = registry.kind_of(name)
        if kind is None or registry.KINDS[kind].functions or not isinstance(form, dict):
            continue
        options, named = form["init_args"], form.get("class_path") or registry.KINDS[kind].usual
        cls = registry.find(name, named) if named else None
        if getattr(cls, "confirmed", ()):
            yield name, cls, options
        yield from _declaring(name, options)


def _is_typed(option: str, typed: Tree) -> bool:
    *heads, last = option.split(".")
    for head in heads:
        typed = (typed.get(head) or {}).get("init_args", {})
    return last in typed


def _settings(usual: list[str]) -> list[list[str]]:
    """The user's own settings; without a variable, an entry confirms the usual one."""
    entries = [entry.split() for entry in os.environ.get(SETTING, "").split(",")]
    return [entry + usual[len(entry) :] for entry in entries if entry]


def _digest(values: list[str]) -> str:
    return hashlib.sha256("\0".join(values).encode()).hexdigest()


def _remembered() -> list[str]:
    with suppress(OSError):
        return (cache_folder() / _FILE).read_text(encoding="ascii").split()
    return []


def _remember(values: list[str]) -> None:
    known = _remembered()
    if _digest(values) not in known:
        store(cache_folder() / _FILE, "\n".join([*known, _digest(values), ""]).encode())

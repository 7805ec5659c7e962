"""Shell completion by argcomplete: commands, options, names of plug-ins, and options of the chosen plug-ins."""

from __future__ import annotations

import argparse
import inspect
import os
import shlex
from collections.abc import Iterator
from typing import Any

import argcomplete

from dfedsam import registry
from dfedsam.launch import factories, options, parser, trees
from dfedsam.launch.commands import COMMANDS


def complete() -> None:
    """Answer the shell's request, which is in environment variables, and end the process."""
    words = _words()
    root = argparse.ArgumentParser(prog="dfedsam")
    commands = root.add_subparsers()
    for name, command in COMMANDS.items():
        made = commands.add_parser(name)
        if name in words[1:2]:
            _add(made, name, command, words[2:])
    argcomplete.autocomplete(root, always_complete_options="long")


def _words() -> list[str]:
    line = os.environ.get("COMP_LINE", "")[: int(os.environ.get("COMP_POINT", "0")) or None]
    try:
        return shlex.split(line)
    except ValueError:  # unclosed quote
        return line.split()


def _add(made: argparse.ArgumentParser, name: str, command: Any, words: list[str]) -> None:
    typed = options.run_parser() if name == "run" else parser.command_parser(command)
    for action in typed._actions:
        if action.dest == "help" or action.dest.endswith(".help"):
            continue
        hint = getattr(action, "_typehint", None)
        flag = hint is bool or isinstance(action, argparse._StoreTrueAction)
        if action.dest == parser.positional(command):
            added = made.add_argument("words", nargs="*")
        else:
            added = made.add_argument(f"--{action.dest}", nargs="?" if flag else None)
        _offer(added, action.dest if action.dest != "names" else "topology", parser.choices(hint))
    if name in ("run", "topology"):
        heads = [action.dest for action in typed._actions if action.dest in registry.KINDS and name == "run"]
        for option, hint in _inner(words, heads or ["topology"]):
            _offer(made.add_argument(f"--{option}"), option, parser.choices(hint))


def _offer(action: argparse.Action, option: str, choices: list[str]) -> None:
    """Complete an option by its possible values, or by files if it has none."""
    kind = registry.kind_of(option)
    names = list(registry.plugins(kind)) if kind else choices
    if option == "config":
        names = sorted(path.name for path in options.EXPERIMENTS.glob("*.yaml"))
    if names:
        files = argcomplete.FilesCompleter() if kind in ("topology", "weights", None) else None
        action.completer = lambda prefix, **kwargs: (
            names
            + (  # type: ignore[attr-defined]  # argcomplete reads it
                list(files(prefix, **kwargs)) if files else []
            )
        )


def _inner(words: list[str], heads: list[str]) -> Iterator[tuple[str, Any]]:
    """The options, with their types, of the plug-ins chosen on the command line or by default."""
    chosen = {option: value for option, value in trees.split(words)[1] if value}
    usual = {head: options.DEFAULTS.get(head, registry.KINDS[head].usual) for head in heads}
    todo = [(head, name) for head in heads if (name := chosen.get(head) or usual[head])]
    while todo:
        option, name = todo.pop()
        kind = registry.kind_of(option)
        try:
            plugin = registry.find(option, name, code=False)
        except ValueError:  # not typed completely yet
            continue
        cls = factories.option_class(kind or "", getattr(plugin, "func", plugin))
        for key, parameter in inspect.signature(cls).parameters.items():
            path = f"{option}.{key}"
            yield path, parameter.annotation
            default = parameter.default
            if registry.kind_of(key) and (path in chosen or isinstance(default, type(cls)) or default is not None):
                todo.append((path, chosen.get(path) or registry.public_name(type(default))))

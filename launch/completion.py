"""Shell completion by argcomplete: commands, options, names of plug-ins, and options of the chosen plug-ins."""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable, Iterator
from typing import Any, Literal, get_args, get_origin

import argcomplete
from argcomplete.completers import FilesCompleter
from argcomplete.lexers import split_line

from dfedsam import registry
from dfedsam.launch import arguments, help, options, signatures
from dfedsam.launch.commands import COMMANDS, load


def complete() -> None:
    """Answer the shell's request, which is in environment variables, and end the process."""
    line = os.environ.get("COMP_LINE", "")[: int(os.environ.get("COMP_POINT", "0")) or None]
    words = split_line(line)[3]  # without the one that is being typed
    root = argparse.ArgumentParser(prog="dfedsam")
    commands = root.add_subparsers()
    for name in COMMANDS:
        parser = commands.add_parser(name)
        if name in words[1:2]:
            _add(parser, name, load(name), words[2:])
    argcomplete.autocomplete(root, always_complete_options="long")


def _add(parser: argparse.ArgumentParser, name: str, command: Callable[..., int], words: list[str]) -> None:
    known = options.experiment_options() | signatures.options_of(options.command) if name == "run" else {}
    known = known or signatures.options_of(command)
    heads = [option for option in known if option in registry.KINDS] if name == "run" else []
    heads = ["topology"] if name == "topology" else heads
    for option, hint in [*((key, one.hint) for key, one in known.items()), *_inner(words, heads)]:
        if option == help.positional(command)[0]:
            added = parser.add_argument("words", nargs="*")
        else:
            added = parser.add_argument(f"--{option}", nargs="?" if hint is bool else None)
        _offer(added, "topology" if option == "names" else option, _choices(hint))


def _choices(hint: Any) -> list[str]:
    """The values that a type allows, if there are few."""
    if hint is bool:
        return ["true", "false"]
    if get_origin(hint) is Literal:
        return [str(value) for value in get_args(hint)]
    return [value for one in get_args(hint) for value in _choices(one)]


def _offer(action: argparse.Action, option: str, choices: list[str]) -> None:
    """Complete an option by its possible values, or by files if it has none."""
    kind = registry.kind_of(option)
    names = list(registry.plugins(kind)) if kind else choices
    if option == "config":
        names = sorted(path.name for path in options.EXPERIMENTS.glob("*.yaml"))
    if names:
        files = FilesCompleter() if kind in ("topology", "weights", None) else None
        action.completer = lambda prefix, **kwargs: (  # type: ignore[attr-defined]  # argcomplete reads it
            [*names, *(files(prefix, **kwargs) if files else [])]
        )


def _inner(words: list[str], heads: list[str]) -> Iterator[tuple[str, Any]]:
    """The options, with their types, of the plug-ins chosen on the command line or by default."""
    chosen = {option: value for option, value in arguments.split(words)[1] if value}
    todo = [(head, chosen.get(head, options.DEFAULTS.get(head, registry.KINDS[head].usual))) for head in heads]
    while todo:
        option, name = todo.pop()
        try:
            plugin = registry.find(option, name, code=False)
        except ValueError:  # not typed completely yet, or off
            continue
        for key, one in signatures.plugin_options(registry.kind_of(option) or "", plugin).items():
            path = f"{option}.{key}"
            yield path, one.hint
            if registry.kind_of(key) and (path in chosen or one.default not in (None, signatures.EMPTY)):
                todo.append((path, chosen.get(path) or help.plugin_name(key, one.default)))

"""The state of an algorithm as named arrays, for checkpoints and absent peers.

A state is a dataclass, or a dict, of arrays whose first axis is the block's peers, and of further states. None stands
for an array that is not in use. Names of nested fields are joined by dots: {"x": …, "gossip.estimate": …}.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

S = TypeVar("S")


def arrays(state: Any, prefix: str = "") -> dict[str, NDArray]:
    """All arrays of a state by their dotted names; the arrays themselves, not copies."""
    named: dict[str, NDArray] = {}
    for name, value in _fields(state).items():
        if isinstance(value, Mapping) or dataclasses.is_dataclass(value):
            named |= arrays(value, f"{prefix}{name}.")
        elif value is not None:
            named[prefix + name] = value
    return named


def with_arrays(state: S, named: Mapping[str, NDArray], prefix: str = "") -> S:
    """A state of the same structure with these arrays in place of its own.

    Args:
        state: a state with the structure: it has an array wherever `named` has one.
        named: arrays by name, as returned by `arrays`.
        prefix: of the names, for nested states.

    Raises:
        KeyError: if an array of `state` is missing from `named`.
    """
    if state is None:
        return state
    new: dict[str, Any] = {}
    for name, value in _fields(state).items():
        if isinstance(value, Mapping) or dataclasses.is_dataclass(value):
            new[name] = with_arrays(value, named, f"{prefix}{name}.")
        else:
            new[name] = None if value is None else named[prefix + name]
    return new if isinstance(state, Mapping) else dataclasses.replace(state, **new)  # type: ignore[return-value,type-var]


def rows_of(state: S, rows: slice | NDArray) -> S:
    """The same structure with these rows of every array: views for a slice, copies for an array of indices."""
    return with_arrays(state, {name: array[rows] for name, array in arrays(state).items()})


def set_rows(state: Any, rows: slice | NDArray, part: Any) -> None:
    """Write a state of some rows back into the whole, in place; arrays that still are its views cost nothing.

    Args:
        state: of all peers.
        rows: as for `rows_of`.
        part: of the same structure, with an array wherever `state` has one.
    """
    whole = arrays(state)
    for name, array in arrays(part).items():
        if not np.may_share_memory(whole[name], array):
            whole[name][rows] = array


def _fields(state: Any) -> dict[str, Any]:
    if state is None:
        return {}
    if isinstance(state, Mapping):
        return dict(state)
    return {field.name: getattr(state, field.name) for field in dataclasses.fields(state)}

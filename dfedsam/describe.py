"""Plug-ins as plain values, in the form that experiment files have: {class_path, init_args}."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

from dfedsam.registry import public_name


def describe(value: Any) -> Any:
    """Turn a plug-in, and the plug-ins inside it, into dicts, lists and plain values that YAML can hold.

    A plug-in is named by its public name, a user's own by its import path.
    """
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        cls = type(value)
        arguments = {field.name: describe(getattr(value, field.name)) for field in dataclasses.fields(value)}
        return {"class_path": public_name(cls)} | ({"init_args": arguments} if arguments else {})
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, (list, tuple)):
        return [describe(item) for item in value]
    if isinstance(value, dict):
        return {key: describe(item) for key, item in value.items()}
    return value


NO_RESULT = (
    "budget_queries",
    "budget_tokens",
    "in_flight",
    "retries",
    "timeout",
    "backoff",
    "answers",
    "cache",
    "device",
)


def result(description: Any) -> Any:
    """A description without the options that change no result, only what it takes to get there."""
    if not isinstance(description, dict):
        return description
    return {name: result(value) for name, value in description.items() if name not in NO_RESULT}

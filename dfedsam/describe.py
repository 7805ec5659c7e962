"""Plug-ins as plain values, in the form of experiment files: {class_path, init_args}."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

from dfedsam.registry import public_name

_NO_RESULT = (
    "budget_requests",
    "budget_tokens",
    "requests_per_minute",
    "tokens_per_minute",
    "in_flight",
    "retries",
    "timeout",
    "backoff",
    "cache",
    "cache_path",
    "device",
)


def describe(value: Any) -> Any:
    """Convert a plug-in, and nested ones, to dicts, lists and plain values for YAML.

    A class of ours is named by its public name, a user's by its import path or entry point.
    """
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        arguments = {field.name: describe(getattr(value, field.name)) for field in dataclasses.fields(value)}
        return {"class_path": public_name(value)} | ({"init_args": arguments} if arguments else {})
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, list | tuple):
        return [describe(item) for item in value]
    if isinstance(value, dict):
        return {key: describe(item) for key, item in value.items()}
    return value


def only_results(description: Any) -> Any:
    """Drop the options that affect cost but not results."""
    if not isinstance(description, dict):
        return description
    return {name: only_results(value) for name, value in description.items() if name not in _NO_RESULT}

"""Functions and classes by their import path."""

import importlib
from collections.abc import Callable
from functools import partial
from typing import Any


def import_object(path: str, option: str) -> Callable[..., Any]:
    """The function or class at an import path such as `mypackage.graphs.wheel`.

    Raises:
        ValueError: names `option` and says which part of the path is missing.
    """
    module, _, attribute = path.rpartition(".")
    try:
        found = getattr(importlib.import_module(module), attribute)
    except (ImportError, AttributeError, ValueError) as error:
        raise ValueError(
            f"{option} is {path}: it must be importable, but {error}; mend the path, or PYTHONPATH"
        ) from None
    if not callable(found):
        raise ValueError(
            f"{option} is {path}: it must be a function or a class, but it is a {type(found).__name__}; mend the path"
        )
    return found


def as_written(function: Callable[..., Any]) -> str | dict[str, Any]:
    """A function as settings hold it: its import path, and with it the options that a partial has fixed."""
    if not isinstance(function, partial):
        return import_path(function)
    options = {key: as_written(value) if callable(value) else value for key, value in function.keywords.items()}
    return {"class_path": import_path(function.func), "init_args": options}


def import_path(function: Callable[..., Any]) -> str:
    """The path `import_object` finds the function at."""
    return f"{function.__module__}.{function.__qualname__}"

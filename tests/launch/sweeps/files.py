"""Sweeps for tests, small and quick, as their files have them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

Tree = dict[str, Any]
QUICK: Tree = {"rounds": 3, "peers": 8, "objective": {"class_path": "quadratic", "init_args": {"dim": 4}}}


def write(name: str = "small", *, base: Tree | None = None, **keys: Any) -> str:
    """Write NAME.yaml into the current folder: QUICK with `base` over it, and these keys; returns its path."""
    path = Path(f"{name}.yaml")
    path.write_text(json.dumps({"base": QUICK | (base or {}), **keys}))  # JSON is YAML
    return str(path)


def names(folder: str) -> set[str]:
    """The folders in a folder."""
    return {path.name for path in Path(folder).iterdir()}

"""The run folder: what was run, and one line of figures an evaluation."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

CONFIG, TOPOLOGY, METRICS, CHECKPOINT, PROMPT, REFERENCES = (
    "config.yaml",
    "topology.json",
    "metrics.jsonl",
    "checkpoint.safetensors",
    "prompt.safetensors",
    "references.json",
)


def write_whole(path: Path, text: str) -> None:
    """Write a small file so that it is whole or absent: beside, flushed to the disk, renamed."""
    beside = path.with_name(path.name + ".part")
    with beside.open("w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    beside.replace(path)


def new_folder(out: Path) -> None:
    """Make a run's folder.

    Raises:
        ValueError: if it is there already: a run is never overwritten.
    """
    try:
        out.mkdir(parents=True)
    except FileExistsError:
        raise ValueError(
            f"out is {out}: it is there already and is never overwritten; choose another folder, or go on with it by "
            f"`dfedsam resume {out}`"
        ) from None
    except OSError as error:
        raise ValueError(f"out is {out}: the folder cannot be made ({error.strerror})") from None


class Metrics:
    """The figures of a run, one dict an evaluation; appended to `metrics.jsonl` and flushed where there is a folder."""

    def __init__(self, folder: Path | None) -> None:
        self.rows: list[dict[str, Any]] = []
        self._path = folder / METRICS if folder else None

    def reload(self, last_round: int) -> None:
        """Take up the rows of an earlier stretch up to `last_round`; later ones are cut off, to be played again."""
        if self._path is None:
            return
        kept = []
        for line in self._path.read_text(encoding="utf-8").splitlines():
            try:
                row = json.loads(line)
            except json.JSONDecodeError:  # the line that a killed run was writing
                break
            if row["round"] > last_round:
                break
            kept.append(row)
        self.rows = kept
        write_whole(self._path, "".join(json.dumps(row) + "\n" for row in kept))

    def append(self, row: dict[str, Any]) -> None:
        """Add one evaluation."""
        self.rows.append(row)
        if self._path is not None:
            with self._path.open("a", encoding="utf-8") as file:
                file.write(json.dumps(row) + "\n")
                file.flush()

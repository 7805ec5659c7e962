"""A study's folder: what has become of each run, read from its contents; failures; and who is playing what."""

from __future__ import annotations

import json
import os
import shutil
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Literal

from dfedsam.run_folder import RunFolder, write_atomic

Outlook = Literal["done", "resume", "fresh"]
Row = dict[str, Any]
_TAIL = 1 << 16  # bytes at the end of metrics.jsonl in which its last rows are looked for
_AWAY = 300.0  # seconds for which a run of another machine counts as running after it last wrote


class Folder:
    """Where runs stand: `runs/NAME`, with `failed/NAME.json` and `running/NAME.json` beside them.

    Args:
        path: a study, or its part "search", which holds a search's candidates.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def run(self, name: str) -> Path:
        """A run's folder."""
        return self.path / "runs" / name

    def failure(self, name: str) -> Row | None:
        """Why a run failed, {"error", "status", "time"}, if it did when it was last played."""
        with suppress(OSError, ValueError):
            return json.loads(self._failed(name).read_text(encoding="utf-8"))
        return None

    def fail(self, name: str, error: str, status: int) -> None:
        """Note that a run failed."""
        found = {"error": " ".join(error.split()), "status": status, "time": time.strftime("%Y-%m-%dT%H:%M:%S%z")}
        self._failed(name).parent.mkdir(parents=True, exist_ok=True)
        write_atomic(self._failed(name), json.dumps(found, ensure_ascii=False) + "\n")

    def fail_for_budget(self, name: str, spent: str) -> str:
        """Note that a run's budget ended it; returns what is noted."""
        error = f"stopped before the budget is passed: {spent}; raise it in the sweep's file, and start the sweep again"
        self.fail(name, error, 1)
        return error

    def forgive(self, name: str) -> None:
        """Forget that a run failed: it is played again, or has come to its end."""
        self._failed(name).unlink(missing_ok=True)

    def _failed(self, name: str) -> Path:
        return self.path / "failed" / f"{name}.json"

    @contextmanager
    def playing(self, name: str, wait: float = 5.0) -> Iterator[bool]:
        """Hold a run while it is played; gives False if another process holds it and has not let go after `wait` s.

        The process's end lets go, however it comes.
        """
        path = self.path / "running" / f"{name}.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        file = _take(path, wait)
        if file is None:
            yield False
            return
        try:
            os.ftruncate(file, 0)
            os.pwrite(file, json.dumps({"host": socket.gethostname(), "process": os.getpid()}).encode(), 0)
            yield True
        finally:
            path.unlink(missing_ok=True)
            os.close(file)

    def is_played(self, name: str) -> bool:
        """Whether a process holds a run, on this machine or, as far as can be told, on another one."""
        path = self.path / "running" / f"{name}.json"
        try:
            file = os.open(path, os.O_RDONLY)
        except OSError:
            return False
        try:
            if not _lock(file, shared=True):
                return True
            with suppress(OSError, ValueError):  # another machine's lock may not be seen here; what it writes is
                away = json.loads(path.read_bytes())["host"] != socket.gethostname()
                return away and time.time() - age_of(self.run(name)) < _AWAY
            return False
        finally:
            os.close(file)


def outlook(folder: Path, description: Row) -> Outlook:
    """What is left to do for a run, known by its folder's contents: nothing, to go on from its checkpoint, or all.

    Args:
        folder: the run's.
        description: the settings it should have, as `Simulation.description` gives them.

    Raises:
        ValueError: if the folder holds a run of other settings; rounds may grow, and what changes no result may change.
    """
    from dfedsam.describe import only_results

    if not ((folder / "config.yaml").is_file() and (folder / "checkpoint.safetensors").is_file()):
        return "fresh"  # it was stopped before it had anything to lose
    written = RunFolder(folder).read_config()
    if written != description:
        found, asked = only_results(written), only_results(description)
        other = next((key for key in {**asked, **found} if found.get(key) != asked.get(key)), None)
        if other is not None and not (other == "rounds" and found["rounds"] < asked["rounds"]):
            raise ValueError(
                f"{folder} was played with other settings: its {other} is {found.get(other)}, and the sweep's is "
                f"{asked.get(other)}; give the sweep another --out, or remove that folder"
            )
    return "done" if is_done(folder, description["rounds"]) else "resume"


def is_done(folder: Path, rounds: int) -> bool:
    """Whether a run has played these rounds, and written its mean model after the last one."""
    row = last_row(folder)
    if row is None or row["round"] != rounds:
        return False
    with suppress(OSError):
        mean, metrics = folder / "prompt.safetensors", folder / "metrics.jsonl"
        return mean.stat().st_mtime_ns >= metrics.stat().st_mtime_ns
    return False


def clear(folder: Path) -> None:
    """Remove what is left of a run that was stopped before its first checkpoint."""
    if folder.exists():
        shutil.rmtree(folder)


def rows_at_end(folder: Path) -> list[Row]:
    """The last whole rows of a run's metrics.jsonl, also while it is being written."""
    try:
        with (folder / "metrics.jsonl").open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(0, size - _TAIL))
            lines = file.read().split(b"\n")
    except OSError:
        return []
    found = []
    for line in lines[:-1]:  # what stands behind the last newline is not whole yet, or nothing
        with suppress(ValueError, TypeError):
            row = json.loads(line)
            if isinstance(row, dict) and "round" in row:
                found.append(row)
    return found


def last_row(folder: Path) -> Row | None:
    """The last evaluation of a run, if there is one."""
    rows = rows_at_end(folder)
    return rows[-1] if rows else None


def age_of(folder: Path) -> float:
    """When a run last wrote a figure, in seconds since 1970; 0 if it has written none."""
    with suppress(OSError):
        return (folder / "metrics.jsonl").stat().st_mtime
    return 0.0


def load_yaml(text: str) -> Row:
    """YAML by the fast reader where there is one."""
    import yaml

    return yaml.load(text, getattr(yaml, "CSafeLoader", yaml.SafeLoader))


def _take(path: Path, wait: float) -> int | None:
    """Open a file and hold it alone; None if someone else still holds it after `wait` seconds."""
    end = time.monotonic() + wait
    while True:
        file = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
        if _lock(file):
            with suppress(FileNotFoundError):
                if os.fstat(file).st_ino == path.stat().st_ino:  # else its holder has just removed it
                    return file
        os.close(file)
        if time.monotonic() > end:
            return None
        time.sleep(0.05)


def _lock(file: int, *, shared: bool = False) -> bool:
    """Lock an open file, without waiting; True also where the file system knows no locks."""
    import fcntl

    try:
        fcntl.flock(file, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        return True
    return True

"""One writer per folder: a lock that names its holder, also to other machines on a shared file system.

The file `.lock` is locked through the operating system, which releases it however a process ends. The file `.writer`
names host and process, and its time is a heartbeat, which reveals a dead writer if locks of other machines are not
visible.
"""

from __future__ import annotations

import json
import os
import socket
import threading
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from dfedsam.errors import FileError
from dfedsam.machine import is_alive
from dfedsam.whole_files import naming

_BEAT = 5.0  # seconds between heartbeats
_DEAD = 30.0  # seconds without a heartbeat after which a writer on another machine is dead
LOCK, WRITER = ".lock", ".writer"


@dataclass(frozen=True)
class Writer:
    """The process that writes a folder: its host, its process number, and the time of its last heartbeat."""

    host: str
    process: int
    time: float

    @property
    def is_here(self) -> bool:
        """Whether it is on this machine."""
        return self.host == socket.gethostname()

    def __str__(self) -> str:
        return f"process {self.process}" + ("" if self.is_here else f" on {self.host}")


class FolderInUse(FileError):
    """A folder that another process is writing."""


class FolderLock:
    """The right to write a folder, which must exist."""

    def __init__(self, folder: Path) -> None:
        from filelock import FileLock

        self._folder, self._writer = folder, folder / WRITER
        self._lock = FileLock(folder / LOCK)
        self._end = threading.Event()

    def acquire(self, wait: float = 2.0) -> None:
        """Take the lock, or wait so many seconds for a writer that is about to end.

        If a writer on another machine may be dead, wait until that is certain. Raises FolderInUse if another process
        has it.
        """
        from filelock import Timeout

        try:
            self._lock.acquire(timeout=wait)
        except Timeout:
            raise self._in_use() from None
        if not self._others_are_dead():
            self._lock.release()
            raise self._in_use()
        try:
            self._beat()
        except OSError:  # such as of a full disk
            self.release()
            raise
        self._end.clear()
        threading.Thread(target=self._keep_beating, daemon=True).start()

    def release(self) -> None:
        """Release the lock."""
        self._end.set()
        with suppress(OSError):
            self._writer.unlink(missing_ok=True)
        self._lock.release()

    def _others_are_dead(self) -> bool:
        """Whether nobody else writes: we hold the lock, but other machines may not see it."""
        other = _read_writer(self._folder)
        if other is None or other.is_here:
            return True
        while time.time() - other.time < _DEAD:
            time.sleep(0.5)
            now = _read_writer(self._folder)
            if now is None:
                return True
            if now.time != other.time:
                return False
        return True

    def _in_use(self) -> FolderInUse:
        other = _read_writer(self._folder) or "another process"
        return FolderInUse(self._folder, f"{other} is writing it", "wait until it ends, or stop it")

    def _beat(self) -> None:
        content = {"host": socket.gethostname(), "process": os.getpid()}
        with naming(self._writer):
            self._writer.write_text(json.dumps(content), encoding="utf-8")

    def _keep_beating(self) -> None:
        while not self._end.wait(_BEAT):
            with suppress(OSError):
                os.utime(self._writer)


def writer(folder: Path) -> Writer | None:
    """The current writer of a folder, as far as is known; None: nobody."""
    holder = _read_writer(folder)
    if holder is None or not (holder.is_here or time.time() - holder.time < _DEAD):
        return None
    if not holder.is_here:
        return holder
    from filelock import FileLock, Timeout

    try:
        with FileLock(folder / LOCK, timeout=0):
            return None
    except Timeout:
        return holder
    except OSError:  # a folder of somebody else's, which cannot be locked: the process itself tells
        return holder if is_alive(holder.process) else None


def _read_writer(folder: Path) -> Writer | None:
    path = folder / WRITER
    with suppress(OSError, ValueError, KeyError, TypeError):
        content = json.loads(path.read_bytes())
        return Writer(str(content["host"]), int(content["process"]), path.stat().st_mtime)
    return None

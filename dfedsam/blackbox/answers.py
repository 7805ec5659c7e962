"""Answers that were paid for, kept on disk, so that nothing is paid twice."""

import hashlib
import json
import sqlite3
import threading
from pathlib import Path
from typing import Any


class Answers:
    """Class scores by what was asked; each is on disk as soon as it is known. Threads and processes may share it.

    Args:
        path: the file; its folder is made.

    Raises:
        ValueError: if it cannot be opened.
    """

    def __init__(self, path: Path) -> None:
        self._lock = threading.Lock()
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file = sqlite3.connect(path, timeout=60, check_same_thread=False, isolation_level=None)
            self._file.execute("PRAGMA journal_mode=WAL")
            self._file.execute("PRAGMA synchronous=NORMAL")
            self._file.execute("CREATE TABLE IF NOT EXISTS answers (asked TEXT PRIMARY KEY, scores TEXT)")
        except (OSError, sqlite3.Error) as error:
            raise ValueError(f"answers is {path}: it cannot be opened ({error}); name another file") from None

    @staticmethod
    def name(url: str, body: dict[str, Any], words: list[Any]) -> str:
        """What an answer is filed under: all that it depends on."""
        return hashlib.sha256(json.dumps([url, body, words], sort_keys=True).encode()).hexdigest()

    def get(self, asked: str) -> list[float] | None:
        """The scores that were answered; None if it has not been asked."""
        with self._lock:
            row = self._file.execute("SELECT scores FROM answers WHERE asked = ?", (asked,)).fetchone()
        return None if row is None else json.loads(row[0])

    def put(self, asked: str, scores: list[float]) -> None:
        """Keep an answer."""
        with self._lock:
            self._file.execute("INSERT OR REPLACE INTO answers VALUES (?, ?)", (asked, json.dumps(scores)))

    def close(self) -> None:
        """Close the file."""
        self._file.close()

"""Paid answers, stored on disk, so that nothing is paid for twice and the budget is never exceeded."""

from __future__ import annotations

import hashlib
import json
import os
import socket
import sqlite3
import threading
import time
from pathlib import Path
from typing import Any

from dfedsam.errors import BudgetExceeded, OptionError

_TABLES = """
CREATE TABLE IF NOT EXISTS answers (request TEXT PRIMARY KEY, scores TEXT);
CREATE TABLE IF NOT EXISTS claims (request TEXT PRIMARY KEY, host TEXT, pid INTEGER, until REAL);
CREATE TABLE IF NOT EXISTS spent (id INTEGER PRIMARY KEY CHECK (id = 0), requests INTEGER, tokens INTEGER);
CREATE TABLE IF NOT EXISTS rate (id INTEGER PRIMARY KEY CHECK (id = 0), next REAL);
INSERT OR IGNORE INTO spent VALUES (0, 0, 0);
INSERT OR IGNORE INTO rate VALUES (0, 0);
"""


class ResponseCache:
    """Answers by request, stored on disk as soon as they are known. Threads, ranks and runs may share the file.

    Args:
        path: the file; its folder is created.
        requests: requests that may be paid for in all, by everyone who shares the file; 0 for no limit.
        tokens: tokens that may be sent in all; 0 for no limit.
        per_minute: requests and tokens that may be sent a minute by everyone who shares the file, evenly; None: any.

    Raises:
        OptionError: if it cannot be opened.
    """

    def __init__(
        self,
        path: Path,
        *,
        requests: int = 0,
        tokens: int = 0,
        per_minute: tuple[float | None, float | None] = (None, None),
    ) -> None:
        self.path, self._limits, self._per_minute = path, {"requests": requests, "tokens": tokens}, per_minute
        self.has_budget = requests + tokens > 0
        self._lock, self._host = threading.Lock(), socket.gethostname()
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file = sqlite3.connect(path, timeout=60, check_same_thread=False, isolation_level=None)
            self._file.execute("PRAGMA journal_mode=WAL")
            self._file.execute("PRAGMA synchronous=NORMAL")
            self._file.executescript(_TABLES)
        except (OSError, sqlite3.Error) as error:
            raise OptionError("cache_path", path, f"cannot be opened ({error})", "name another file") from None

    @staticmethod
    def key(parts: Any) -> str:
        """The key of an answer: a digest of everything that it depends on, as JSON."""
        return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()

    def get(self, key: str) -> Any:
        """The stored answer; None if there is none."""
        with self._lock:
            row = self._file.execute("SELECT scores FROM answers WHERE request = ?", (key,)).fetchone()
        return None if row is None else json.loads(row[0])

    def put(self, key: str, answer: Any) -> None:
        """Store an answer, and release its claim."""
        with self._lock:
            self._file.execute("INSERT OR REPLACE INTO answers VALUES (?, ?)", (key, json.dumps(answer)))
        self.release(key)

    def claim(self, key: str, seconds: float) -> bool:
        """Claim a request; False if another process has claimed it. Claims of processes that have ended lapse.

        Args:
            key: key of the request.
            seconds: how long the claim lasts at most.
        """
        with self._lock:
            row = self._file.execute("SELECT host, pid, until FROM claims WHERE request = ?", (key,)).fetchone()
            if row is not None:
                host, pid, until = row
                if time.time() < until and not (host == self._host and not _is_alive(pid)):
                    return False
                self._file.execute("DELETE FROM claims WHERE request = ? AND until = ?", (key, until))
            mine = (key, self._host, os.getpid(), time.time() + seconds)
            return self._file.execute("INSERT OR IGNORE INTO claims VALUES (?, ?, ?, ?)", mine).rowcount == 1

    def release(self, key: str) -> None:
        """Release the claim of a request."""
        with self._lock:
            self._file.execute("DELETE FROM claims WHERE request = ?", (key,))

    def spend(self, tokens: int, key: str) -> None:
        """Count a request of so many tokens before it is sent, and wait until the rate allows it.

        Args:
            tokens: number of tokens.
            key: key of the request; its claim is extended by the wait.

        Raises:
            BudgetExceeded: if the budget does not cover it; nothing is counted then.
        """
        most = [limit or 1 << 62 for limit in self._limits.values()]
        with self._lock:
            done = self._file.execute(
                "UPDATE spent SET requests = requests + 1, tokens = tokens + ? "
                "WHERE requests + 1 <= ? AND tokens + ? <= ?",
                (tokens, most[0], tokens, most[1]),
            )
        if not done.rowcount:
            counts, limits = self.spent(), self._limits
            name = "requests" if limits["requests"] and counts["requests"] >= limits["requests"] else "tokens"
            raise BudgetExceeded(
                f"budget_{name} is {limits[name]:,}: {counts[name]:,} are paid for already, according to {self.path}; "
                "resume with a larger budget to continue"
            )

        self._wait(tokens, key)

    def _wait(self, tokens: int, key: str) -> None:
        """Take the next place in the queue of all who share the file, and wait for it."""
        requests, most = self._per_minute
        seconds = max(60 / requests if requests else 0.0, 60 * tokens / most if most else 0.0)
        if not seconds:
            return
        now = time.time()
        with self._lock:
            self._file.execute("BEGIN IMMEDIATE")
            (start,) = self._file.execute("SELECT max(next, ?) FROM rate", (now,)).fetchone()
            self._file.execute("UPDATE rate SET next = ?", (start + seconds,))
            self._file.execute("UPDATE claims SET until = until + ? WHERE request = ?", (start - now, key))
            self._file.execute("COMMIT")
        time.sleep(start - now)

    def spent(self) -> dict[str, int]:
        """The total requests and tokens paid for, as recorded in the file."""
        with self._lock:
            row = self._file.execute("SELECT requests, tokens FROM spent").fetchone()
        return dict(zip(("requests", "tokens"), row, strict=True))

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def _is_alive(pid: int) -> bool:
    """Whether a process exists on this machine."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True

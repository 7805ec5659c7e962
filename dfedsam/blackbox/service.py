"""A service that answers requests over HTTP: several at a time, each paid for once, within a budget and a rate."""

from __future__ import annotations

import hashlib
import json
import os
import socket
import sqlite3
import threading
import time
import weakref
from collections.abc import Callable, Collection, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from dfedsam.blackbox.client import Client, PassingError, RefusedError
from dfedsam.errors import BudgetExceeded, OptionError
from dfedsam.machine import is_alive
from dfedsam.whole_files import cache_folder

if TYPE_CHECKING:
    from dfedsam.blackbox.configs import ServiceConfig

_TABLES = """
CREATE TABLE IF NOT EXISTS answers (request TEXT PRIMARY KEY, scores TEXT);
CREATE TABLE IF NOT EXISTS claims (request TEXT PRIMARY KEY, host TEXT, pid INTEGER, until REAL);
CREATE TABLE IF NOT EXISTS spent (id INTEGER PRIMARY KEY CHECK (id = 0), requests INTEGER, tokens INTEGER);
CREATE TABLE IF NOT EXISTS rate (id INTEGER PRIMARY KEY CHECK (id = 0), next REAL);
INSERT OR IGNORE INTO spent VALUES (0, 0, 0);
INSERT OR IGNORE INTO rate VALUES (0, 0);
"""
T = TypeVar("T")
Body = dict[str, Any]


class ResponseCache:
    """Answers by request, stored on disk as soon as they are known. Threads, ranks and runs may share the file.

    The options name the file, budget and rates of all who share it. Raises OptionError if it cannot be opened.
    """

    def __init__(self, options: ServiceConfig) -> None:
        self.path = path = Path(options.cache_path) if options.cache_path else cache_folder() / options.cache_name
        self._limits = {"requests": options.budget_requests, "tokens": options.budget_tokens}
        self._per_minute = options.requests_per_minute, options.tokens_per_minute
        self.has_budget = sum(self._limits.values()) > 0
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
        """Claim a request for at most so many seconds; False if another process that has not ended has claimed it."""
        with self._lock:
            row = self._file.execute("SELECT host, pid, until FROM claims WHERE request = ?", (key,)).fetchone()
            if row is not None:
                host, pid, until = row
                if time.time() < until and not (host == self._host and not is_alive(pid)):
                    return False
                self._file.execute("DELETE FROM claims WHERE request = ? AND until = ?", (key, until))
            claim = (key, self._host, os.getpid(), time.time() + seconds)
            return self._file.execute("INSERT OR IGNORE INTO claims VALUES (?, ?, ?, ?)", claim).rowcount == 1

    def release(self, key: str) -> None:
        """Release the claim of a request."""
        with self._lock:
            self._file.execute("DELETE FROM claims WHERE request = ?", (key,))

    def spend(self, tokens: int, key: str) -> None:
        """Count a request of so many tokens before it is sent, and wait, extending its claim, until the rate allows it.

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


class Service:
    """The server, and the file with its answers.

    Args:
        options: address, key, and those of the file.
        optional: fields of a request that are left out once the server refuses them.
        renamed: fields that have another name once the server asks for it.

    Attributes:
        cache: the file.

    Raises:
        OptionError: if the file cannot be opened, or a key would be sent unencrypted.
    """

    def __init__(
        self, options: ServiceConfig, *, optional: Collection[str] = (), renamed: Mapping[str, str] | None = None
    ) -> None:
        self._optional, self._renamed = optional, renamed or {}
        self._names: dict[str, str] = {}  # of fields that the server refuses: what it calls them; empty: left out
        self._executor, self._lock = ThreadPoolExecutor(options.in_flight), threading.Lock()
        self._client = Client(options)
        self.url = self._client.url
        self.cache = ResponseCache(options)
        self.has_budget = self.cache.has_budget
        weakref.finalize(self, _close, self._executor, self._client, self.cache)

    def all(self, ask: Callable[[int], T], count: int) -> list[T]:
        """ask(0), …, ask(count − 1), in threads; no further ones are asked after the first failure."""
        waiting = [self._executor.submit(ask, i) for i in range(count)]
        try:
            return [one.result() for one in waiting]
        finally:
            for one in waiting:
                one.cancel()

    def answer(
        self,
        key: str,
        path: str,
        body: Callable[[], Body],
        tokens: int,
        read: Callable[[Any], T],
        adapt: Callable[[str, Body], bool] = lambda _, __: False,
    ) -> T:
        """What an answer says, from the file if it is known.

        Args:
            key: what the answer is stored under, by `cache.key`.
            path: the request's path after the url.
            body: makes the request.
            tokens: tokens of the request, for budget and rate.
            read: reads a JSON answer, into a value that JSON can hold; raises PassingError if it makes no sense.
            adapt: takes the server's reason for a refusal and the body; whether another body will be made.

        Raises:
            BudgetExceeded: if a request is needed that the budget does not cover.
            EndpointError: if the server does not answer.
        """
        cache = self.cache
        known = cache.get(key)
        while known is None and not cache.claim(key, self._client.longest):
            time.sleep(0.02)  # another thread, rank or run has sent the same request
            known = cache.get(key)
        if known is None:
            try:
                known = cache.get(key)
                if known is None:
                    known = self._ask(path, body, read, adapt, lambda: cache.spend(tokens, key))
                cache.put(key, known)
            finally:
                cache.release(key)
        return known

    def _ask(
        self,
        path: str,
        make: Callable[[], Body],
        read: Callable[[Any], T],
        adapt: Callable[[str, Body], bool],
        spend: Callable[[], None],
    ) -> T:
        while True:
            names = self._names
            body = {names.get(name, name): value for name, value in make().items() if names.get(name, name)}
            try:
                return self._client.ask(path, body, read, spend)
            except RefusedError as error:
                if not (self._rename(error.reason, body) or adapt(error.reason, body)):
                    raise

    def _rename(self, reason: str, body: Body) -> bool:
        """Call fields from now on as the server wants it, or leave them out, if that is why it refuses."""
        names = {old: new for old, new in self._renamed.items() if old in body and new in reason}
        names |= {field: "" for field in self._optional if field in body and field in reason}
        with self._lock:
            self._names = self._names | names
        return bool(names)


def message(answer: Any) -> str:
    """The text of a chat answer; empty if it has none. Raises PassingError if it is no chat answer."""
    try:
        content = answer["choices"][0]["message"]["content"]
    except (KeyError, IndexError, TypeError):
        content = 0
    if content is not None and not isinstance(content, str):
        raise PassingError("the last answer has status 200 and no message")
    return content or ""


def _close(executor: ThreadPoolExecutor, client: Client, cache: ResponseCache) -> None:
    """Release threads, connections and the file.

    The garbage collector may call this from any thread, one of the executor's perhaps: no thread is waited for. None of
    them has work left, which would have kept the service.
    """
    executor.shutdown(wait=False, cancel_futures=True)
    client.close()
    cache.close()

"""A service that answers requests over HTTP: several at a time, each paid for once, within a budget and a rate."""

from __future__ import annotations

import threading
import time
import weakref
from collections.abc import Callable, Collection, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from dfedsam.blackbox.client import Client, PassingError, RefusedError
from dfedsam.blackbox.response_cache import ResponseCache
from dfedsam.whole_files import cache_folder

if TYPE_CHECKING:
    from dfedsam.blackbox.configs import ServiceConfig

T = TypeVar("T")
Body = dict[str, Any]


class Service:
    """The server, and the file with its answers.

    Args:
        options: address, key, rates, budget and file.
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
        self._team, self._lock = ThreadPoolExecutor(options.in_flight), threading.Lock()
        self._client = Client(options)
        self.url = self._client.url
        self.cache = ResponseCache(
            Path(options.cache_path) if options.cache_path else cache_folder() / options.cache_name,
            requests=options.budget_requests,
            tokens=options.budget_tokens,
            per_minute=(options.requests_per_minute, options.tokens_per_minute),
        )
        self.has_budget = self.cache.has_budget
        weakref.finalize(self, _close, self._team, self._client, self.cache)

    def all(self, ask: Callable[[int], T], count: int) -> list[T]:
        """ask(0), …, ask(count − 1), in threads; no further ones are asked after the first failure."""
        waiting = [self._team.submit(ask, i) for i in range(count)]
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
    """The text of a chat answer; empty if it has none.

    Raises:
        PassingError: if it is no chat answer.
    """
    try:
        said = answer["choices"][0]["message"]["content"]
    except (KeyError, IndexError, TypeError):
        said = 0
    if said is not None and not isinstance(said, str):
        raise PassingError("the last answer has status 200 and no message")
    return said or ""


def _close(team: ThreadPoolExecutor, client: Client, cache: ResponseCache) -> None:
    """Release threads, connections and the file.

    The garbage collector may call this from any thread, one of the team's perhaps: no thread is waited for. None of
    them has work left, which would have kept the service.
    """
    team.shutdown(wait=False, cancel_futures=True)
    client.close()
    cache.close()

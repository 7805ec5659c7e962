"""The completions protocol over HTTP: requests the next token's log-probabilities, with retries."""

from __future__ import annotations

import json
import math
import os
import ssl
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

import httpx2 as httpx
import tenacity

from dfedsam.errors import OptionError, RunError

_RETRIED = (408, 409, 425, 429)  # temporary statuses, besides those from 500 on
_MOST_BYTES = 1 << 22  # limit of an answer, which has some hundred numbers
_LOCAL = ("localhost", "127.0.0.1", "::1")
_ROUNDING = 1e-3  # a log-probability in 16 bits may exceed 0 by this


class EndpointError(RunError):
    """The endpoint did not answer, or not correctly; the message has the last answer's status."""


class _PassingError(Exception):
    """A temporary failure: the same request may succeed later."""

    def __init__(self, message: str, wait: float = 0.0) -> None:
        super().__init__(message)
        self.wait = wait


class Completions:
    """A client of an OpenAI-compatible server.

    Args:
        url: address including the version, such as http://localhost:8000/v1.
        key_variable: the environment variable that holds the key; it is sent, but never written anywhere.
        in_flight: number of connections.
        retries: how often a request is repeated after 408, 409, 425, 429, 5xx, a lost connection, a timeout or an
            invalid answer.
        timeout: time limit of an answer in seconds.
        backoff: seconds before the first retry; doubled for each, up to a minute, plus a random time of up to the same
            length.

    Raises:
        OptionError: if a key would be sent unencrypted to another machine.
    """

    def __init__(
        self, *, url: str, key_variable: str, in_flight: int, retries: int, timeout: float, backoff: float
    ) -> None:
        self.url, self._timeout = url.rstrip("/"), timeout
        self._key = os.environ.get(key_variable, "").strip() if key_variable else ""
        address = urlsplit(url)
        if self._key and address.scheme != "https" and address.hostname not in _LOCAL:
            rule = f"must begin with https:// where the key of {key_variable} is sent, unless it is this machine"
            raise OptionError("url", url, rule, 'set key_variable to "" to send none')
        headers = {"Authorization": f"Bearer {self._key}"} if self._key else {}
        limits = httpx.Limits(max_connections=in_flight, max_keepalive_connections=in_flight)
        own = any(os.environ.get(name) for name in ("SSL_CERT_FILE", "SSL_CERT_DIR"))  # a certificate authority's
        verify = ssl.create_default_context() if own else True
        self._client = httpx.Client(headers=headers, limits=limits, timeout=timeout, trust_env=False, verify=verify)
        exponential = tenacity.wait_exponential(multiplier=backoff, max=60) + tenacity.wait_random(0, backoff)

        def wait(state: tenacity.RetryCallState) -> float:
            error = state.outcome.exception() if state.outcome else None
            return max(exponential(state), getattr(error, "wait", 0.0))

        self._retrying = tenacity.Retrying(
            stop=tenacity.stop_after_attempt(retries + 1),
            wait=wait,
            retry=tenacity.retry_if_exception_type(_PassingError),
            reraise=True,
        )
        self._attempts = retries + 1
        self.longest = self._attempts * (2 * timeout + 61 + backoff)
        """Maximum of seconds that a request takes with all its retries."""

    def top(self, body: dict[str, Any], before_each: Callable[[], None]) -> dict[str, float]:
        """Log-probabilities of the most likely next tokens, by the server's names of the tokens.

        Args:
            body: the request.
            before_each: called before the request is sent, and before each retry.

        Raises:
            EndpointError: if the server rejects the request, or does not answer correctly after all retries.
        """

        def attempt() -> dict[str, float]:
            before_each()
            return self._ask(body)

        try:
            return self._retrying.copy()(attempt)
        except _PassingError as error:
            raise EndpointError(
                f"url is {self.url}: {error}, after {self._attempts} attempts; check that the server runs there and "
                "speaks the completions protocol with logprobs"
            ) from None

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def _ask(self, body: dict[str, Any]) -> dict[str, float]:
        try:
            status, headers, content = self._post(body)
        except httpx.TimeoutException:
            raise _PassingError("no answer in time") from None
        except httpx.HTTPError as error:
            raise _PassingError(f"no answer ({type(error).__name__}: {self._without_key(str(error))})") from None
        except (httpx.InvalidURL, ValueError) as error:
            raise EndpointError(f"url is {self.url}: it must be an http address ({error}); fix it") from None
        if status in _RETRIED or status >= 500:
            seconds = headers.get("retry-after", "")
            wait = min(float(seconds), 60.0) if seconds.isascii() and seconds.isdigit() and len(seconds) < 9 else 0.0
            raise _PassingError(f"the last answer has status {status}", wait)
        if status != 200:
            reason = self._without_key(" ".join(content.decode(errors="replace").split())[:200])
            raise EndpointError(
                f"url is {self.url}: it refuses with status {status} ({reason}); fix the key, model or url"
            )
        return _log_probabilities(content)

    def _post(self, body: dict[str, Any]) -> tuple[int, Any, bytes]:
        """Status, headers and content of an answer, of bounded size and time."""
        began, content = time.monotonic(), bytearray()
        with self._client.stream("POST", f"{self.url}/completions", json=body) as answer:
            for chunk in answer.iter_bytes():
                content += chunk
                if len(content) > _MOST_BYTES:
                    raise _PassingError(f"the last answer is longer than {_MOST_BYTES >> 20} MiB")
                if time.monotonic() - began > self._timeout:
                    raise _PassingError("no whole answer in time")
        return answer.status_code, answer.headers, bytes(content)

    def _without_key(self, text: str) -> str:
        """The server's text, unless it repeats the key in any form."""
        if not self._key:
            return text
        letters, key = (("".join(filter(str.isalnum, one))).lower() for one in (text, self._key))
        return "its answer repeats the key" if key and (key in letters or key[::-1] in letters) else text


def _log_probabilities(content: bytes) -> dict[str, float]:
    """The log-probabilities of an answer, checked."""
    try:
        top = json.loads(content)["choices"][0]["logprobs"]["top_logprobs"][0]
        values = {str(token): float(value) for token, value in top.items()}
    except (ValueError, KeyError, IndexError, TypeError, AttributeError, OverflowError, RecursionError):
        values = {}
    if not values:
        raise _PassingError("the last answer has status 200 and no logprobs of a next token")
    for value in values.values():
        if not math.isfinite(value) or value > _ROUNDING:
            raise _PassingError(f"the last answer has status 200 and the log-probability {value}, which none can be")
    return values

"""Requests to an OpenAI-compatible server over HTTP, with retries, a key that is never written, and bounded answers."""

from __future__ import annotations

import json
import os
import ssl
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlsplit

import httpx2 as httpx
import tenacity

from dfedsam.errors import OptionError, RunError

if TYPE_CHECKING:
    from dfedsam.blackbox.configs import ServiceConfig

T = TypeVar("T")
_RETRIED = (408, 409, 425, 429)  # temporary statuses, besides those from 500 on
_MOST_BYTES = 1 << 22  # limit of an answer, which has some hundred numbers
_LOCAL = ("localhost", "127.0.0.1", "::1")
_HINTS = {  # what a server's reason for a refusal has, and what to do about it
    "logprob": "if it gives no log-probabilities, choose the protocol labels",
    "chat template": "its model has no chat template: choose the protocol completions",
    "prompt": "if it takes no prompt_embeds, choose the parameters discrete_prompt, whose prompts are text",
}


class EndpointError(RunError):
    """The endpoint did not answer, or not correctly; the message has the last answer's status."""


class RefusedError(EndpointError):
    """The endpoint refuses the request: the whole message, and the server's words."""

    def __init__(self, message: str, reason: str) -> None:
        super().__init__(message)
        self.reason = reason


class PassingError(Exception):
    """A temporary failure: the same request may succeed later.

    Args:
        message: what was wrong with the answer.
        wait: seconds that the server asks to wait.
        hint: what the user may do.
    """

    def __init__(
        self, message: str, wait: float = 0.0, hint: str = "check that the server runs there and speaks this protocol"
    ) -> None:
        super().__init__(message)
        self.wait, self.hint = wait, hint


class Client:
    """A client of an OpenAI-compatible server, by its url, key_variable, in_flight, retries, timeout and backoff.

    Raises:
        OptionError: if a key would be sent unencrypted to another machine.
    """

    def __init__(self, options: ServiceConfig) -> None:
        self.url, self._timeout, variable = options.url.rstrip("/"), options.timeout, options.key_variable
        self._key = os.environ.get(variable, "").strip() if variable else ""
        address = urlsplit(options.url)
        if self._key and address.scheme != "https" and address.hostname not in _LOCAL:
            rule = f"must begin with https:// where the key of {variable} is sent, unless it is this machine"
            raise OptionError("url", options.url, rule, 'set key_variable to "" to send none')
        headers = {"Authorization": f"Bearer {self._key}"} if self._key else {}
        limits = httpx.Limits(max_connections=options.in_flight, max_keepalive_connections=options.in_flight)
        custom = any(map(os.environ.get, ("SSL_CERT_FILE", "SSL_CERT_DIR")))  # a certificate authority's
        verify = ssl.create_default_context() if custom else True
        self._client = httpx.Client(
            headers=headers, limits=limits, timeout=self._timeout, trust_env=False, verify=verify
        )
        backoff = options.backoff
        exponential = tenacity.wait_exponential(multiplier=backoff, max=60) + tenacity.wait_random(0, backoff)

        def wait(state: tenacity.RetryCallState) -> float:
            error = state.outcome.exception() if state.outcome else None
            return max(exponential(state), getattr(error, "wait", 0.0))

        self._attempts = options.retries + 1
        self._retrying = tenacity.Retrying(
            stop=tenacity.stop_after_attempt(self._attempts),
            wait=wait,
            retry=tenacity.retry_if_exception_type(PassingError),
            reraise=True,
        )
        self.longest = self._attempts * (2 * self._timeout + 61 + backoff)
        """Maximum of seconds that a request takes with all its retries, without waits for a rate limit."""

    def ask(self, path: str, body: dict[str, Any], read: Callable[[Any], T], before_each: Callable[[], None]) -> T:
        """What `read` makes of the answer to a request.

        Args:
            path: the request's path after the url.
            body: the request.
            read: reads a JSON answer; raises PassingError if it makes no sense.
            before_each: called before the request is sent, and before each retry.

        Raises:
            RefusedError: if the server refuses the request.
            EndpointError: if it does not answer correctly after all retries.
        """

        def attempt() -> T:
            before_each()
            return read(self._ask(path, body))

        try:
            return self._retrying.copy()(attempt)
        except PassingError as error:
            message = f"url is {self.url}: {error}, after {self._attempts} attempts; {error.hint}"
            raise EndpointError(message) from None

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def _ask(self, path: str, body: dict[str, Any]) -> Any:
        try:
            status, headers, content = self._post(path, body)
        except httpx.TimeoutException:
            raise PassingError("no answer in time") from None
        except httpx.HTTPError as error:
            raise PassingError(f"no answer ({type(error).__name__}: {self._without_key(str(error))})") from None
        except (httpx.InvalidURL, ValueError) as error:
            raise EndpointError(f"url is {self.url}: it must be an http address ({error}); fix it") from None
        if status in _RETRIED or status >= 500:
            seconds = headers.get("retry-after", "")
            wait = min(float(seconds), 60.0) if seconds.isascii() and seconds.isdigit() and len(seconds) < 9 else 0.0
            raise PassingError(f"the last answer has status {status}", wait)
        if status != 200:
            reason = self._without_key(" ".join(content.decode(errors="replace").split())[:200])
            hint = next((hint for word, hint in _HINTS.items() if word in reason.lower()), "fix the key, model or url")
            raise RefusedError(f"url is {self.url}: it refuses with status {status} ({reason}); {hint}", reason)
        try:
            return json.loads(content)
        except (ValueError, RecursionError):
            raise PassingError("the last answer has status 200 and is not JSON") from None

    def _post(self, path: str, body: dict[str, Any]) -> tuple[int, Any, bytes]:
        """Status, headers and content of an answer, of bounded size and time."""
        began, content = time.monotonic(), bytearray()
        with self._client.stream("POST", f"{self.url}{path}", json=body) as answer:
            for chunk in answer.iter_bytes():
                content += chunk
                if len(content) > _MOST_BYTES:
                    raise PassingError(f"the last answer is longer than {_MOST_BYTES >> 20} MiB")
                if time.monotonic() - began > self._timeout:
                    raise PassingError("no whole answer in time")
        return answer.status_code, answer.headers, bytes(content)

    def _without_key(self, text: str) -> str:
        """The server's text, unless it repeats the key in any form."""
        if not self._key:
            return text
        letters, key = (("".join(filter(str.isalnum, one))).lower() for one in (text, self._key))
        return "its answer repeats the key" if key and (key in letters or key[::-1] in letters) else text

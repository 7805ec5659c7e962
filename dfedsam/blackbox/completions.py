"""The completions protocol over HTTP: the next token's log-probabilities, asked for until they come."""

import os
from typing import Any

import httpx2 as httpx
import tenacity

from dfedsam.errors import RunError

_AGAIN = (408, 409, 425, 429)  # statuses that pass, beside those from 500 on


class EndpointError(RunError):
    """An endpoint that does not answer, or not as it should; the message has the last answer's status."""


class _PassingError(Exception):
    """A failure that may be over when the same is asked again."""

    def __init__(self, message: str, wait: float = 0.0) -> None:
        super().__init__(message)
        self.wait = wait


class Completions:
    """Asks an OpenAI-compatible server.

    Args:
        url: up to and with the version, such as http://localhost:8000/v1.
        key_variable: the environment variable that holds the key; it is sent and written nowhere.
        in_flight: connections.
        retries: how often a request is made again after 408, 409, 425, 429, 5xx, a lost connection, no answer in time
            or one that makes no sense.
        timeout: seconds that an answer may take.
        backoff: seconds before the first retry; doubled for each, up to a minute, and drawn from as much again.
    """

    def __init__(
        self, *, url: str, key_variable: str, in_flight: int, retries: int, timeout: float, backoff: float
    ) -> None:
        self.url = url.rstrip("/")
        self._key = os.environ.get(key_variable, "") if key_variable else ""
        headers = {"Authorization": f"Bearer {self._key}"} if self._key else {}
        limits = httpx.Limits(max_connections=in_flight, max_keepalive_connections=in_flight)
        self._client = httpx.Client(headers=headers, limits=limits, timeout=timeout, trust_env=False)
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

    def top(self, body: dict[str, Any]) -> dict[str, float]:
        """Log-probabilities of the likeliest next tokens, by what the server calls them.

        Raises:
            EndpointError: if the server refuses, or does not answer sensibly after all retries.
        """
        try:
            return self._retrying.copy()(self._ask, body)
        except _PassingError as error:
            raise EndpointError(
                f"url is {self.url}: {error}, after {self._attempts} attempts; see that the server runs there and "
                "speaks the completions protocol with logprobs"
            ) from None

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def _ask(self, body: dict[str, Any]) -> dict[str, float]:
        try:
            answer = self._client.post(f"{self.url}/completions", json=body)
        except httpx.TimeoutException:
            raise _PassingError("no answer in time") from None
        except httpx.HTTPError as error:
            raise _PassingError(f"no answer ({type(error).__name__}: {self._hushed(str(error))})") from None
        except (httpx.InvalidURL, ValueError) as error:
            raise EndpointError(f"url is {self.url}: it must be an http address ({error}); mend it") from None
        status = f"status {answer.status_code}"
        if answer.status_code in _AGAIN or answer.status_code >= 500:
            seconds = answer.headers.get("retry-after", "")
            raise _PassingError(
                f"the last answer has {status}", min(float(seconds), 60.0) if seconds.isdigit() else 0.0
            )
        if answer.status_code != 200:
            said = self._hushed(" ".join(answer.text.split())[:200])
            raise EndpointError(f"url is {self.url}: it refuses with {status} ({said}); mend the key, model or url")
        try:
            top = answer.json()["choices"][0]["logprobs"]["top_logprobs"][0]
            if not top:
                raise ValueError
            return {str(token): float(value) for token, value in top.items()}
        except (ValueError, KeyError, IndexError, TypeError, AttributeError):
            raise _PassingError(f"the last answer has {status} and no logprobs of a next token") from None

    def _hushed(self, text: str) -> str:
        """A text of the server's without the key."""
        return text.replace(self._key, "…") if self._key else text

"""The options of a service that is asked over HTTP: address, key, retries, rates and budget. Does not import httpx."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from dfedsam.errors import OptionError
from dfedsam.options import Options, option
from dfedsam.validation import positive, whole_number


@dataclass(frozen=True, kw_only=True)
class ServiceConfig(Options):
    """Shared options of language models behind an HTTP endpoint.

    A budget is exact: it is compared with the total cost recorded in the file before each request, including retries. A
    run that exceeds it drops the unfinished round; once resumed, it reads answers that are paid for from the file.

    Args:
        url: the server's address with its version, such as http://localhost:8000/v1; https if a key is sent
            to another machine.
        key_variable: the environment variable that holds the key; the key is sent, but never written anywhere.
        in_flight: concurrent requests, at least 1.
        retries: how often a request is repeated after 408, 409, 425, 429, 5xx, no answer, or an invalid answer.
        timeout: time limit of an answer in seconds, above 0.
        backoff: seconds before the first retry, above 0; doubled for each further one, up to a minute.
        requests_per_minute: requests sent a minute by all who share `cache_path`, evenly, above 0; null: no limit.
        tokens_per_minute: tokens sent a minute, likewise.
        budget_requests: requests that may be paid for, by all ranks and runs that share `cache_path`; a run stops
            before the first one beyond it, and can be resumed with a larger budget. 0 for no limit.
        budget_tokens: tokens that may be sent, likewise.
        cache_path: file that stores every answer, so that none is paid for twice; empty: one in the cache folder.
    """

    confirmed: ClassVar[tuple[str, ...]] = ("url", "key_variable")  # a file alone may not choose them
    cache_name: ClassVar[str] = "endpoint.sqlite"
    url: str = "http://localhost:8000/v1"
    key_variable: str = "OPENAI_API_KEY"
    in_flight: int = option(16, whole_number, 1)
    retries: int = option(5, whole_number, 0)
    timeout: float = option(60.0, positive)
    backoff: float = option(1.0, positive)
    requests_per_minute: float | None = option(None, positive)
    tokens_per_minute: float | None = option(None, positive)
    budget_requests: int = option(0, whole_number, 0)
    budget_tokens: int = option(0, whole_number, 0)
    cache_path: str = ""

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.url.startswith(("http://", "https://")):
            raise OptionError("url", self.url, "must begin with http:// or https://", f"such as {ServiceConfig.url}")

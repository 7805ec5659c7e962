"""The options of a language model behind an HTTP endpoint. Does not import torch."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import ClassVar, Literal, get_args

from dfedsam import validation
from dfedsam.blackbox.base import BlackBox
from dfedsam.blackbox.configs import TemplatedConfig
from dfedsam.blackbox.inputs import TaskSpec
from dfedsam.blackbox.templates import Template
from dfedsam.errors import OptionError

EndpointProtocol = Literal["completions", "chat", "labels"]
_FIELDS = re.compile(r"\{[^{}]*\}")


@dataclass(frozen=True, kw_only=True)
class EndpointConfig(TemplatedConfig):
    """A language model behind an HTTP endpoint that speaks OpenAI's protocols; one request a prompt and example.

    The objective's `model` is a folder, GGUF file or hub name with a tokenizer: that of the served model for
    completions; any for chat and labels, to cut texts, to count tokens and for the candidates of discrete prompts.
    Requires pip install "dfedsam[endpoint]".

    A budget is exact: before each request, including retries, it is compared with the total cost recorded in the file
    `cache_path` by all ranks and runs that share it, and a request beyond it is not sent. The run then drops the
    unfinished round and stops; resumed with a larger budget, it reads answers that are already paid for from the file.

    Args:
        template: as for causal_lm: with {prompt} and {text} (or {text1} and {text2}), and the label word follows; or
            the name of a task: sst2, yelp, ag_news, dbpedia, mrpc, rte, snli. In a chat it is the user's message.
        protocol: "completions": scores are log-probabilities of the label words as next tokens. Text prompts are sent
            as tokens; soft prompts as prompt_embeds, as `vllm serve --enable-prompt-embeds` takes them, for which only
            the token embeddings of `model` are read. "chat": scores are log-probabilities of the answer's first token.
            "labels": no log-probabilities; the loss is the share of answers that do not begin with the label word.
        system: the system message of a chat, with {words} and perhaps {prompt} instead of the template; empty: none.
        as_text: whether completions are sent as text, for a server that takes no tokens.
        whole_words: whether completions score whole label words, at one request for each token; otherwise the first
            tokens, which must differ.
        samples: answers for each prompt and example with the protocol labels, at least 1; 1 is the most likely answer,
            more are drawn at temperature 1.
        url: the server's address with its version, such as http://localhost:8000/v1; https if a key is sent
            to another machine.
        served: the server's name of the model; empty: the objective's `model`.
        key_variable: the environment variable that holds the key; the key is sent, but never written anywhere.
        logprobs: number of most likely tokens to request, at least 1; fewer if the server refuses. A label word that is
            not among them gets the least of their log-probabilities.
        in_flight: concurrent requests, at least 1.
        retries: how often a request is repeated after 408, 409, 425, 429, 5xx, no answer, or an invalid answer.
        timeout: time limit of an answer in seconds, above 0.
        backoff: seconds before the first retry, above 0; doubled for each further one, up to a minute.
        requests_per_minute: requests sent a minute by all who share `cache_path`, evenly, above 0; null: no limit.
        tokens_per_minute: tokens sent a minute, likewise.
        budget_requests: requests that may be paid for; 0 for no limit.
        budget_tokens: tokens that may be sent; 0 for no limit.
        cache_path: file that stores every answer, so that none is paid for twice; empty: endpoint.sqlite in the cache
            folder.
    """

    public_name: ClassVar[str] = "endpoint"
    confirmed: ClassVar[tuple[str, ...]] = ("url", "key_variable")  # a file alone may not choose them
    is_remote: ClassVar[bool] = True
    template: str = "{text} {prompt} It was"
    protocol: EndpointProtocol = "completions"
    system: str = "Answer with one word: {words}."
    as_text: bool = False
    whole_words: bool = False
    samples: int = 1
    url: str = "http://localhost:8000/v1"
    served: str = ""
    key_variable: str = "OPENAI_API_KEY"
    logprobs: int = 20
    in_flight: int = 16
    retries: int = 5
    timeout: float = 60.0
    backoff: float = 1.0
    requests_per_minute: float | None = None
    tokens_per_minute: float | None = None
    budget_requests: int = 0
    budget_tokens: int = 0
    cache_path: str = ""

    def __post_init__(self) -> None:
        validation.one_of("protocol", self.protocol, get_args(EndpointProtocol))
        super().__post_init__()
        for name in ("logprobs", "in_flight", "samples"):
            validation.whole_number(name, getattr(self, name), 1)
        for name in ("retries", "budget_requests", "budget_tokens"):
            validation.whole_number(name, getattr(self, name), 0)
        for name in ("timeout", "backoff", "requests_per_minute", "tokens_per_minute"):
            if getattr(self, name) is not None:
                validation.positive(name, getattr(self, name))
        if not self.url.startswith(("http://", "https://")):
            raise OptionError("url", self.url, "must begin with http:// or https://", f"such as {EndpointConfig.url}")
        fields = set(_FIELDS.findall(self.system)) - {"{words}", "{prompt}"}
        if fields or self.system.count("{prompt}") > 1:
            rule = "must have no other fields than {words} and, once, {prompt}"
            raise OptionError("system", self.system, rule)

    def parsed(self) -> Template:
        chats = self.protocol != "completions"
        return Template.named(self.template, self.template_kind, 0 if chats and "{prompt}" in self.system else 1)

    def build(self, task: TaskSpec) -> BlackBox:
        try:
            from dfedsam.blackbox.endpoint import Endpoint
        except ImportError as error:
            rule = f"needs the package {error.name}"
            raise OptionError("blackbox", "endpoint", rule, 'pip install "dfedsam[endpoint]"') from None
        return Endpoint(task, self)

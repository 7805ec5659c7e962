"""Black boxes whose model is elsewhere, as options: behind an HTTP endpoint, or in a function of the user's."""

from dataclasses import dataclass
from pathlib import Path

from dfedsam import cache, validation
from dfedsam.blackbox.base import BlackBox, TaskSpec
from dfedsam.blackbox.kinds import Model, Templated


@dataclass(frozen=True, kw_only=True)
class Endpoint(Templated):
    """A language model behind an HTTP endpoint: class scores are the label words' log-probabilities as the next token.

    The server speaks OpenAI's completions protocol with prompt_embeds, as `vllm serve --enable-prompt-embeds` does.
    The objective's `model` is a folder with the same model's tokenizer and weights, of which only the token embeddings
    are read. One request a prompt and example. Needs the extra: pip install "dfedsam[endpoint]".

    Args:
        template: as of causal_lm: with {prompt} and {text} (or {text1} and {text2}), the label word follows; or a
            task's name: sst2, yelp, ag_news, dbpedia, mrpc, rte, snli.
        url: the server's address with its version, such as http://localhost:8000/v1.
        served: the model's name at the server; empty: the objective's `model`.
        key_variable: the environment variable that holds the key; the key itself is sent, and written nowhere.
        logprobs: likeliest tokens asked for, at least 1; a label word that is not among them gets the least of theirs.
        in_flight: requests at once, at least 1.
        retries: how often a request is made again after 408, 409, 425, 429, 5xx, no answer, or one that makes no sense.
        timeout: seconds that an answer may take, above 0.
        backoff: seconds before the first retry, above 0; doubled for each further one, up to a minute.
        budget_queries: prompts that all peers together may ask for, each on a minibatch or on the held-out examples; 0
            for no limit. The run ends, with a checkpoint, before a round that would pass it.
        budget_tokens: tokens that may be sent, likewise.
        answers: file that keeps every answer, so that none is paid twice; empty: endpoint.sqlite in the cache folder.
    """

    template: str = "{text} {prompt} It was"
    url: str = "http://localhost:8000/v1"
    served: str = ""
    key_variable: str = "OPENAI_API_KEY"
    logprobs: int = 20
    in_flight: int = 16
    retries: int = 5
    timeout: float = 60.0
    backoff: float = 1.0
    budget_queries: int = 0
    budget_tokens: int = 0
    answers: str = ""

    def __post_init__(self) -> None:
        super().__post_init__()
        for name, low in (("logprobs", 1), ("in_flight", 1), ("retries", 0)):
            validation.whole_number(name, getattr(self, name), low)
        for name in ("budget_queries", "budget_tokens"):
            validation.whole_number(name, getattr(self, name), 0)
        validation.positive("timeout", self.timeout)
        validation.positive("backoff", self.backoff)
        if not self.url.startswith(("http://", "https://")):
            raise ValueError(f"url is {self.url}: it must begin with http:// or https://, such as {Endpoint.url}")

    def limits(self) -> dict[str, int]:
        """The budget, under the names of what is counted."""
        limits = {"asked_queries": self.budget_queries, "asked_tokens": self.budget_tokens}
        return {name: limit for name, limit in limits.items() if limit}

    def build(self, given: TaskSpec) -> BlackBox:
        """See Model.build."""
        try:
            from dfedsam.blackbox.completions import Completions
        except ImportError as error:
            raise ValueError(
                f'blackbox is Endpoint: it needs {error.name}; install it by pip install "dfedsam[endpoint]"'
            ) from None
        from dfedsam.blackbox.endpoint import EndpointBox

        completions = Completions(
            url=self.url,
            key_variable=self.key_variable,
            in_flight=self.in_flight,
            retries=self.retries,
            timeout=self.timeout,
            backoff=self.backoff,
        )
        return EndpointBox(
            given,
            template=self.parsed(),
            completions=completions,
            served=self.served or given.model,
            logprobs=self.logprobs,
            in_flight=self.in_flight,
            answers=Path(self.answers) if self.answers else cache.cache_folder() / "endpoint.sqlite",
        )


@dataclass(frozen=True, kw_only=True)
class Function(Model):
    """Any Python function: `losses(prompts, examples)`, called once a peer.

    It takes prompts (q, tokens, width), which start at 0, and a list of b examples, each a dict with "text", "label"
    (the class's number), "word" (its class word) and, for pairs, "text2". It gives the losses (q,), or class scores
    (q, b, classes), from which the accuracy is known too. It must depend on its arguments alone. It is tried
    once, on one example, before the run.

    Args:
        path: its import path, such as mymodule.losses.
        width: length of the prompt's rows, at least 1; the objective's prompt_tokens are their number (0: one).
    """

    path: str
    width: int = 16

    def __post_init__(self) -> None:
        validation.whole_number("width", self.width, 1)

    def check_texts(self, seconds: tuple[str, ...], text_column: str) -> None:
        """It takes both."""

    def build(self, given: TaskSpec) -> BlackBox:
        """See Model.build."""
        from dfedsam.blackbox.function import FunctionBox
        from dfedsam.registry import import_object

        return FunctionBox(given, import_object("path", self.path), path=self.path, width=self.width)

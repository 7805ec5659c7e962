"""The options of a language model behind an HTTP endpoint. Does not import torch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal, get_args

from dfedsam.blackbox.base import BlackBox, TaskSpec
from dfedsam.blackbox.configs import ServiceConfig, TemplatedConfig
from dfedsam.blackbox.templates import FIELD, Template
from dfedsam.errors import OptionError
from dfedsam.options import one_of, option, whole_number

EndpointProtocol = Literal["completions", "chat", "labels"]


@dataclass(frozen=True, kw_only=True)
class EndpointConfig(TemplatedConfig, ServiceConfig):
    """A language model behind an HTTP endpoint that speaks OpenAI's protocols; one request a prompt and example.

    The objective's `model` is a folder, GGUF file or hub name with a tokenizer: that of the served model for
    completions; any for chat and labels, to cut texts, to count tokens and for the candidates of discrete prompts.
    Requires pip install "dfedsam[endpoint]".

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
        served: the server's name of the model; empty: the objective's `model`.
        logprobs: number of most likely tokens to request, at least 1; fewer if the server refuses. A label word that is
            not among them gets the least of their log-probabilities.
    """

    public_name: ClassVar[str] = "endpoint"
    is_remote: ClassVar[bool] = True
    template: str = "{text} {prompt} It was"
    protocol: EndpointProtocol = option("completions", one_of, get_args(EndpointProtocol))
    system: str = "Answer with one word: {words}."
    as_text: bool = False
    whole_words: bool = False
    samples: int = option(1, whole_number, 1)
    served: str = ""
    logprobs: int = option(20, whole_number, 1)

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.whole_words and self.protocol != "completions":
            rule = f"must be off with the protocol {self.protocol}, whose answers cannot be begun for the model"
            raise OptionError("whole_words", True, rule, "choose completions")
        fields = set(FIELD.findall(self.system)) - {"{words}", "{prompt}"}
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

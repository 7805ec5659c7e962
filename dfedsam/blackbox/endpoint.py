"""A language model behind an HTTP endpoint: each query on an example is one request, or a few, paid for once."""

from __future__ import annotations

import logging
import threading
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray

from dfedsam.blackbox.base import Bill, BlackBox, TaskSpec, Usage, mean_over_examples
from dfedsam.blackbox.client import EndpointError
from dfedsam.blackbox.local import embedding_std, pairs
from dfedsam.blackbox.model_parts import load_embeddings, load_tokenizer
from dfedsam.blackbox.protocols import PROTOCOLS, Completions, Request, likely_tokens
from dfedsam.blackbox.service import Body, Service
from dfedsam.blackbox.tokens import Vocabulary, prompt_tokens

if TYPE_CHECKING:
    from dfedsam.blackbox.endpoint_config import EndpointConfig

_LOG = logging.getLogger(__name__)
_TRIED = 32  # after so many answers, most must have distinguished the label words
_HOW_TO_USE = "Insert `text`, or the rows of `prompt` as input embeddings, at {prompt} in the template; "
_LIKELIEST = "the class is the word whose first token is the likeliest next."
_ANSWERED = "the class is the word with which the answer begins."
_FEWER = (20, 10, 5, 2, 1)  # numbers of log-probabilities that are tried when the server refuses more


class Endpoint(BlackBox):
    """Class scores are the label words' log-probabilities as the next token; a label protocol gives losses only.

    A label word that is not among the `logprobs` most likely tokens gets the least of their log-probabilities. With
    the protocol labels the loss of an example is the share of its answers that are not its label. The task's model is a
    folder from which the tokenizer and, for soft prompts, the embeddings are read.

    Raises:
        ValueError: for mistakes in the options.
    """

    takes_text_prompts = True

    def __init__(self, task: TaskSpec, options: EndpointConfig) -> None:
        self.usage, self.task, self.options = Usage(), task, options
        if options.protocol == "labels":
            self.usage.unmatched = 0
        self._tokenizer, reads = load_tokenizer(task.model)
        self._ids = prompt_tokens(self._tokenizer, task, after_word=not options.parsed().prompt_first)
        self.prompt_tokens = len(self._ids)
        self._protocol = PROTOCOLS[options.protocol](task, options, self._tokenizer, reads, len(self._ids))
        self.takes_soft_prompts = isinstance(self._protocol, Completions)
        if isinstance(self._protocol, Completions):
            self._protocol.embeddings = self._rows
        self.gives_scores = options.protocol != "labels"
        self._most = options.logprobs
        self._lock = threading.Lock()
        self._answered = self._ties = 0
        self._reported: set[str] = set()
        self._service = Service(options, optional=self._protocol.optional, renamed=self._protocol.renamed)
        self.has_budget = self._service.has_budget

    @cached_property
    def _embeddings(self) -> torch.nn.Module:
        return load_embeddings(self.task.model)

    @cached_property
    def prompt(self) -> NDArray:  # type: ignore[override]
        return self._embed(self._ids)

    @cached_property
    def embedding_std(self) -> float:  # type: ignore[override]
        return embedding_std(self._embeddings)

    def preflight(self, prompt: NDArray) -> None:
        """Request a held-out example; the first evaluation reads it from the cache."""
        first = np.array([[min(self.task.train, len(self.task.examples.texts) - 1)]])
        try:
            self._numbers(prompt[None, None], first, count=False)
        except EndpointError as error:
            raise ValueError(str(error)) from None

    def scores(self, prompts: NDArray, examples: NDArray, *, count: bool = True) -> NDArray:
        if not self.gives_scores:
            raise EndpointError("protocol is labels: it gives losses only; choose chat or completions for class scores")
        return self._numbers(prompts, examples, count=count)

    def losses(
        self, prompts: NDArray, examples: NDArray, labels: NDArray, *, count: bool = True, per_example: bool = False
    ) -> NDArray[np.float64]:
        if self.gives_scores:
            return super().losses(prompts, examples, labels, count=count, per_example=per_example)
        losses = self._misses(self._numbers(prompts, examples, count=count), labels) * (examples >= 0)[:, None]
        return losses if per_example else mean_over_examples(losses, examples)

    def metrics(self, prompts: NDArray, examples: NDArray, labels: NDArray) -> dict[str, NDArray]:
        if self.gives_scores:
            return super().metrics(prompts, examples, labels)
        repeated = np.broadcast_to(examples, (len(prompts), len(examples)))
        votes = self._numbers(prompts[:, None], repeated, count=False)[:, 0]
        losses = self._misses(votes[:, None], np.broadcast_to(labels, repeated.shape))[:, 0]
        return {"loss": losses.mean(axis=-1), "accuracy": (votes.argmax(axis=-1) == labels).mean(axis=-1)}

    def zero_shot(self, examples: NDArray) -> NDArray:
        """Scores of the template with no prompt, shape (b, classes); with the protocol labels, votes."""
        return self._numbers(np.empty((1, 1, 0), np.int64), examples[None], count=False)[0, 0]

    def rehearse(self, bill: Bill) -> None:
        rng, seen, lock = np.random.default_rng(0), set[str](), threading.Lock()
        classes = len(self.task.words) + (not self.gives_scores)

        def answer(request: Request) -> list[float]:
            key = self._key(request)
            with lock:
                if key not in seen and not self._service.cache.get(key):
                    seen.add(key)
                    bill.requests += 1
                    bill.prompt_tokens += request.tokens
                    bill.completion_tokens += request.body.get("max_tokens", 1)
                return rng.random(classes).tolist()

        self._answer = answer

    def vocabulary(self) -> Vocabulary:
        return Vocabulary(self._tokenizer)

    def spent(self) -> dict[str, int]:
        """See ResponseCache.spent."""
        return self._service.cache.spent()

    def model_card(self) -> dict[str, str]:
        served = {"served": self.options.served} if self.options.served else {}
        how = _HOW_TO_USE + (_ANSWERED if self.options.protocol == "labels" else _LIKELIEST)
        return {"template": self.options.parsed().text, "protocol": self.options.protocol, "how_to_use": how, **served}

    def _misses(self, votes: NDArray, labels: NDArray) -> NDArray[np.float64]:
        """Shares (p, q, b) of votes (p, q, b, classes + 1) that are not the labels (p, b)."""
        chosen = np.maximum(np.broadcast_to(labels[:, None], votes.shape[:3]), 0)[..., None]
        return 1 - np.take_along_axis(votes, chosen, axis=-1)[..., 0] / self.options.samples

    def _rows(self, ids: NDArray[np.int64]) -> torch.Tensor:
        """Embeddings (…, width) of tokens (…), from the model's own module."""
        return self._embeddings(torch.from_numpy(ids))

    def _embed(self, ids: NDArray[np.int64]) -> NDArray:
        return self._rows(np.asarray(ids)).numpy().astype(self.task.dtype)

    def _numbers(self, prompts: NDArray, examples: NDArray, *, count: bool) -> NDArray:
        """The protocol's numbers (p, q, b, classes), or votes (p, q, b, classes + 1), of prompts on examples (p, b)."""
        queries, tokens = prompts.shape[1:3]
        prompt_ids, text_ids, mask = pairs(queries, examples)
        flat = prompts.reshape(len(prompts) * queries, *prompts.shape[2:])
        if count:
            self.usage.examples += len(text_ids)
            self.usage.tokens += sum(self._protocol.tokens(tokens, text) for text in text_ids.tolist())

        def ask(i: int) -> list[float]:
            requests = self._protocol.requests(flat[prompt_ids[i]], int(text_ids[i]))
            answers = [self._answer(request) for request in requests]
            numbers = [float(sum(column)) for column in zip(*answers, strict=True)]
            if self.gives_scores:
                self._watch_ties(numbers)
            return numbers

        classes = len(self.task.words) + (not self.gives_scores)
        numbers = np.zeros((*mask.shape, classes), self.task.dtype)
        numbers[mask] = np.reshape(self._service.all(ask, len(text_ids)), (-1, classes))
        if count and self.usage.unmatched is not None:
            self.usage.unmatched += int(numbers[..., -1].sum())
        return numbers

    def _answer(self, request: Request) -> list[float]:
        """What an answer says; each is paid for once."""
        protocol = self._protocol

        def body() -> Body:
            return request.body | ({protocol.most: self._most} if protocol.most else {})

        def read(answer: Any) -> list[float]:
            numbers = request.read(answer)
            if protocol.most and (count := len(likely_tokens(answer))) < self._most:
                self._say(
                    "fewer",
                    f"the server returns {count} log-probabilities instead of {self._most}; label words that are not "
                    "among them get the least one",
                )
            return numbers

        return self._service.answer(self._key(request), protocol.path, body, request.tokens, read, self._ask_for_fewer)

    def _key(self, request: Request) -> str:
        """What an answer is stored under, whatever number of log-probabilities the server allows."""
        most = self.options.logprobs if self._protocol.most else 0
        identity = [self._service.url, self.options.protocol, most, request.body]
        return self._service.cache.key([identity, self._protocol.classes])

    def _ask_for_fewer(self, reason: str, body: Body) -> bool:
        """Ask for fewer log-probabilities from now on, if that is what the server refuses."""
        most = body.get(self._protocol.most, 0)
        fewer = next((number for number in _FEWER if number < most), None)
        if "logprob" not in reason.lower() or fewer is None:
            return False
        with self._lock:
            self._most = min(self._most, fewer)
        self._say("refused", f"the server refuses {most} log-probabilities; it is asked for fewer")
        return True

    def _say(self, kind: str, note: str) -> None:
        """Log a note, the first of its kind only."""
        with self._lock:
            new = kind not in self._reported
            self._reported.add(kind)
        if new:
            _LOG.warning("dfedsam: note: %s", note)

    def _watch_ties(self, scores: list[float]) -> None:
        """Record an answer that does not distinguish the label words, and stop if most do not."""
        tie = len(set(scores)) == 1
        with self._lock:
            self._answered += 1
            self._ties += tie
            answered, ties = self._answered, self._ties
        if tie:
            self._say("tie", "an answer has none of the label words among its most likely tokens: a tie")
        if answered >= _TRIED and ties > answered / 2:
            raise EndpointError(
                f"logprobs is {self._most}: {ties} of {answered} answers have none of the label words among the "
                "most likely tokens that the server returns, so no class is known; raise it, or the server's limit, "
                "or choose more likely words or another template"
            )

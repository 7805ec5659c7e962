"""A language model behind an HTTP endpoint: soft prompts are sent as embeddings, log-probabilities are returned.

The protocol is OpenAI's completions with `prompt_embeds`, as vLLM serves it with --enable-prompt-embeds: a tensor
(tokens, width) as torch.save writes it, in base64. Without a soft prompt the plain text is sent.
"""

from __future__ import annotations

import base64
import io
import logging
import threading
import time
import weakref
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray

from dfedsam.blackbox.base import BlackBox
from dfedsam.blackbox.completions import Completions, EndpointError
from dfedsam.blackbox.inputs import TaskSpec, Usage
from dfedsam.blackbox.language_model import HOW_TO_USE
from dfedsam.blackbox.loading import load_embeddings
from dfedsam.blackbox.local import embedding_std, pairs
from dfedsam.blackbox.response_cache import ResponseCache
from dfedsam.blackbox.templates import Template
from dfedsam.blackbox.tokens import Filler, Vocabulary, label_tokens, prompt_tokens

_LOG = logging.getLogger(__name__)
_TRIED = 32  # after so many answers, most must have distinguished the label words


class Endpoint(BlackBox):
    """Class scores are the label words' log-probabilities as the next token; one request for each prompt and example.

    A label word that is not among the `logprobs` most likely tokens gets the least of their log-probabilities.

    Args:
        task: the classification task; its model is a folder from which the tokenizer and the embeddings are read.
        template: the template around the text; the label word follows it.
        completions: the client of the server.
        cache: stores the answers, and the budget.
        served: the server's name of the model.
        logprobs: number of most likely tokens to request.
        in_flight: concurrent requests.

    Raises:
        ValueError: for mistakes in the options, and if the server does not answer a first request.
    """

    takes_text_prompts: ClassVar[bool] = True

    def __init__(
        self,
        task: TaskSpec,
        *,
        template: Template,
        completions: Completions,
        cache: ResponseCache,
        served: str,
        logprobs: int,
        in_flight: int,
    ) -> None:
        self.usage, self.task, self.template = Usage(), task, template
        self._completions, self._cache, self.has_budget = completions, cache, cache.has_budget
        self._logprobs = logprobs
        self._body = {"model": served, "max_tokens": 1, "temperature": 0, "logprobs": logprobs}
        self._tokenizer, reads, self._embeddings = load_embeddings(task.model)
        self.embedding_std = embedding_std(self._embeddings)
        self.prompt = self._embed(prompt_tokens(self._tokenizer, task, after_word=not self.template.prompt_first))
        filler = Filler(self._tokenizer, self.template, ends=False)
        self._contents = filler.fill(task, reads, len(self.prompt))
        self._words = label_tokens(self._tokenizer, task.words, after_word=True)
        self._names = [(f"token_id:{token}", self._tokenizer.decode([token])) for token in self._words]
        self._team, self._lock = ThreadPoolExecutor(in_flight), threading.Lock()
        self._answered = self._ties = 0
        self._warned = False
        weakref.finalize(self, _close, self._team, self._completions, self._cache)

    def preflight(self) -> None:
        """Request a held-out example with the initial prompt; the first evaluation reads it from the cache."""
        last = np.array([[len(self._contents.ids) - 1]])
        try:
            self.scores(self.prompt[None, None], last, count=False)
        except EndpointError as error:
            raise ValueError(str(error)) from None

    def scores(self, prompts: NDArray, examples: NDArray, *, count: bool = True) -> NDArray:
        queries, tokens = prompts.shape[1:3]
        prompt_ids, text_ids, mask = pairs(queries, examples)
        lengths, flat = self._contents.lengths[text_ids] + tokens, prompts.reshape(-1, *prompts.shape[2:])
        if count:
            self.usage.examples += len(text_ids)
            self.usage.tokens += int(lengths.sum())

        def ask(i: int) -> list[float]:
            return self._answer(self._request(self._embedded(flat[prompt_ids[i]], int(text_ids[i]))), int(lengths[i]))

        scores = np.zeros((*mask.shape, len(self._words)), self.task.dtype)
        scores[mask] = list(self._in_order(ask, range(len(text_ids))))
        return scores

    def zero_shot(self, examples: NDArray) -> NDArray:
        """Class scores of the template with no prompt, as plain text, shape (b, classes)."""

        def ask(text: int) -> list[float]:
            return self._answer(self.as_text(text), int(self._contents.lengths[text]))

        return np.array(list(self._in_order(ask, examples.tolist())))

    def as_text(self, text: int) -> dict[str, Any]:
        """The request for one example without a soft prompt."""
        return self._body | {"prompt": self._tokenizer.decode(self._contents.ids[text], skip_special_tokens=True)}

    def vocabulary(self) -> Vocabulary:
        return Vocabulary(self._tokenizer, self._embed)

    def spent(self) -> dict[str, int]:
        """The total requests and tokens paid for, as recorded in the response cache."""
        return self._cache.spent()

    def model_card(self) -> dict[str, str]:
        return {"template": self.template.text, "how_to_use": HOW_TO_USE}

    def _embed(self, ids: NDArray[np.int64]) -> NDArray:
        """Embeddings (…, width) of tokens (…), from the model's own module."""
        return self._embeddings(torch.from_numpy(np.asarray(ids))).numpy().astype(self.task.dtype)

    def _in_order(self, ask: Callable[[int], list[float]], requests: Iterable[int]) -> Iterable[list[float]]:
        """The answers to all requests, in order; no further ones are sent after the first failure."""
        waiting = [self._team.submit(ask, one) for one in requests]
        try:
            for one in waiting:
                yield one.result()
        finally:
            for one in waiting:
                one.cancel()

    def _embedded(self, prompt: NDArray, text: int) -> torch.Tensor:
        """Embeddings of a prompt (tokens, width) in one example's template."""
        ids, offset = self._contents.ids[text], int(self._contents.offsets[text])
        own = torch.from_numpy(np.asarray(prompt, np.float32))
        embedded = self._embeddings(torch.tensor(ids, dtype=torch.long))
        return torch.cat([embedded[:offset], own, embedded[offset:]])

    def _request(self, embeddings: torch.Tensor) -> dict[str, Any]:
        file = io.BytesIO()
        torch.save(embeddings.contiguous(), file)
        return self._body | {"prompt_embeds": base64.b64encode(file.getvalue()).decode()}

    def _answer(self, body: dict[str, Any], tokens: int) -> list[float]:
        """The label words' log-probabilities, from the cache if stored; each is paid for once.

        Raises:
            BudgetExceeded: if a request is needed that the budget does not cover.
            EndpointError: if the server does not answer.
        """
        cache, key = self._cache, ResponseCache.key(self._completions.url, body, self._words)
        known = cache.get(key)
        while known is None and not cache.claim(key, self._completions.longest):
            time.sleep(0.02)  # another thread, rank or run has sent the same request
            known = cache.get(key)
        if known is None:
            try:
                known = cache.get(key) or self._ask(body, tokens)
                cache.put(key, known)
            finally:
                cache.release(key)
        self._watch_ties(known)
        return known

    def _ask(self, body: dict[str, Any], tokens: int) -> list[float]:
        top = self._completions.top(body | {"return_tokens_as_token_ids": True}, lambda: self._cache.spend(int(tokens)))
        least = min(top.values())
        if len(top) < self._logprobs and not self._warned:
            self._warned = True
            _LOG.warning(
                "dfedsam: note: the server returns %d log-probabilities instead of %d; label words that are not "
                "among them get the least one",
                *(len(top), self._logprobs),
            )
        return [next((top[name] for name in names if name in top), least) for names in self._names]

    def _watch_ties(self, scores: list[float]) -> None:
        """Record an answer that does not distinguish the label words, and stop if most do not."""
        with self._lock:
            self._answered += 1
            self._ties += len(set(scores)) == 1
            answered, ties = self._answered, self._ties
        if ties == 1 and len(set(scores)) == 1:
            _LOG.warning("dfedsam: note: an answer has none of the label words among its most likely tokens: a tie")
        if answered >= _TRIED and ties > answered / 2:
            raise EndpointError(
                f"logprobs is {self._logprobs}: {ties} of {answered} answers have none of the label words among the "
                "most likely tokens that the server returns, so no class is known; raise it, or the server's limit, "
                "or choose more likely words or another template"
            )


def _close(team: ThreadPoolExecutor, completions: Completions, cache: ResponseCache) -> None:
    """Release threads, connections and the file.

    The garbage collector may call this from any thread, one of the team's perhaps: no thread is waited for. None of
    them has work left, which would have kept the endpoint.
    """
    team.shutdown(wait=False, cancel_futures=True)
    completions.close()
    cache.close()

"""A language model behind an HTTP endpoint: soft prompts travel as embeddings, and label words' log-probabilities back.

The protocol is OpenAI's completions with `prompt_embeds`, as vLLM serves it with --enable-prompt-embeds: a tensor
(tokens, width) as torch.save writes it, in base64. Without a soft prompt the plain text is sent.
"""

import base64
import io
import weakref
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from dfedsam.blackbox import texts, token_table
from dfedsam.blackbox.answers import Answers
from dfedsam.blackbox.base import BlackBox, TaskSpec, Usage
from dfedsam.blackbox.completions import Completions, EndpointError
from dfedsam.blackbox.templates import Template
from dfedsam.blackbox.vocabulary import Vocabulary


class EndpointBox(BlackBox):
    """Class scores are the label words' log-probabilities as the next token; one request a prompt and example.

    A label word that is not among the `logprobs` likeliest tokens gets the least of theirs.

    Args:
        given: what the objective gives; its model is a folder from which the tokenizer and the embeddings are read.
        template: around the text; the label word follows it.
        completions: asks the server.
        served: the model's name at the server.
        logprobs: how many of the likeliest tokens are asked for.
        in_flight: requests at once.
        answers: file of the answers.

    Raises:
        ValueError: for mistakes in the options, and if the server does not answer a first request.
    """

    def __init__(
        self,
        given: TaskSpec,
        *,
        template: Template,
        completions: Completions,
        served: str,
        logprobs: int,
        in_flight: int,
        answers: Path,
    ) -> None:
        self.meter = Usage()
        self.asked = Usage()
        self.given, self.template = given, template
        self._completions, self._body = completions, {"model": served, "max_tokens": 1, "temperature": 0}
        self._body |= {"logprobs": logprobs}
        tokenizer, reads, self._table = token_table.load(given.model)
        self.embedding_std = float(self._table.std())
        ids = texts.word_tokens(tokenizer, given.prompt, goes_on=not template.prompt_first)
        ids = texts.repeated(ids, given.prompt_tokens)
        if not ids:
            raise ValueError(f"prompt is {given.prompt}: to the model {given.model} it has no tokens; give some words")
        self.prompt = self._table[torch.tensor(ids)].numpy().astype(given.dtype)
        self._contents = texts.filled(tokenizer, template, given, reads, len(ids))
        self._words = texts.label_tokens(tokenizer, given.words, goes_on=True)
        self._names = [(f"token_id:{token}", tokenizer.decode([token])) for token in self._words]
        self._tokenizer = tokenizer
        self._answers, self._team = Answers(answers), ThreadPoolExecutor(in_flight)
        weakref.finalize(self, _close, self._team, completions, self._answers)
        try:
            # A held-out example with the start prompt: the first evaluation asks for it too, and finds it kept
            self._answer(self._request(self._embedded(self.prompt, len(self._contents.ids) - 1)))
        except EndpointError as error:
            raise ValueError(str(error)) from None

    def scores(self, prompts: NDArray, examples: Sequence[NDArray], *, count: bool = True) -> list[NDArray]:
        queries, tokens = prompts.shape[1:3]
        pairs = [(p, q, number) for p, own in enumerate(examples) for q in range(queries) for number in own.tolist()]
        read = sum(int(self._contents.lengths[number]) + tokens for _, _, number in pairs)
        assert self.asked is not None
        for meter in (self.meter, self.asked) if count else (self.asked,):
            meter.queries += queries * len(examples)
            meter.examples += len(pairs)
            meter.tokens += read
        classes = len(self._words)
        if self.is_dry:
            return [np.zeros((queries, len(own), classes), self.given.dtype) for own in examples]

        def ask(pair: tuple[int, int, int]) -> list[float]:
            p, q, number = pair
            return self._answer(self._request(self._embedded(prompts[p, q], number)))

        flat = np.array(list(self._in_order(ask, pairs)), self.given.dtype)
        parts = np.split(flat, np.cumsum([queries * len(own) for own in examples])[:-1])
        return [part.reshape(queries, len(own), classes) for part, own in zip(parts, examples, strict=True)]

    def zero_shot(self, examples: NDArray) -> NDArray:
        """Class scores of the template with no prompt, as plain text, shape (b, classes)."""
        return np.array(list(self._in_order(lambda number: self._answer(self.as_text(number)), examples.tolist())))

    def as_text(self, number: int) -> dict[str, Any]:
        """The request for one example without a soft prompt."""
        contents = self._contents
        return self._body | {"prompt": self._tokenizer.decode(contents.ids[number], skip_special_tokens=True)}

    def vocabulary(self) -> Vocabulary:
        return Vocabulary(
            self._tokenizer, lambda ids: self._table[torch.from_numpy(ids)].numpy().astype(self.given.dtype)
        )

    def notes(self) -> dict[str, str]:
        return {
            "template": self.template.text,
            "how_to_use": "Put the rows of `prompt` as input embeddings where the template has {prompt}; the class is "
            "the word whose token has the greatest logit.",
        }

    def _in_order(self, ask: Any, asked: list[Any]) -> Any:
        """The answers to all, in order; after the first failure nothing more is asked."""
        waiting = [self._team.submit(ask, one) for one in asked]
        try:
            for one in waiting:
                yield one.result()
        finally:
            for one in waiting:
                one.cancel()

    def _embedded(self, prompt: NDArray, number: int) -> torch.Tensor:
        """Embeddings of a prompt (tokens, width) in one example's template."""
        ids, place = self._contents.ids[number], int(self._contents.places[number])
        own = torch.from_numpy(np.asarray(prompt, np.float32))
        before, after = (self._table[torch.tensor(part, dtype=torch.long)] for part in (ids[:place], ids[place:]))
        return torch.cat([before, own, after])

    def _request(self, embeddings: torch.Tensor) -> dict[str, Any]:
        file = io.BytesIO()
        torch.save(embeddings.contiguous(), file)
        return self._body | {"prompt_embeds": base64.b64encode(file.getvalue()).decode()}

    def _answer(self, body: dict[str, Any]) -> list[float]:
        """The label words' log-probabilities, from the file of answers where they are there."""
        name = Answers.name(self._completions.url, body, self._words)
        known = self._answers.get(name)
        if known is None:
            top = self._completions.top(body | {"return_tokens_as_token_ids": True})
            least = min(top.values())
            known = [next((top[way] for way in ways if way in top), least) for ways in self._names]
            self._answers.put(name, known)
        return known


def _close(team: ThreadPoolExecutor, completions: Completions, answers: Answers) -> None:
    """Give back threads, connections and the file.

    Whoever collects garbage comes here, one of the team perhaps, or a thread that others wait for: no thread is waited
    for. None of them has work left, which would have kept the box.
    """
    team.shutdown(wait=False, cancel_futures=True)
    completions.close()
    answers.close()

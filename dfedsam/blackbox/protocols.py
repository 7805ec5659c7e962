"""What an endpoint is asked for a prompt and an example, and what its answer says of the class words."""

from __future__ import annotations

import base64
import io
import math
import string
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray

from dfedsam.blackbox.base import TaskSpec
from dfedsam.blackbox.client import PassingError
from dfedsam.blackbox.service import message
from dfedsam.blackbox.tokens import Filler, Vocabulary, bare_tokens, label_pieces
from dfedsam.errors import OptionError

if TYPE_CHECKING:
    from dfedsam.blackbox.endpoint_config import EndpointConfig

_ROUNDING = 1e-3  # a log-probability in 16 bits may exceed 0 by this
_ANSWER_TOKENS = 8  # of a chat answer that should be a class word
_NO_LOGPROBS = "choose the protocol labels if the server gives none"


@dataclass(frozen=True)
class Request:
    """One request to the server.

    Args:
        body: what is sent, but for the number of log-probabilities.
        tokens: number of tokens sent.
        read: makes one number for each class of the JSON answer.
    """

    body: dict[str, Any]
    tokens: int
    read: Callable[[Any], list[float]]


class Protocol(ABC):
    """How a query on one example becomes requests; the query's scores are the sum of the requests' numbers.

    Args:
        task: the classification task.
        options: the endpoint's options.
        tokenizer: the tokenizer of the task's model.
        reads: maximum number of tokens that the model reads.
        prompt: number of tokens of the prompt.

    Attributes:
        path: the requests' path after the url.
        most: the field of a body that is the number of log-probabilities, if any.
        optional: fields of the body that are left out once the server refuses them.
        renamed: fields of the body that have another name once the server asks for it.
        classes: what an answer is read for, by class.
    """

    path: ClassVar[str]
    most: ClassVar[str] = ""
    optional: ClassVar[tuple[str, ...]] = ()
    renamed: ClassVar[dict[str, str]] = {}
    classes: list[Any]

    def __init__(self, task: TaskSpec, options: EndpointConfig, tokenizer: Any, reads: int, prompt: int) -> None:
        self.task, self.options, self.tokenizer = task, options, tokenizer
        self.common = {"model": options.served or task.model, "temperature": 0, "max_tokens": 1}
        self.prepare(reads, prompt)

    @abstractmethod
    def prepare(self, reads: int, prompt: int) -> None:
        """Fill the template with all examples."""

    @abstractmethod
    def requests(self, prompt: NDArray, text: int) -> list[Request]:
        """The requests for a prompt, soft (tokens, width) or text (tokens,), on one example."""

    @abstractmethod
    def tokens(self, prompt: int, text: int) -> int:
        """The number of tokens of these requests, for a prompt of so many."""


class Completions(Protocol):
    """The next token's log-probabilities after the text: those of the class words' first tokens, or of whole words.

    Prompts are sent as embeddings if they are soft: a tensor (tokens, width) as torch.save writes it, in base64, as
    vLLM takes it with --enable-prompt-embeds. Text prompts are sent as token numbers, or as text.
    """

    path = "/completions"
    most = "logprobs"
    optional = ("return_tokens_as_token_ids",)
    embeddings: Callable[[NDArray[np.int64]], torch.Tensor]

    def prepare(self, reads: int, prompt: int) -> None:
        self.common = self.common | {"return_tokens_as_token_ids": True}
        template = self.options.parsed()
        self._contents = Filler(self.tokenizer, template, ends=False).fill(self.task, reads, prompt)
        whole = self.options.whole_words
        pieces = label_pieces(self.tokenizer, self.task.words, whole=whole)
        self.classes = [tuple(ids) if whole else (ids[0],) for ids in pieces]
        ends = {ids[:length] for ids in self.classes for length in range(len(ids))}
        self._begun = sorted(ends, key=lambda ids: (len(ids), ids))  # what of a word precedes the token asked for

    def requests(self, prompt: NDArray, text: int) -> list[Request]:
        ids, offset = self._contents.ids[text], int(self._contents.offsets[text])
        requests = []
        for begun in self._begun:
            left, right = ids[:offset], [*ids[offset:], *begun]
            size = len(left) + len(prompt) + len(right)
            body = self._embedded(left, prompt, right) if prompt.ndim == 2 else self._plain(left, prompt, right)
            requests.append(Request(self.common | body, size, lambda answer, begun=begun: self._read(answer, begun)))
        return requests

    def tokens(self, prompt: int, text: int) -> int:
        return sum(int(self._contents.lengths[text]) + prompt + len(begun) for begun in self._begun)

    def _plain(self, left: list[int], prompt: NDArray, right: list[int]) -> dict[str, Any]:
        ids = [*left, *prompt.tolist(), *right]
        as_text = self.options.as_text
        return {"prompt": self.tokenizer.decode(ids, skip_special_tokens=True) if as_text else ids}

    def _embedded(self, left: list[int], prompt: NDArray, right: list[int]) -> dict[str, Any]:
        before, after = (self.embeddings(np.array(ids, np.int64)) for ids in (left, right))
        rows = torch.cat([before, torch.from_numpy(np.asarray(prompt, np.float32)), after])
        file = io.BytesIO()
        torch.save(rows.contiguous(), file)
        return {"prompt_embeds": base64.b64encode(file.getvalue()).decode()}

    def _read(self, answer: Any, begun: tuple[int, ...]) -> list[float]:
        """For each class word that begins so, the log-probability of its next token; 0 for the others."""
        top = likely_tokens(answer)
        least = min(value for _, _, value in top)
        numbers, names = ({token[at]: token[2] for token in reversed(top)} for at in (0, 1))
        scores = []
        for ids in self.classes:
            if ids[: len(begun)] != begun or len(ids) == len(begun):
                scores.append(0.0)
                continue
            token = ids[len(begun)]
            scores.append(numbers.get(token, names.get(self.tokenizer.decode([token]), least)))
        return scores


class Chat(Protocol):
    """Log-probabilities of a chat answer's first token: for each class, of the tokens that begin its word alone.

    Case and blanks are ignored. The prompt is sent as text. Tokens are counted without those of the chat template.
    """

    path = "/chat/completions"
    most = "top_logprobs"
    renamed: ClassVar[dict[str, str]] = {"max_tokens": "max_completion_tokens"}

    def prepare(self, reads: int, prompt: int) -> None:
        words, template = ", ".join(self.task.words), self.options.parsed()
        self._system = self.options.system.replace("{words}", words).split("{prompt}")
        filler = Filler(self.tokenizer, template, ends=False)
        self._users = [template.parts(*texts) for texts in zip(*filler.cut(self.task), strict=True)]
        whole = ["".join([*self._system, *user]) for user in self._users]
        self._lengths = [len(ids) for ids in bare_tokens(self.tokenizer, whole)]
        self.classes = [word.casefold() for word in self.task.words]
        heads = [word.split()[0] for word in self.classes]
        if len(set(heads)) < len(heads) and self.most:
            rule, option = "must differ in their first word, since an answer is told by it", ", ".join(self.task.words)
            raise OptionError("words", option, rule, "choose other words, or the protocol labels")
        self._vocabulary = Vocabulary(self.tokenizer)
        self.common = self.common | {"logprobs": True}

    def requests(self, prompt: NDArray, text: int) -> list[Request]:
        prompt_text = self._vocabulary.text(prompt.tolist()).strip()
        contents = {"system": self._system, "user": self._users[text]}
        joined = {role: prompt_text.join(parts).strip() for role, parts in contents.items()}
        messages = [{"role": role, "content": content} for role, content in joined.items() if content]
        body = self.common | {"messages": messages}
        return [Request(body, self._lengths[text] + len(prompt), self._read)]

    def tokens(self, prompt: int, text: int) -> int:
        return self._lengths[text] + prompt

    def _read(self, answer: Any) -> list[float]:
        top = likely_tokens(answer)
        chances = np.zeros(len(self.classes))
        for _, name, value in top:
            token = name.strip().casefold()
            fits = [i for i, word in enumerate(self.classes) if word.startswith(token)] if token else []
            if len(fits) == 1 and (len(token) > 1 or token == self.classes[fits[0]]):
                chances[fits[0]] += math.exp(value)
        least = min(value for _, _, value in top)
        return [math.log(chance) if chance else least for chance in chances.tolist()]


class Labels(Chat):
    """Chat answers without log-probabilities: a vote for the class word that the answer begins with.

    Case, punctuation and blanks are ignored. The last number is 1 if it begins with none of them.
    """

    most = ""
    optional = ("seed",)

    def prepare(self, reads: int, prompt: int) -> None:
        super().prepare(reads, prompt)
        samples = self.options.samples
        temperature = {"temperature": 1} if samples > 1 else {}
        common = {name: value for name, value in self.common.items() if name != "logprobs"} | temperature
        self.common = common | {"max_tokens": _ANSWER_TOKENS}

    def requests(self, prompt: NDArray, text: int) -> list[Request]:
        (request,) = super().requests(prompt, text)
        if self.options.samples == 1:
            return [request]
        seeds = range(self.options.samples)
        return [Request(request.body | {"seed": seed}, request.tokens, request.read) for seed in seeds]

    def tokens(self, prompt: int, text: int) -> int:
        return self.options.samples * super().tokens(prompt, text)

    def _read(self, answer: Any) -> list[float]:
        text = message(answer).casefold().strip(string.whitespace + string.punctuation)
        votes = [0.0] * (len(self.classes) + 1)
        fits = [word for word in self.classes if text == word or (text.startswith(word) and not _continues(text, word))]
        votes[self.classes.index(max(fits, key=len)) if fits else -1] = 1.0
        return votes


PROTOCOLS: dict[str, type[Protocol]] = {"completions": Completions, "chat": Chat, "labels": Labels}


def likely_tokens(answer: Any) -> list[tuple[int | None, str, float]]:
    """The next token's most likely values: number if known, text, and log-probability.

    Both forms are read: `top_logprobs`, a dictionary for each position, and `content`, a list of tokens for each.

    Raises:
        PassingError: if there are none, or log-probabilities that are impossible.
    """
    try:
        logprobs = answer["choices"][0]["logprobs"]
        if "content" in logprobs:
            top_logprobs = logprobs["content"][0]["top_logprobs"]
            top = [(one.get("id"), str(one["token"]), float(one["logprob"])) for one in top_logprobs]
        else:
            top = [(None, str(name), float(value)) for name, value in logprobs["top_logprobs"][0].items()]
    except (ValueError, KeyError, IndexError, TypeError, AttributeError, OverflowError):
        top = []
    if not top:
        raise PassingError("the last answer has status 200 and no logprobs of a next token", hint=_NO_LOGPROBS)
    for _, _, value in top:
        if not math.isfinite(value) or value > _ROUNDING:
            raise PassingError(f"the last answer has status 200 and the log-probability {value}, which none can be")
    return [(_number(name) if number is None else number, name, value) for number, name, value in top]


def _number(name: str) -> int | None:
    """The token's number, if a server names tokens by it."""
    number = name.removeprefix("token_id:")
    return int(number) if number != name and number.isdecimal() and len(number) < 10 else None


def _continues(text: str, word: str) -> bool:
    return text[len(word)].isalnum()

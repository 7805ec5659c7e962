"""Discrete prompts: a peer's vector is a distribution over tokens for each position of the prompt."""

from __future__ import annotations

import string
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, get_args

import numpy as np
from numpy.typing import NDArray

from dfedsam.blackbox.base import BlackBox, TaskSpec
from dfedsam.errors import OptionError
from dfedsam.objectives.categorical import Candidates, Categorical, Form
from dfedsam.objectives.prompt.parameters import PromptMap, PromptParameters
from dfedsam.options import one_of, option, whole_number
from dfedsam.random import generator

if TYPE_CHECKING:
    from dfedsam.blackbox.tokens import Vocabulary

_FREQUENT, _MODEL = "frequent", "model"


@dataclass(frozen=True, kw_only=True)
class DiscretePrompt(PromptParameters):
    """A prompt of real tokens, each drawn from its own distribution over candidates; dim = tokens · candidates.

    The distributions start uniform, and the estimator must be policy_gradient. The most likely tokens are evaluated,
    and written as prompt.txt. The objective's prompt_tokens is the prompt's length; its prompt is not used.

    Source: Diao et al. (2023), "Black-box prompt learning for pre-trained language models" (BDPL), which takes
    candidates by their pointwise mutual information in the training texts.

    Args:
        candidates: the candidate tokens: "frequent" (the most frequent ones in the training texts of all peers, which
            would need sums over peers before the run), "model" (drawn from the whole vocabulary), or a file with one
            word per line, each a single token of the model.
        count: V, number of candidates, at least 2; those of a file are all used.
        form: a peer's vector holds "probabilities", projected on the simplex after each step, as in BDPL, or "logits",
            without constraints. Gossip mixes what the vector holds, and preserves its mean over peers: of probabilities
            the mean distribution, which plain gossip never takes off the simplex (Chebyshev and compressed gossip may,
            and the next step projects); of logits the normalised geometric mean of the distributions. SAM perturbs the
            vector; a perturbed distribution is projected before prompts are drawn from it.
    """

    candidates: str = _FREQUENT
    count: int = option(200, whole_number, 2)
    form: Form = option("probabilities", one_of, get_args(Form))

    soft: ClassVar[bool] = False

    def build(self, black_box: BlackBox, task: TaskSpec, seed: int) -> PromptMap:
        vocabulary = black_box.vocabulary()
        ids = self._ids(vocabulary, task, seed)
        if len(ids) < 2:
            rule = f"must have at least 2 tokens to choose from, but has {len(ids)}"
            raise OptionError("candidates", self.candidates, rule, "name more")
        return _Tokens(np.array(ids), black_box.prompt_tokens, self.form, vocabulary)

    def _ids(self, vocabulary: Vocabulary, task: TaskSpec, seed: int) -> list[int]:
        """The candidates' tokens."""
        if self.candidates == _FREQUENT:
            return vocabulary.frequent(task.examples.texts[: task.train], self.count)
        if self.candidates == _MODEL:
            return vocabulary.sample(generator(seed, "candidate tokens"), self.count)
        try:
            words = Path(self.candidates).read_text(encoding="utf-8").split()
        except (OSError, UnicodeDecodeError) as error:
            reason = getattr(error, "strerror", None) or "it is not UTF-8"
            rule = f"must be {_FREQUENT}, {_MODEL} or a file with one word per line ({reason})"
            raise OptionError("candidates", self.candidates, rule) from None
        try:
            return vocabulary.words(words)
        except ValueError as error:
            rule = f"must hold words that are one token of the model each, but {error}"
            raise OptionError("candidates", self.candidates, rule, "omit it") from None


class _Words:
    """The candidates' texts, by the model's tokenizer (`Wording`)."""

    def __init__(self, ids: NDArray[np.int64], vocabulary: Vocabulary) -> None:
        self._ids, self._vocabulary = ids, vocabulary
        self._numbers = {token: number for number, token in enumerate(ids.tolist())}

    def text(self, candidates: Candidates) -> str:
        return self._vocabulary.text(self._ids[np.asarray(candidates, np.intp)].tolist())

    def candidates(self, text: str) -> list[int]:
        ids: list[int] = []
        for word in text.split():
            for form in (word, word.strip(string.punctuation)):
                numbers = [self._numbers.get(token) for token in self._vocabulary.tokens(form)]
                known = [number for number in numbers if number is not None]
                if known and len(known) == len(numbers):
                    ids += known
                    break
        return ids

    def length(self, text: str) -> int:
        return len(self._vocabulary.tokens(text))


class _Tokens(PromptMap):
    """Text prompts of the most likely candidate of each distribution, the first of several that are."""

    has_gradients = False

    def __init__(self, ids: NDArray[np.int64], tokens: int, form: Form, vocabulary: Vocabulary) -> None:
        self._ids, self._vocabulary = ids, vocabulary
        self._embeddings = vocabulary.embed(ids) if vocabulary.embed else None
        words = _Words(ids, vocabulary)
        self.categorical = self._choices = Categorical(tokens=tokens, candidates=len(ids), form=form, words=words)
        self.dim = tokens * len(ids)

    def start(self) -> NDArray:
        return self._choices.start()

    def prompts(self, x: NDArray) -> NDArray:
        return self._ids[self._likeliest(x)]

    def text(self, x: NDArray) -> str:
        return self._vocabulary.text(self.prompts(x).tolist())

    def tensors(self, x: NDArray) -> dict[str, NDArray]:
        """The tokens' numbers and, if the model's are known, their embeddings as "prompt"."""
        prompt = {} if self._embeddings is None else {"prompt": self._embeddings[self._likeliest(x)]}
        return prompt | {"tokens": self.prompts(x)}

    def _likeliest(self, x: NDArray) -> NDArray[np.int64]:
        return self._choices.rows(x).argmax(axis=-1)

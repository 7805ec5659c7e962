"""Discrete prompts: a peer's vector is a distribution over tokens for each position of the prompt."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, get_args

import numpy as np
from numpy.typing import NDArray

from dfedsam import validation
from dfedsam.blackbox.base import BlackBox
from dfedsam.blackbox.inputs import TaskSpec
from dfedsam.errors import OptionError
from dfedsam.objectives.categorical import Categorical, Form
from dfedsam.objectives.prompt.parameters import PromptMap, PromptParameters
from dfedsam.random import generator
from dfedsam.registry import snake_case

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
            without constraints.
    """

    candidates: str = _FREQUENT
    count: int = 200
    form: Form = "probabilities"

    def __post_init__(self) -> None:
        validation.whole_number("count", self.count, 2)
        validation.one_of("form", self.form, get_args(Form))

    def build(self, black_box: BlackBox, task: TaskSpec, seed: int) -> PromptMap:
        if not black_box.takes_text_prompts:
            name = snake_case(type(black_box).__name__)
            rule = f"must take tokens, of which discrete prompts consist, but {name} takes none"
            raise OptionError("blackbox", name, rule, "choose other parameters, such as full_prompt")
        vocabulary = black_box.vocabulary()
        ids = self._ids(vocabulary, task, seed)
        if len(ids) < 2:
            rule = f"must have at least 2 tokens to choose from, but has {len(ids)}"
            raise OptionError("candidates", self.candidates, rule, "name more")
        return _Tokens(np.array(ids), len(black_box.prompt), self.form, vocabulary)

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


class _Tokens(PromptMap):
    """The most likely candidate of each distribution, the first of several that are."""

    has_gradients = False

    def __init__(self, ids: NDArray[np.int64], tokens: int, form: Form, vocabulary: Vocabulary) -> None:
        self._ids, self._vocabulary = ids, vocabulary
        self._table = vocabulary.embed(ids)
        self.categorical = self._choices = Categorical(tokens=tokens, candidates=len(ids), form=form)
        self.dim = tokens * len(ids)

    def start(self) -> NDArray:
        return self._choices.start()

    def prompts(self, x: NDArray) -> NDArray:
        return self._table[self._choices.rows(x).argmax(axis=-1)]

    def text(self, x: NDArray) -> str:
        return self._vocabulary.text(self._ids[self._choices.rows(x).argmax(axis=-1)].tolist())

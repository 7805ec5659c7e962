"""Discrete prompts: a peer's vector is a distribution over tokens for each place of the prompt."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from dfedsam import validation
from dfedsam.blackbox.base import BlackBox, TaskSpec
from dfedsam.objectives.categorical import FORMS, Categorical
from dfedsam.objectives.prompt_parameters import PromptMap, PromptParameters
from dfedsam.random import generator

if TYPE_CHECKING:
    from dfedsam.blackbox.vocabulary import Vocabulary

COMMON, WHOLE = "frequent", "model"


@dataclass(frozen=True, kw_only=True)
class DiscretePrompt(PromptParameters):
    """A prompt of real tokens, each drawn from a distribution of its own over candidates; dim = tokens · candidates.

    The distributions start uniform, and the estimator must be policy_gradient. What is evaluated, and written as
    prompt.txt, are the likeliest tokens. The objective's prompt_tokens is the prompt's length; its prompt is not used.

    Source: Diao et al. (2023), "Black-box prompt learning for pre-trained language models" (BDPL), which takes
    candidates by their pointwise mutual information in the training texts.

    Args:
        candidates: what tokens are chosen from: "frequent" (those that the training texts of all peers have most often:
            sums that peers would take before the run), "model" (drawn from the whole vocabulary), or a file with a word
            a line, each one token of the model.
        count: V, how many of them, at least 2; a file's are all taken.
        form: a peer's vector holds "probabilities", projected on the simplex after each step, as in BDPL, or "logits",
            which any algorithm may move freely.
    """

    candidates: str = COMMON
    count: int = 200
    form: str = "probabilities"

    def __post_init__(self) -> None:
        validation.whole_number("count", self.count, 2)
        validation.one_of("form", self.form, FORMS)

    def build(self, box: BlackBox, given: TaskSpec, seed: int) -> PromptMap:
        """See PromptParameters.build."""
        vocabulary = box.vocabulary()
        what = f"candidates is {self.candidates}"
        if self.candidates == COMMON:
            ids = vocabulary.frequent(given.examples.texts[: given.train], self.count)
        elif self.candidates == WHOLE:
            ids = vocabulary.drawn(generator(seed, "candidate tokens"), self.count)
        else:
            try:
                words = Path(self.candidates).read_text(encoding="utf-8").split()
            except (OSError, UnicodeDecodeError) as error:
                reason = getattr(error, "strerror", None) or "it is not UTF-8"
                raise ValueError(
                    f"{what}: it must be {COMMON}, {WHOLE} or a file with a word a line ({reason})"
                ) from None
            ids = vocabulary.named(words, what)
        if len(ids) < 2:
            raise ValueError(f"{what}: it must give at least 2 tokens to choose from, and gives {len(ids)}; name more")
        return _Tokens(np.array(ids), len(box.prompt), self.form, vocabulary)


class _Tokens(PromptMap):
    """The likeliest candidate of each distribution, the first of several that are."""

    def __init__(self, ids: NDArray[np.int64], tokens: int, form: str, vocabulary: "Vocabulary") -> None:
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

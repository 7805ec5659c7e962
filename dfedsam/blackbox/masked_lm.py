"""A masked language model as a black-box classifier: the logits of the label words at the template's mask.

Source: Sun et al. (2022), "Black-box tuning for language-model-as-a-service" (BBT), section 3.
"""

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from dfedsam.blackbox import models, texts
from dfedsam.blackbox.base import TaskSpec
from dfedsam.blackbox.language_model import LanguageModelBox
from dfedsam.blackbox.templates import MASK, Template


class MaskedLMBox(LanguageModelBox):
    """See LanguageModelBox. The prompt is that of BBT: p₀, the embeddings of real tokens, and what is added to them.

    Label words are read as they stand where the mask does: after a blank they are RoBERTa's tokens that begin with one.
    """

    def __init__(self, given: TaskSpec, *, template: Template, dtype: torch.dtype, device: torch.device) -> None:
        super().__init__(given, template=template, kind=models.MASKED_LM, dtype=dtype, device=device)
        token = self.loaded.tokenizer.mask_token_id
        places = [ids.index(token) for ids in self._contents.ids]
        self._masks = np.array(places)
        self._after = self._masks >= self._contents.places

    def _labels(self, tokenizer: Any) -> list[int]:
        before = self.template.text.partition(MASK)[0]
        return texts.label_tokens(tokenizer, self.given.words, goes_on=before.endswith((" ", "}")))

    def _answers(self, numbers: NDArray, lengths: NDArray) -> NDArray:
        prompt = lengths - self._contents.lengths[numbers]
        return self._masks[numbers] + prompt * self._after[numbers]

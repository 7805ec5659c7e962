"""What masked and causal language models share: a template, label words, and one token's logits a text."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from dfedsam.blackbox import models, texts
from dfedsam.blackbox.base import TaskSpec
from dfedsam.blackbox.local import LocalBox, by_peer, pairs
from dfedsam.blackbox.templates import Template


class LanguageModelBox(LocalBox):
    """A language model with the examples set in a template; class scores are its logits of the label words.

    Args:
        given: what the objective gives.
        template: around the text; the prompt's embeddings go where it has {prompt}.
        kind: the auto class of transformers that loads the model.
        dtype: type of the weights.
        device: where the model runs.

    Raises:
        ValueError: if the model cannot be loaded, a label word is not one token, or the prompt leaves no room.
    """

    def __init__(
        self, given: TaskSpec, *, template: Template, kind: str, dtype: torch.dtype, device: torch.device
    ) -> None:
        super().__init__(given, models.load(given.model, dtype, kind, device), self._read)
        tokenizer = self.loaded.tokenizer
        self.template = template
        ids = texts.word_tokens(tokenizer, given.prompt, goes_on=not template.prompt_first)
        ids = texts.repeated(ids, given.prompt_tokens)
        if not ids:
            raise ValueError(f"prompt is {given.prompt}: to the model {given.model} it has no tokens; give some words")
        self.prompt = self._embeddings(np.array(ids))
        self._head = OneToken(self.loaded.model)
        mask = tokenizer.mask_token if kind == models.MASKED_LM else ""
        self._contents = texts.filled(tokenizer, template, given, self.loaded.reads, len(ids), mask)
        self._words = torch.tensor(self._labels(tokenizer), device=self.device)

    def _labels(self, tokenizer: Any) -> list[int]:
        """The label words' tokens, as they are where the model is asked for them."""
        return texts.label_tokens(tokenizer, self.given.words, goes_on=True)

    def _scores(self, prompts: torch.Tensor, examples: Sequence[NDArray]) -> list[torch.Tensor]:
        """One (q, b, classes) tensor a peer, from prompts (p, q, tokens, width)."""
        queries = prompts.shape[1]
        scores = self._passes.run(self._contents, prompts.flatten(0, 1), *pairs(queries, examples))
        return by_peer(scores, queries, examples)

    def _tokens(self, prompt: int, examples: Sequence[NDArray]) -> int:
        lengths = self._contents.lengths + prompt
        return sum(int(lengths[numbers].sum()) for numbers in examples)

    def _read(
        self, inputs: torch.Tensor, mask: torch.Tensor | None, numbers: NDArray, lengths: NDArray
    ) -> torch.Tensor:
        """Logits of the label words at the place of the answer, shape (s, classes)."""
        places = self._answers(numbers, lengths)
        attend = None if mask is None else mask.to(torch.long)
        return self._head(places, inputs_embeds=inputs, attention_mask=attend)[:, self._words]

    def _answers(self, numbers: NDArray, lengths: NDArray) -> NDArray:
        """The place of the token whose logits are read in each text, shape (s,); the last one by default."""
        return lengths - 1

    def notes(self) -> dict[str, str]:
        return {
            "template": self.template.text,
            "how_to_use": "Put the rows of `prompt` as input embeddings where the template has {prompt}; the class is "
            "the word whose token has the greatest logit.",
        }


class OneToken:
    """A language model's logits of one token a text: its head, a product with the whole vocabulary, reads no other.

    Args:
        model: any of transformers' whose head follows its base model.
    """

    def __init__(self, model: Any) -> None:
        self.model = model

    def __call__(self, places: NDArray, **inputs: Any) -> torch.Tensor:
        """Logits (s, vocabulary) of the tokens at `places` (s,)."""
        at = torch.from_numpy(np.asarray(places)).to(self.model.device)

        def narrow(module: object, given: object, output: Any) -> Any:
            hidden = output.last_hidden_state
            output.last_hidden_state = hidden[torch.arange(len(hidden), device=hidden.device), at][:, None]
            return output

        hook = self.model.base_model.register_forward_hook(narrow)
        try:
            return self.model(**inputs).logits[:, 0]
        finally:
            hook.remove()

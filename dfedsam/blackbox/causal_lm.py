"""A causal language model as a black-box classifier: the logits of the label words after the last token.

Where the prompt stands after the text, what precedes it is read once an example: its keys and values are kept, and a
query costs the prompt's tokens and those that follow.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from transformers import DynamicCache
from transformers.cache_utils import DynamicLayer

from dfedsam.blackbox import models
from dfedsam.blackbox.base import TaskSpec
from dfedsam.blackbox.language_model import LanguageModelBox
from dfedsam.blackbox.local import by_peer, pairs
from dfedsam.blackbox.templates import Template

_KEPT_SHARE = 0.25  # what a token whose keys and values are kept costs in a batch, next to one that is read


class CausalLMBox(LanguageModelBox):
    """See LanguageModelBox.

    Tokens are metered as a query costs them: with the prompt after the text, the text's own, read once, are left out.

    Args:
        cache: memory for keys and values, in bytes; of examples beyond it they are computed at every call. Half of it
            is left to the examples that are queried, as against evaluated.
    """

    def __init__(
        self, given: TaskSpec, *, template: Template, cache: float, dtype: torch.dtype, device: torch.device
    ) -> None:
        super().__init__(given, template=template, kind=models.CAUSAL_LM, dtype=dtype, device=device)
        self._cache, self._evaluating = cache, False
        self._kept: dict[int, torch.Tensor] = {}
        self._bytes = 0
        kinds = set(getattr(self.loaded.model.config, "layer_types", None) or ["full_attention"])
        self.keeps = not template.prompt_first and kinds <= {"full_attention", "sliding_attention"}

    def scores(self, prompts: NDArray, examples: Sequence[NDArray], *, count: bool = True) -> list[NDArray]:
        self._evaluating = not count
        return super().scores(prompts, examples, count=count)

    def _scores(self, prompts: torch.Tensor, examples: Sequence[NDArray]) -> list[torch.Tensor]:
        queries, tokens = prompts.shape[1:3]
        if not self.keeps or not tokens or torch.is_grad_enabled():
            return super()._scores(prompts, examples)
        which, numbers = pairs(queries, examples)
        order = np.argsort(numbers, kind="stable")  # an example's queries side by side, for those that are not kept
        which, numbers, flat = which[order], numbers[order], prompts.flatten(0, 1)
        places, rest = self._contents.places[numbers], (self._contents.lengths - self._contents.places)[numbers]
        rounded = self._passes.batches.rounded(places)
        costs = np.ceil(rounded * _KEPT_SHARE).astype(np.int64) + tokens + rest
        scores = self._passes.batches.over(
            rounded * (int(rest.max()) + 1) + rest, costs, lambda some: self._after(flat, which[some], numbers[some])
        )
        back = torch.from_numpy(np.argsort(order, kind="stable")).to(self.device)
        return by_peer(scores[back], queries, examples)

    def _after(self, prompts: torch.Tensor, which: NDArray, numbers: NDArray) -> torch.Tensor:
        """Scores (s, classes) of prompts after what precedes them in these examples."""
        contents = self._contents
        places, tokens = contents.places[numbers], prompts.shape[1]
        longest = int(places.max())
        distinct, rows = np.unique(numbers, return_inverse=True)
        kept = [self._keys_and_values(number) for number in distinct.tolist()]
        kept = [torch.nn.functional.pad(one, (0, 0, 0, longest - one.shape[3])) for one in kept]
        cache = DynamicCache()
        sequences = torch.from_numpy(rows).to(self.device)
        cache.layers += [_KeptLayer(keys, values, sequences) for keys, values in torch.stack(kept, dim=2)]
        ends = [contents.ids[number][contents.places[number] :] for number in numbers.tolist()]
        own = prompts[torch.from_numpy(which).to(self.device)]
        inputs = torch.cat([own, self._passes.embed(ends, len(ends[0]))], dim=1)
        starts = torch.from_numpy(places).to(self.device)
        positions = starts[:, None] + torch.arange(inputs.shape[1], device=self.device)
        mask = None
        if places.min() < longest:
            mask = torch.ones(len(numbers), longest + inputs.shape[1], dtype=torch.long, device=self.device)
            mask[:, :longest] = torch.arange(longest, device=self.device) < starts[:, None]
        answers = np.full(len(numbers), tokens + len(ends[0]) - 1)
        return self._head(
            answers,
            inputs_embeds=inputs,
            past_key_values=cache,
            position_ids=positions,
            attention_mask=mask,
            use_cache=True,
        )[:, self._words]

    def _keys_and_values(self, number: int) -> torch.Tensor:
        """Of what precedes the prompt in one example, shape (layers, 2, heads, tokens, width).

        Each is read by itself, so that no bit of it depends on which others were asked for, or when.
        """
        if number not in self._kept:
            ids = torch.tensor(self._contents.ids[number][: self._contents.places[number]], device=self.device)
            cache: Any = DynamicCache()
            self._head(np.zeros(1, np.int64), input_ids=ids[None], past_key_values=cache, use_cache=True)
            made = torch.stack([torch.stack([layer.keys[0], layer.values[0]]) for layer in cache.layers])
            size = made.numel() * made.element_size()
            if self._bytes + size > self._cache / (2 if self._evaluating else 1):
                return made
            self._kept[number] = made
            self._bytes += size
        return self._kept[number]

    def _tokens(self, prompt: int, examples: Sequence[NDArray]) -> int:
        if not self.keeps:
            return super()._tokens(prompt, examples)
        rest = self._contents.lengths - self._contents.places + prompt
        return sum(int(rest[numbers].sum()) for numbers in examples)


class _KeptLayer(DynamicLayer):
    """Keys and values of some examples (examples, heads, tokens, width), each for several sequences.

    They are copied where they are needed, once, beside the new ones.

    Args:
        keys: of the examples.
        values: of the examples.
        sequences: which example each sequence goes on from, shape (s,).
    """

    def __init__(self, keys: torch.Tensor, values: torch.Tensor, sequences: torch.Tensor) -> None:
        super().__init__()
        self.keys, self.values, self.sequences = keys, values, sequences
        self.is_initialized = True

    def update(
        self, key_states: torch.Tensor, value_states: torch.Tensor, *args: object, **kwargs: object
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Keys and values (s, heads, tokens, width) with the new ones at the end."""
        assert self.keys is not None
        assert self.values is not None
        keys = torch.cat([self.keys[self.sequences], key_states], dim=-2)
        return keys, torch.cat([self.values[self.sequences], value_states], dim=-2)

"""A causal language model as a black-box classifier: the logits of the label words after the last token.

If the prompt comes after the text, the tokens before it are processed once for each example: their keys and values are
cached, and a query costs only the prompt's tokens and those that follow.
"""

from __future__ import annotations

import logging
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from transformers import DynamicCache
from transformers.cache_utils import DynamicLayer

from dfedsam.blackbox.base import TaskSpec
from dfedsam.blackbox.forward import model_input
from dfedsam.blackbox.language_model import LanguageModel
from dfedsam.blackbox.loading import CAUSAL_LM
from dfedsam.blackbox.local import by_peer, pairs
from dfedsam.blackbox.templates import Template

_LOG = logging.getLogger(__name__)
_KEPT_COST = 0.25  # cost in a batch of a token with cached keys and values, in processed tokens
_STEP = 16  # cached keys are padded to multiples of it: sequences of a few tokens each would make small, slow batches
Layers = list[tuple[torch.Tensor, torch.Tensor]]
"""Keys and values of one example, for each layer (heads, tokens, width)."""


class CausalLM(LanguageModel):
    """A causal language model, queried for the token after the template.

    Counted tokens are those a query costs: with the prompt after the text, the text's own tokens are not counted.
    `cache_bytes` is the memory for keys and values, half of it for the training examples, which are queried.
    """

    def __init__(self, task: TaskSpec, *, template: Template, cache_bytes: float, **loading: Any) -> None:
        self._cache_bytes, self._evaluating = cache_bytes, False
        self._kept: dict[int, Layers] = {}
        self._bytes, self._pads = 0, True
        super().__init__(task, template=template, kind=CAUSAL_LM, **loading)
        self._kept, self._bytes = {}, 0  # filled by the check of the shortcuts

    def _prepare(self) -> None:
        config = self.loaded.model.config.get_text_config()
        kinds = set(getattr(config, "layer_types", None) or ["full_attention"])
        self.keeps = not self.template.prompt_first and kinds <= {"full_attention", "sliding_attention"}
        rope = getattr(config, "rope_parameters", None) or getattr(config, "rope_scaling", None) or {}
        if any(kind in str(rope) for kind in ("longrope", "dynamic")):  # positions depend on the whole length
            longest = int(self._contents.lengths.max()) + len(self.prompt)
            trained = getattr(config, "original_max_position_embeddings", None) or rope.get(
                "original_max_position_embeddings", config.max_position_embeddings
            )
            if longest > trained and (self.keeps or self._forward.batches.pads):
                self.keeps = self._forward.batches.pads = False
                _LOG.warning(
                    "dfedsam: note: the model %s is not padded, and nothing is cached: its positions depend on "
                    "the whole length; it is slower",
                    self.task.model,
                )

    def _shortcuts(self) -> dict[str, tuple[object, str]]:
        kept: dict[str, tuple[object, str]] = {"padded keys": (self, "_pads"), "kept keys and values": (self, "keeps")}
        return super()._shortcuts() | (kept if self.keeps else {})

    def scores(self, prompts: NDArray, examples: NDArray, *, count: bool = True) -> NDArray:
        self._evaluating = not count
        return super().scores(prompts, examples, count=count)

    def _scores(self, prompts: torch.Tensor, examples: NDArray) -> torch.Tensor:
        queries, tokens = prompts.shape[1:3]
        if not self.keeps or not tokens:
            return super()._scores(prompts, examples)
        prompt_ids, text_ids, mask = pairs(queries, examples)
        order = np.argsort(text_ids, kind="stable")  # queries of one example are adjacent, if not cached
        prompt_ids, text_ids, flat = prompt_ids[order], text_ids[order], prompts.flatten(0, 1)
        offsets = self._contents.offsets[text_ids]
        rest = self._contents.lengths[text_ids] - offsets
        padded = self._padded(offsets)
        scores = self._forward.batches.run(
            padded * (int(rest.max()) + 1) + rest,
            np.ceil(padded * _KEPT_COST).astype(np.int64) + tokens + rest,
            lambda some: self._continue(flat, prompt_ids[some], text_ids[some]),
        )
        back = torch.from_numpy(np.argsort(order, kind="stable")).to(self.device)
        return by_peer(scores[back], mask)

    def _continue(self, prompts: torch.Tensor, prompt_ids: NDArray, text_ids: NDArray) -> torch.Tensor:
        """Scores (s, classes) of prompts after the preceding tokens of these examples.

        Cached keys of different lengths are padded at their starts, so that a sliding window sees the true distances.
        """
        contents, tokens = self._contents, prompts.shape[1]
        offsets = contents.offsets[text_ids]
        longest = int(self._padded(offsets).max())
        distinct, rows = np.unique(text_ids, return_inverse=True)
        kept = [self._keys_and_values(text) for text in distinct.tolist()]
        sequences = torch.from_numpy(rows).to(self.device)
        cache = DynamicCache()
        for layer in zip(*kept, strict=True):
            keys, values = (torch.stack([_filled(one, longest) for one in part]) for part in zip(*layer, strict=True))
            cache.layers.append(_KeptLayer(keys, values, sequences))
        ends = [contents.ids[text][contents.offsets[text] :] for text in text_ids.tolist()]
        prompt = prompts[torch.from_numpy(prompt_ids).to(self.device)]
        rest = self._forward.rows(ends, len(ends[0]), soft=prompt.is_floating_point())
        inputs = torch.cat([prompt, rest], dim=1)
        starts = torch.from_numpy(offsets).to(self.device)[:, None]
        positions = starts + torch.arange(inputs.shape[1], device=self.device)
        mask = None
        if offsets.min() < longest:
            mask = torch.ones(len(text_ids), longest + inputs.shape[1], dtype=torch.long, device=self.device)
            mask[:, :longest] = torch.arange(longest, device=self.device) >= longest - starts
        return self._logits(
            np.full(len(text_ids), tokens + len(ends[0]) - 1),
            **model_input(inputs),
            past_key_values=cache,
            position_ids=positions,
            attention_mask=mask,
            use_cache=True,
        )

    def _padded(self, lengths: NDArray[np.int64]) -> NDArray[np.int64]:
        """Lengths of cached keys with their padding, which is never empty: the check at loading sees it."""
        return (lengths // _STEP + 1) * _STEP if self._pads else lengths

    def _keys_and_values(self, text: int) -> Layers:
        """Keys and values of the tokens before the prompt in one example.

        Each example is processed alone, so that no bit of the result depends on other examples.
        """
        if text in self._kept:
            return self._kept[text]
        ids = torch.tensor(self._contents.ids[text][: self._contents.offsets[text]], device=self.device)
        cache: Any = DynamicCache()
        with torch.inference_mode(False), torch.no_grad():  # a gradient by the prompt may go through them
            self._logits(np.zeros(1, np.int64), input_ids=ids[None], past_key_values=cache, use_cache=True)
        layers = [(layer.keys[0], layer.values[0]) for layer in cache.layers]
        if not layers:
            raise RuntimeError("the model returns no keys and values")
        size = sum(part.numel() * part.element_size() for layer in layers for part in layer)
        if self._bytes + size <= self._cache_bytes / (2 if self._evaluating else 1):
            self._kept[text] = layers
            self._bytes += size
        return layers

    def _tokens(self, prompt: int, examples: NDArray) -> int:
        if not self.keeps:
            return super()._tokens(prompt, examples)
        rest = self._contents.lengths - self._contents.offsets + prompt
        return int(rest[examples[examples >= 0]].sum())


def _filled(part: torch.Tensor, length: int) -> torch.Tensor:
    """Keys or values (heads, tokens, width) padded at their start to `length` tokens."""
    return torch.nn.functional.pad(part, (0, 0, length - part.shape[1], 0))


class _KeptLayer(DynamicLayer):
    """Keys and values of some examples (examples, heads, tokens, width), each for several sequences.

    They are copied once, together with the new ones, when needed.

    Args:
        keys: keys of the examples.
        values: values of the examples.
        sequences: which example each sequence continues, shape (s,).
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

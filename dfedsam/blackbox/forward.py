"""Forward passes of a model over prompted token sequences, in batches with little padding that fit into memory."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from dfedsam.blackbox.loading import Loaded, is_out_of_memory
from dfedsam.errors import OptionError
from dfedsam.phases import progress

_LOG = logging.getLogger(__name__)

# On a CPU the cost is almost proportional to tokens, so batches hold one length only, without padding, and stay small
# enough for its caches. A GPU needs few large batches: lengths are rounded up and padded.
_CPU_TOKENS, _GPU_TOKENS, _GPU_STEP = 1024, 65536, 8

Reader = Callable[[torch.Tensor, torch.Tensor | None, NDArray, NDArray], torch.Tensor]
"""(tokens (s, length) or embeddings (s, length, width), mask (s, length) or None, text indices (s,), true lengths (s,))
→ (s, …)."""


def model_input(rows: torch.Tensor) -> dict[str, torch.Tensor]:
    """The name under which a transformer takes embeddings (s, length, width), or tokens (s, length)."""
    return {"inputs_embeds" if rows.is_floating_point() else "input_ids": rows}


@dataclass(frozen=True)
class Contents:
    """Tokenised texts, including special tokens, and the position of the prompt in each.

    Args:
        ids: token ids of each text.
        lengths: number of tokens, shape (n,).
        offsets: number of tokens before the prompt, shape (n,).
    """

    ids: list[list[int]]
    lengths: NDArray[np.int64]
    offsets: NDArray[np.int64]


class Batches:
    """Divides sequences into batches of similar lengths; if a batch runs out of memory, it and later ones are halved.

    Sequences of different lengths share a batch if it `pads`.
    """

    def __init__(self, device: torch.device) -> None:
        self.device = device
        self.pads = device.type != "cpu"
        self.halvings = 0

    def rounded(self, lengths: NDArray) -> NDArray:
        """Lengths as the batches have them, with padding."""
        return -(-lengths // _GPU_STEP) * _GPU_STEP if self.pads else lengths

    def run(self, keys: NDArray, costs: NDArray, forward: Callable[[NDArray], torch.Tensor]) -> torch.Tensor:
        """Apply `forward`, from the indices of some sequences (b,) to results (b, …), to all s sequences in order.

        Only sequences with the same key, of keys (s,), share a batch. Costs (s,), in tokens, are equal for equal keys.
        Raises OptionError if not even one sequence fits.
        """
        order = np.argsort(keys, kind="stable")
        pieces: list[torch.Tensor] = []
        for group in np.split(order, np.flatnonzero(np.diff(keys[order])) + 1):
            done = 0
            passed = sum(map(len, pieces))
            while done < len(group):
                progress(passed + done, len(order))
                done += self._next(group[done:], int(costs[group[0]]), forward, pieces)
        return torch.cat(pieces)[torch.from_numpy(np.argsort(order, kind="stable")).to(self.device)]

    def _next(
        self, group: NDArray, cost: int, forward: Callable[[NDArray], torch.Tensor], pieces: list[torch.Tensor]
    ) -> int:
        """Run the first batch of a group, and return its size."""
        failed = 0
        while True:  # batches of equal sizes, since a small last one would be slow
            batch = np.array_split(group, -(-len(group) // self._capacity(cost)))[0]
            try:
                pieces.append(forward(batch))
                if failed:
                    _LOG.warning(
                        "dfedsam: note: %s has no memory for a batch of %d sequences of %d tokens; one of %d fits, and "
                        "larger ones are not tried again",
                        *(self.device, failed, cost, len(batch)),
                    )
                return len(batch)
            except RuntimeError as error:
                if not is_out_of_memory(error):
                    raise
                failed = len(batch)
                if failed == 1:
                    rule = f"must have memory for a batch of one sequence of {cost} tokens, and not even that fits"
                    hint = "choose a smaller model, lower max_tokens, or the precision bfloat16"
                    raise OptionError("device", self.device, rule, hint) from None
            while self._capacity(cost) >= len(batch):
                self.halvings += 1
            if self.device.type == "cuda":
                torch.cuda.empty_cache()

    def _capacity(self, cost: int) -> int:
        """The number of sequences of this cost in a batch."""
        return max(1, ((_GPU_TOKENS if self.pads else _CPU_TOKENS) >> self.halvings) // cost)


class BatchedForward:
    """Runs a model on batches of tokens and soft prompts, and reads its output by `read`.

    Gradients flow unless inference mode is on.
    """

    def __init__(self, loaded: Loaded, read: Reader) -> None:
        self._read = read
        self.embeddings = loaded.model.get_input_embeddings()
        self.device, self.width = self.embeddings.weight.device, self.embeddings.weight.shape[1]
        self.batches = Batches(loaded.device)

    def __call__(
        self, contents: Contents, prompts: torch.Tensor, prompt_ids: NDArray, text_ids: NDArray
    ) -> torch.Tensor:
        """The model's outputs for prompted texts.

        Args:
            contents: the texts.
            prompts: m soft prompts (m, tokens, width), or text prompts (m, tokens); tokens may be 0.
            prompt_ids: prompt of each sequence, shape (s,).
            text_ids: text of each sequence, shape (s,).

        Returns:
            Shape (s, …).
        """
        lengths, offsets = self.batches.rounded(contents.lengths[text_ids]), contents.offsets[text_ids]
        keys = lengths * (int(offsets.max(initial=0)) + 1) + offsets
        return self.batches.run(
            keys,
            lengths + prompts.shape[1],
            lambda some: self._forward(contents, prompts, prompt_ids[some], text_ids[some]),
        )

    def rows(self, ids: Sequence[Sequence[int]], length: int, *, soft: bool) -> torch.Tensor:
        """Token sequences (s, length), padded at their ends; if `soft`, embedded by the model, (s, length, width)."""
        filled = np.zeros((len(ids), length), np.int64)
        for row, text_ids in zip(filled, ids, strict=True):
            row[: len(text_ids)] = text_ids
        tokens = torch.from_numpy(filled).to(self.device)
        return self.embeddings(tokens) if soft else tokens

    def _forward(
        self, contents: Contents, prompts: torch.Tensor, prompt_ids: NDArray, text_ids: NDArray
    ) -> torch.Tensor:
        lengths = contents.lengths[text_ids]
        longest, tokens, offset = int(lengths.max()), prompts.shape[1], int(contents.offsets[text_ids[0]])
        ids, soft = [contents.ids[text] for text in text_ids.tolist()], prompts.is_floating_point()
        prompt, rest = prompts[torch.from_numpy(prompt_ids).to(self.device)], self.rows(ids, longest, soft=soft)
        inputs = torch.cat([rest[:, :offset], prompt, rest[:, offset:]], dim=1)
        mask = None
        if lengths.min() < longest:
            ends = torch.from_numpy(lengths + tokens).to(self.device)
            mask = torch.arange(longest + tokens, device=self.device) < ends[:, None]
        return self._read(inputs, mask, text_ids, lengths + tokens)

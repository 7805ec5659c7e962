"""Forward passes of a model over prompted token sequences, in batches that waste little and fit into memory."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from dfedsam.blackbox.loading import Loaded, is_out_of_memory
from dfedsam.errors import OptionError

_LOG = logging.getLogger(__name__)

# On a CPU a pass costs per token and little more, so batches hold one length only, without padding, and stay small
# enough for its caches. A GPU wants few large batches: lengths are rounded up and padded.
_CPU_TOKENS, _GPU_TOKENS, _GPU_STEP = 1024, 65536, 8

Reader = Callable[[torch.Tensor, torch.Tensor | None, NDArray, NDArray], torch.Tensor]
"""(embeddings (s, length, width), mask (s, length) or None, text indices (s,), true lengths (s,)) → (s, …)."""


@dataclass(frozen=True)
class Contents:
    """Tokenised texts, special tokens among them, and where in each a prompt goes.

    Args:
        ids: token ids of each text.
        lengths: their number, shape (n,).
        offsets: number of tokens before the prompt, shape (n,).
    """

    ids: list[list[int]]
    lengths: NDArray[np.int64]
    offsets: NDArray[np.int64]


class Batches:
    """Cuts sequences into batches of like lengths; a batch that runs out of memory is halved, and so are later ones.

    Args:
        device: where the model runs.

    Attributes:
        pads: whether sequences of unlike lengths share a batch.
    """

    def __init__(self, device: torch.device) -> None:
        self.device = device
        self.pads = device.type != "cpu"
        self.halvings = 0

    def rounded(self, lengths: NDArray) -> NDArray:
        """Lengths as the batches have them, with padding."""
        return -(-lengths // _GPU_STEP) * _GPU_STEP if self.pads else lengths

    def run(self, keys: NDArray, costs: NDArray, forward: Callable[[NDArray], torch.Tensor]) -> torch.Tensor:
        """What `forward` gives for all sequences, in their order, shape (s, …).

        Args:
            keys: only sequences with the same key share a batch, shape (s,).
            costs: what a sequence counts for, in tokens, shape (s,); equal where the key is.
            forward: takes the indices of some sequences (b,) and gives (b, …).

        Raises:
            OptionError: if not even one sequence fits.
        """
        order = np.argsort(keys, kind="stable")
        pieces: list[torch.Tensor] = []
        for group in np.split(order, np.flatnonzero(np.diff(keys[order])) + 1):
            done = 0
            while done < len(group):
                done += self._next(group[done:], int(costs[group[0]]), forward, pieces)
        return torch.cat(pieces)[torch.from_numpy(np.argsort(order, kind="stable")).to(self.device)]

    def _next(
        self, group: NDArray, cost: int, forward: Callable[[NDArray], torch.Tensor], pieces: list[torch.Tensor]
    ) -> int:
        """Run the first batch of a group; returns its size."""
        failed = 0
        while True:  # batches of even sizes, lest the last be small and slow
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
        """Sequences of this cost in a batch."""
        return max(1, ((_GPU_TOKENS if self.pads else _CPU_TOKENS) >> self.halvings) // cost)


class BatchedForward:
    """Runs a model: tokens and soft prompts in, what is read of it out. Gradients flow unless inference mode is on.

    Args:
        loaded: the model.
        read: runs it on a batch and takes what is wanted.
    """

    def __init__(self, loaded: Loaded, read: Reader) -> None:
        self._read = read
        self.embeddings = loaded.model.get_input_embeddings()
        self.device, self.width = self.embeddings.weight.device, self.embeddings.weight.shape[1]
        self.batches = Batches(loaded.device)

    def __call__(
        self, contents: Contents, prompts: torch.Tensor, prompt_ids: NDArray, text_ids: NDArray
    ) -> torch.Tensor:
        """What is read of prompted texts.

        Args:
            contents: the texts.
            prompts: m soft prompts, shape (m, tokens, width); tokens may be 0.
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

    def embed(self, ids: Sequence[Sequence[int]], length: int) -> torch.Tensor:
        """Embeddings of token sequences, as the model's own module gives them, shape (s, length, width).

        Args:
            ids: the sequences; shorter ones are filled up at their ends.
            length: tokens of each.
        """
        filled = np.zeros((len(ids), length), np.int64)
        for row, own in zip(filled, ids, strict=True):
            row[: len(own)] = own
        return self.embeddings(torch.from_numpy(filled).to(self.device))

    def _forward(
        self, contents: Contents, prompts: torch.Tensor, prompt_ids: NDArray, text_ids: NDArray
    ) -> torch.Tensor:
        lengths = contents.lengths[text_ids]
        longest, tokens, offset = int(lengths.max()), prompts.shape[1], int(contents.offsets[text_ids[0]])
        embedded = self.embed([contents.ids[text] for text in text_ids.tolist()], longest)
        own = prompts[torch.from_numpy(prompt_ids).to(self.device)]
        inputs = torch.cat([embedded[:, :offset], own, embedded[:, offset:]], dim=1)
        mask = None
        if lengths.min() < longest:
            ends = torch.from_numpy(lengths + tokens).to(self.device)
            mask = torch.arange(longest + tokens, device=self.device) < ends[:, None]
        return self._read(inputs, mask, text_ids, lengths + tokens)

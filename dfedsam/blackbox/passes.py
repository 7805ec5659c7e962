"""Forward passes of a model over prompted token sequences, in batches that waste little and fit into memory."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from dfedsam.blackbox.models import Loaded, is_no_memory

_LOG = logging.getLogger(__name__)

# On a CPU a pass costs per token and little more, so batches hold one length only, without padding, and stay small
# enough for its caches. A GPU wants few large batches: lengths are rounded up and padded.
_CPU_TOKENS, _GPU_TOKENS, _GPU_STEP = 1024, 65536, 8

Reader = Callable[[torch.Tensor, torch.Tensor | None, NDArray, NDArray], torch.Tensor]
"""(embeddings (s, length, width), mask (s, length) or None, texts' numbers (s,), true lengths (s,)) → (s, …)."""


@dataclass(frozen=True)
class Contents:
    """Tokenised texts, special tokens among them, and where in each a prompt goes.

    Args:
        ids: token numbers of each text.
        lengths: how many they are, shape (n,).
        places: number of tokens before the prompt, shape (n,).
    """

    ids: list[list[int]]
    lengths: NDArray[np.int64]
    places: NDArray[np.int64]


class Batches:
    """Cuts sequences into batches of like lengths; a batch that runs out of memory is halved, and so are later ones.

    Args:
        device: where the model runs.
    """

    def __init__(self, device: torch.device) -> None:
        self.device = device
        self.cpu = device.type == "cpu"
        self.halvings = 0

    def rounded(self, lengths: NDArray) -> NDArray:
        """Lengths as the batches have them, with padding."""
        return lengths if self.cpu else -(-lengths // _GPU_STEP) * _GPU_STEP

    def over(self, keys: NDArray, costs: NDArray, run: Callable[[NDArray], torch.Tensor]) -> torch.Tensor:
        """What `run` gives for all sequences, in their order, shape (s, …).

        Args:
            keys: only sequences with the same key share a batch, shape (s,); in rising order.
            costs: what a sequence counts for, in tokens, shape (s,); equal where the key is.
            run: takes the places of some sequences (b,) and gives (b, …).

        Raises:
            ValueError: if not even one sequence fits.
        """
        order = np.argsort(keys, kind="stable")
        parts: list[torch.Tensor] = []
        for group in np.split(order, np.flatnonzero(np.diff(keys[order])) + 1):
            done = 0
            while done < len(group):
                done += self._next(group[done:], int(costs[group[0]]), run, parts)
        return torch.cat(parts)[torch.from_numpy(np.argsort(order, kind="stable")).to(self.device)]

    def _next(
        self, group: NDArray, cost: int, run: Callable[[NDArray], torch.Tensor], parts: list[torch.Tensor]
    ) -> int:
        """Run the first batch of a group; returns its size."""
        failed = 0
        while True:
            piece = np.array_split(group, -(-len(group) // self._fitting(cost)))[
                0
            ]  # of even sizes, lest the last be small and slow
            try:
                parts.append(run(piece))
                if failed:
                    _LOG.warning(
                        "dfedsam: note: %s has no memory for a batch of %d sequences of %d tokens; one of %d fits, and "
                        "larger ones are not tried again",
                        *(self.device, failed, cost, len(piece)),
                    )
                return len(piece)
            except RuntimeError as error:
                if not is_no_memory(error):
                    raise
                failed = len(piece)
                if len(piece) == 1:
                    raise ValueError(
                        f"model is too large for {self.device}: not even a batch of one sequence of {cost} tokens fits "
                        "into its memory; choose a smaller model, lower max_tokens, or the precision bfloat16"
                    ) from None
            while self._fitting(cost) >= len(piece):
                self.halvings += 1
            if self.device.type == "cuda":
                torch.cuda.empty_cache()

    def _fitting(self, cost: int) -> int:
        """Sequences of this cost in a batch."""
        return max(1, ((_CPU_TOKENS if self.cpu else _GPU_TOKENS) >> self.halvings) // cost)


class Passes:
    """Runs a model: tokens and soft prompts in, what is read of it out. Gradients flow unless inference mode is on.

    Args:
        loaded: the model.
        read: runs it on a batch and takes what is wanted.
    """

    def __init__(self, loaded: Loaded, read: Reader) -> None:
        self.loaded, self._read = loaded, read
        self.embeddings = loaded.model.get_input_embeddings()
        self.table: torch.Tensor = self.embeddings.weight
        self.width = self.table.shape[1]
        self.batches = Batches(loaded.device)

    def run(self, contents: Contents, prompts: torch.Tensor, which: NDArray, numbers: NDArray) -> torch.Tensor:
        """What is read of prompted texts.

        Args:
            contents: the texts.
            prompts: m soft prompts, shape (m, tokens, width); tokens may be 0.
            which: prompt of each sequence, shape (s,).
            numbers: text of each sequence, shape (s,).

        Returns:
            Shape (s, …).
        """
        lengths, places = self.batches.rounded(contents.lengths[numbers]), contents.places[numbers]
        keys = lengths * (int(places.max(initial=0)) + 1) + places
        return self.batches.over(
            keys, lengths + prompts.shape[1], lambda some: self._pass(contents, prompts, which[some], numbers[some])
        )

    def embed(self, ids: Sequence[Sequence[int]], longest: int) -> torch.Tensor:
        """Embeddings of token sequences, filled up at their ends, shape (s, longest, width)."""
        table = np.zeros((len(ids), longest), np.int64)
        for row, own in zip(table, ids, strict=True):
            row[: len(own)] = own
        return self.embeddings(torch.from_numpy(table).to(self.table.device))

    def _pass(self, contents: Contents, prompts: torch.Tensor, which: NDArray, numbers: NDArray) -> torch.Tensor:
        device, lengths = self.table.device, contents.lengths[numbers]
        longest, tokens, place = int(lengths.max()), prompts.shape[1], int(contents.places[numbers[0]])
        embedded = self.embed([contents.ids[number] for number in numbers.tolist()], longest)
        own = prompts[torch.from_numpy(which).to(device)]
        inputs = torch.cat([embedded[:, :place], own, embedded[:, place:]], dim=1)
        mask = None
        if lengths.min() < longest:
            ends = torch.from_numpy(lengths + tokens).to(device)
            mask = torch.arange(longest + tokens, device=device) < ends[:, None]
        return self._read(inputs, mask, numbers, lengths + tokens)

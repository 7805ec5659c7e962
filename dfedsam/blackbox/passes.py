"""Forward passes of a sentence encoder over prompted token sequences, in batches that waste little."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from dfedsam.blackbox.models import Encoder

# On a CPU a pass costs per token and little more, so batches hold one length only, without padding, and stay small
# enough for its caches. A GPU wants few large batches: lengths are rounded up and padded.
_CPU_TOKENS, _GPU_TOKENS, _GPU_STEP = 1024, 65536, 8


@dataclass(frozen=True)
class Contents:
    """Tokenised texts, each as [specials before, text, specials after]; a prompt goes after the specials before.

    Args:
        ids: token numbers of each text.
        lengths: how many they are, shape (n,).
        before: number of special tokens in front.
        around: number of special tokens in all.
    """

    ids: list[list[int]]
    lengths: NDArray[np.int64]
    before: int
    around: int


class Passes:
    """Runs an encoder: tokens and soft prompts in, unit vectors out. Gradients flow unless inference mode is on."""

    def __init__(self, encoder: Encoder) -> None:
        self.encoder = encoder
        self.embeddings = encoder.model.get_input_embeddings()
        self.table: torch.Tensor = self.embeddings.weight
        self.width = self.table.shape[1]
        self._cpu = encoder.device.type == "cpu"

    def sentence(self, text: str) -> tuple[list[int], int]:
        """A sentence's token numbers, and how many more tokens the model reads when it stands before a text."""
        tokenizer = self.encoder.tokenizer
        ids = tokenizer(text, add_special_tokens=False).input_ids
        reads = min(tokenizer.model_max_length, getattr(self.encoder.model.config, "max_position_embeddings", 1 << 30))
        return ids, reads - len(ids) - sum(map(len, _specials(tokenizer)))

    def contents(self, texts: Sequence[str], max_tokens: int) -> Contents:
        """Tokenise, each text cut after `max_tokens` tokens of its own."""
        tokenizer = self.encoder.tokenizer
        before, after = _specials(tokenizer)
        bare = tokenizer(list(texts), add_special_tokens=False, truncation=True, max_length=max_tokens).input_ids
        ids = [[*before, *own, *after] for own in bare]
        lengths = np.array([len(own) for own in ids])
        return Contents(ids, lengths, len(before), len(before) + len(after))

    def vectors(self, contents: Contents, prompts: torch.Tensor, which: NDArray, numbers: NDArray) -> torch.Tensor:
        """Unit vectors of prompted texts.

        Args:
            contents: the texts.
            prompts: m soft prompts, shape (m, tokens, width); tokens may be 0.
            which: prompt of each sequence, shape (s,).
            numbers: text of each sequence, shape (s,).

        Returns:
            Shape (s, width).
        """
        lengths = contents.lengths[numbers]
        if not self._cpu:
            lengths = -(-lengths // _GPU_STEP) * _GPU_STEP
        order = np.argsort(lengths, kind="stable")
        parts: list[torch.Tensor] = []
        for group in np.split(order, np.flatnonzero(np.diff(lengths[order])) + 1):
            size = max(1, (_CPU_TOKENS if self._cpu else _GPU_TOKENS) // (int(lengths[group[0]]) + prompts.shape[1]))
            pieces = -(-len(group) // size)
            for piece in np.array_split(group, pieces):  # of even sizes, lest the last be small and slow
                parts.append(self._pass(contents, prompts, which[piece], numbers[piece]))
        back = torch.from_numpy(np.argsort(order, kind="stable")).to(self.table.device)
        return torch.cat(parts)[back]

    def _pass(self, contents: Contents, prompts: torch.Tensor, which: NDArray, numbers: NDArray) -> torch.Tensor:
        device, lengths = self.table.device, contents.lengths[numbers]
        longest, tokens = int(lengths.max()), prompts.shape[1]
        ids = np.zeros((len(numbers), longest), np.int64)
        for row, number in zip(ids, numbers.tolist(), strict=True):
            row[: contents.lengths[number]] = contents.ids[number]
        embedded = self.embeddings(torch.from_numpy(ids).to(device))
        own = prompts[torch.from_numpy(which).to(device)]
        inputs = torch.cat([embedded[:, : contents.before], own, embedded[:, contents.before :]], dim=1)
        mask = None
        if lengths.min() < longest:
            ends = torch.from_numpy(lengths + tokens).to(device)
            mask = torch.arange(longest + tokens, device=device) < ends[:, None]
        hidden = self.encoder.model(
            inputs_embeds=inputs, attention_mask=None if mask is None else mask.to(inputs.dtype)
        ).last_hidden_state
        if self.encoder.pooling == "cls":
            pooled = hidden[:, 0]
        elif mask is None:
            pooled = hidden.mean(dim=1)
        else:
            weights = mask.to(hidden.dtype)
            pooled = torch.einsum("bl,blw->bw", weights, hidden) / weights.sum(1, keepdim=True)
        return torch.nn.functional.normalize(pooled, dim=1)


def _specials(tokenizer: object) -> tuple[list[int], list[int]]:
    """The special tokens that the tokenizer sets before and after a text."""
    text = "a"
    whole = tokenizer(text).input_ids  # type: ignore[operator]
    bare = tokenizer(text, add_special_tokens=False).input_ids  # type: ignore[operator]
    starts = (i for i in range(len(whole) - len(bare) + 1) if whole[i : i + len(bare)] == bare)
    start = next(starts)
    return whole[:start], whole[start + len(bare) :]

"""A sentence encoder as a black-box classifier: class scores are scaled cosines of text vectors and word vectors.

The soft prompt is set either before the class words ("words"), whose vectors are then compared with the examples', or
before the examples' texts ("text"), as in BBT (Sun et al., 2022) and FedBPT (Sun et al., 2024). The side without the
prompt is embedded once.
"""

from collections.abc import Sequence

import numpy as np
import torch
import transformers
from numpy.typing import DTypeLike, NDArray

from dfedsam.blackbox import models
from dfedsam.blackbox.base import BlackBox, Meter
from dfedsam.blackbox.passes import Contents, Passes
from dfedsam.blackbox.store import stored

MODES = ("words", "text")


class DualEncoder(BlackBox):
    """A sentence encoder with the texts and the class words loaded.

    Args:
        model: folder or hub name of a sentence encoder.
        words: one word or phrase a class.
        texts: all examples' texts; examples are called by their number in it.
        prompt: a sentence; its tokens' embeddings are the soft prompt to start from.
        mode: "words" or "text": what the prompt is set before.
        scale: what cosines are multiplied by (the inverse temperature), above 0.
        max_tokens: texts are cut after so many tokens, the special ones left out, or where they would pass, with the
            prompt, what the model reads.
        cut_at_peers: never put two peers into one batch, so that what a peer reads does not depend on who is beside it.
        dtype: float32 or float64.

    Raises:
        ValueError: if the model cannot be loaded, a word or the prompt has no tokens, or the prompt leaves no room.
    """

    def __init__(
        self,
        *,
        model: str,
        words: Sequence[str],
        texts: Sequence[str],
        prompt: str,
        mode: str = "words",
        scale: float = 20.0,
        max_tokens: int = 128,
        cut_at_peers: bool = False,
        dtype: DTypeLike = np.float32,
    ) -> None:
        self.meter = Meter()
        self.mode, self.scale, self.cut_at_peers = mode, scale, cut_at_peers
        self.dtype = torch.from_numpy(np.empty(0, dtype)).dtype
        encoder = models.load(model, self.dtype)
        self._passes = Passes(encoder)
        self.width = self._passes.width
        self.device = encoder.device
        ids, room = self._passes.sentence(prompt)
        if not ids or room < 1:
            reason = f"is {len(ids)} tokens long and leaves no room for a text" if ids else "has no tokens"
            raise ValueError(f"prompt is {prompt}: to the model {model} it {reason}; give one or a few words")
        self.prompt = self._passes.table[torch.tensor(ids)].cpu().numpy().copy()
        word_contents = self._passes.contents(words, min(max_tokens, room))
        if any(length == word_contents.around for length in word_contents.lengths):
            raise ValueError(f"words is {', '.join(words)}: the model's tokenizer finds nothing in one of them")
        self._words = len(words)
        text_contents = self._passes.contents(texts, min(max_tokens, room))
        # What goes through the model with a prompt, and the vectors of what goes without
        self._prompted, bare = (word_contents, text_contents) if mode == "words" else (text_contents, word_contents)
        identity = f"{encoder.fingerprint} {encoder.pooling} {self.dtype} {self.device.type} "
        identity += f"{torch.__version__} {transformers.__version__} {torch.get_num_threads()}"
        self._bare = torch.from_numpy(stored(identity, bare.ids, lambda part: self._embed(bare, part))).to(self.device)

    @property
    def embedding_std(self) -> float:
        """Standard deviation of the entries of the word embeddings."""
        return float(self._passes.table.std())

    def scores(self, prompts: NDArray, examples: Sequence[NDArray], *, count: bool = True) -> list[NDArray]:
        queries = prompts.shape[1]
        answers: list[NDArray] = []
        with torch.inference_mode():
            groups = [slice(i, i + 1) for i in range(len(examples))] if self.cut_at_peers else [slice(None)]
            for group in groups:
                some = torch.from_numpy(np.ascontiguousarray(prompts[group])).to(self.device, self.dtype)
                answers += [part.cpu().numpy() for part in self._scores(some, examples[group])]
        if count:
            sizes = [len(numbers) for numbers in examples]
            self.meter.queries += queries * len(examples)
            self.meter.examples += queries * sum(sizes)
            self.meter.tokens += queries * self._tokens(prompts.shape[2], examples)
        return answers

    def zero_shot(self, examples: NDArray) -> NDArray:
        """Class scores of the bare words on the bare texts, with no prompt at all, shape (b, classes)."""
        return self.scores(np.empty((1, 1, 0, self.width), np.float32), [examples], count=False)[0][0]

    def gradients(
        self, prompts: NDArray, examples: Sequence[NDArray], labels: Sequence[NDArray]
    ) -> tuple[NDArray, NDArray]:
        """Mean cross-entropy of one prompt a peer and its exact gradient, for references; no black box gives these.

        Args:
            prompts: shape (peers, tokens, width).
            examples: for each peer the numbers of its examples, shape (b,).
            labels: for each peer their classes, shape (b,).

        Returns:
            Losses, shape (peers,), and gradients, shape (peers, tokens, width).
        """
        leaf = torch.from_numpy(np.array(prompts)).to(self.device, self.dtype).requires_grad_()
        targets = [torch.from_numpy(np.asarray(part)).to(self.device) for part in labels]
        with torch.enable_grad():
            scores = self._scores(leaf[:, None], examples)
            parts = zip(scores, targets, strict=True)
            losses = torch.stack([torch.nn.functional.cross_entropy(part[0], target) for part, target in parts])
            (gradient,) = torch.autograd.grad(losses.sum(), leaf)
        return losses.detach().cpu().numpy(), gradient.cpu().numpy()

    def _scores(self, prompts: torch.Tensor, examples: Sequence[NDArray]) -> list[torch.Tensor]:
        """One (q, b, classes) tensor a peer, from prompts (p, q, tokens, width)."""
        peers, queries = prompts.shape[:2]
        flat = prompts.flatten(0, 1)
        if self.mode == "words":
            which = np.arange(peers * queries)
            vectors = self._passes.vectors(
                self._prompted, flat, np.repeat(which, self._words), np.tile(np.arange(self._words), len(which))
            ).view(peers, queries * self._words, self.width)
            return [
                (self.scale * (self._bare[numbers] @ own.T)).view(len(numbers), queries, self._words).transpose(0, 1)
                for own, numbers in zip(vectors, map(self._index, examples), strict=True)
            ]
        sizes = [len(numbers) for numbers in examples]
        which = np.concatenate([np.repeat(np.arange(i * queries, (i + 1) * queries), b) for i, b in enumerate(sizes)])
        numbers = np.concatenate([np.tile(part, queries) for part in examples])
        scores = self.scale * (self._passes.vectors(self._prompted, flat, which, numbers) @ self._bare.T)
        parts = scores.split([queries * size for size in sizes])
        return [part.view(queries, size, self._words) for part, size in zip(parts, sizes, strict=True)]

    def _index(self, numbers: NDArray) -> torch.Tensor:
        return torch.from_numpy(numbers).to(self.device)

    def _tokens(self, prompt: int, examples: Sequence[NDArray]) -> int:
        """Tokens through the model for one prompt a peer of `prompt` tokens."""
        lengths = self._prompted.lengths + prompt
        if self.mode == "words":
            return len(examples) * int(lengths.sum())
        return sum(int(lengths[numbers].sum()) for numbers in examples)

    def _embed(self, contents: Contents, part: NDArray) -> NDArray:
        none = torch.empty((1, 0, self.width), dtype=self.dtype, device=self.device)
        with torch.inference_mode():
            return self._passes.vectors(contents, none, np.zeros_like(part), part).cpu().numpy()

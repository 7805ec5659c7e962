"""What black boxes share whose model runs here, in torch: batches over peers, the meter, exact gradients."""

from abc import abstractmethod
from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from dfedsam.blackbox.base import BlackBox, TaskSpec, Usage
from dfedsam.blackbox.models import Loaded
from dfedsam.blackbox.passes import Passes, Reader
from dfedsam.blackbox.vocabulary import Vocabulary


class LocalBox(BlackBox):
    """A model of this process, its texts tokenised and its class words known.

    Args:
        given: what the objective gives.
        loaded: the model.
        read: what is read of a batch of prompted texts; see Passes.
    """

    has_gradients = True

    def __init__(self, given: TaskSpec, loaded: Loaded, read: Reader) -> None:
        self.meter = Usage()
        self.given, self.loaded, self.device = given, loaded, loaded.device
        self.dtype = next(loaded.model.parameters()).dtype
        self._out = torch.from_numpy(np.empty(0, given.dtype)).dtype
        self._passes = Passes(loaded, read)
        self.width = self._passes.width
        self.embedding_std = float(self._passes.table.float().std())

    def scores(self, prompts: NDArray, examples: Sequence[NDArray], *, count: bool = True) -> list[NDArray]:
        queries = prompts.shape[1]
        answers: list[NDArray] = []
        with torch.inference_mode():
            groups = [slice(i, i + 1) for i in range(len(examples))] if self.given.cut_at_peers else [slice(None)]
            for group in groups:
                some = torch.from_numpy(np.ascontiguousarray(prompts[group])).to(self.device, self.dtype)
                answers += [part.to("cpu", self._out).numpy() for part in self._scores(some, examples[group])]
        if count:
            sizes = [len(numbers) for numbers in examples]
            self.meter.queries += queries * len(examples)
            self.meter.examples += queries * sum(sizes)
            self.meter.tokens += queries * self._tokens(prompts.shape[2], examples)
        return answers

    def zero_shot(self, examples: NDArray) -> NDArray:
        """Class scores of the bare texts and words, with no prompt at all, shape (b, classes)."""
        return self.scores(np.empty((1, 1, 0, self.width), np.float32), [examples], count=False)[0][0]

    def gradients(
        self, prompts: NDArray, examples: Sequence[NDArray], labels: Sequence[NDArray]
    ) -> tuple[NDArray, NDArray]:
        leaf = torch.from_numpy(np.array(prompts)).to(self.device, self.dtype).requires_grad_()
        targets = [torch.from_numpy(np.asarray(part)).to(self.device) for part in labels]
        with torch.enable_grad():
            scores = self._scores(leaf[:, None], examples)
            parts = zip(scores, targets, strict=True)
            losses = torch.stack([torch.nn.functional.cross_entropy(part[0], target) for part, target in parts])
            (gradient,) = torch.autograd.grad(losses.sum(), leaf)
        return losses.detach().to("cpu", self._out).numpy(), gradient.to("cpu", self._out).numpy()

    def trial(self) -> None:
        """One prompt on the longest text."""
        sizes = [len(text) for text in self.given.examples.texts]
        self.scores(self.prompt[None, None], [np.array([np.argmax(sizes)])], count=False)

    def vocabulary(self) -> Vocabulary:
        return Vocabulary(self.loaded.tokenizer, self._embeddings)

    def _embeddings(self, ids: NDArray[np.int64]) -> NDArray:
        """The embeddings (…, width) of tokens (…)."""
        return self._passes.table[torch.from_numpy(ids).to(self.device)].to("cpu", self._out).numpy().copy()

    @abstractmethod
    def _scores(self, prompts: torch.Tensor, examples: Sequence[NDArray]) -> list[torch.Tensor]:
        """One (q, b, classes) tensor a peer, from prompts (p, q, tokens, width)."""

    @abstractmethod
    def _tokens(self, prompt: int, examples: Sequence[NDArray]) -> int:
        """Tokens through the model for one prompt a peer of `prompt` tokens."""


def pairs(queries: int, examples: Sequence[NDArray]) -> tuple[NDArray, NDArray]:
    """Every prompt of a peer with every example of the peer: numbers of the prompts and of the examples, both (s,)."""
    sizes = [len(numbers) for numbers in examples]
    which = np.concatenate([np.repeat(np.arange(i * queries, (i + 1) * queries), b) for i, b in enumerate(sizes)])
    return which, np.concatenate([np.tile(part, queries) for part in examples])


def by_peer(scores: torch.Tensor, queries: int, examples: Sequence[NDArray]) -> list[torch.Tensor]:
    """Scores (s, classes) of `pairs` as one (q, b, classes) a peer."""
    sizes = [len(numbers) for numbers in examples]
    parts = scores.split([queries * size for size in sizes])
    return [part.view(queries, size, -1) for part, size in zip(parts, sizes, strict=True)]

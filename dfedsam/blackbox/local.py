"""Shared parts of black boxes whose model runs in this process, in torch: batches, usage, gradients, stored vectors."""

from __future__ import annotations

import hashlib
import io
import os
import random
from abc import abstractmethod
from collections.abc import Callable, Sequence
from typing import ClassVar

import numpy as np
import torch
from numpy.typing import NDArray

from dfedsam.blackbox.base import Bill, BlackBox, TaskSpec, Usage
from dfedsam.blackbox.forward import BatchedForward, Contents, Reader
from dfedsam.blackbox.loading import Loaded
from dfedsam.blackbox.tokens import Vocabulary
from dfedsam.errors import OptionError
from dfedsam.phases import report
from dfedsam.whole_files import cache_folder, store

CHUNK = 256  # texts per file


class LocalModel(BlackBox):
    """A model in this process, with tokenised texts and class words; `read` is as for BatchedForward."""

    takes_text_prompts = True
    gives_gradients: ClassVar[bool] = True

    def __init__(self, task: TaskSpec, loaded: Loaded, read: Reader) -> None:
        self.usage = Usage()
        self.task, self.loaded, self.device = task, loaded, loaded.device
        self.dtype = next(loaded.model.parameters()).dtype
        self._out = torch.from_numpy(np.empty(0, task.dtype)).dtype
        self._forward = BatchedForward(loaded, read)
        self.width = self._forward.width
        self.embedding_std = embedding_std(self._forward.embeddings)

    def scores(self, prompts: NDArray, examples: NDArray, *, count: bool = True) -> NDArray:
        peers, queries, tokens = prompts.shape[:3]
        groups = [slice(i, i + 1) for i in range(peers)] if self.task.cut_at_peers else [slice(None)]
        answers: list[NDArray] = []
        with torch.inference_mode():
            for group in groups:
                some = self._tensor(prompts[group])
                answers.append(self._scores(some, examples[group]).to("cpu", self._out).numpy())
        if count:
            self.usage.examples += queries * int((examples >= 0).sum())
            self.usage.tokens += queries * self._tokens(tokens, examples)
        return answers[0] if len(answers) == 1 else np.concatenate(answers)

    def zero_shot(self, examples: NDArray) -> NDArray:
        return self.scores(np.empty((1, 1, 0), np.int64), examples[None], count=False)[0, 0]

    def gradients(self, prompts: NDArray, examples: NDArray, labels: NDArray) -> tuple[NDArray, NDArray]:
        leaf = self._tensor(np.array(prompts)).requires_grad_()
        counts = (examples >= 0).sum(axis=1).tolist()
        targets = torch.from_numpy(np.asarray(labels)).to(self.device)
        with torch.enable_grad():
            scores = self._scores(leaf[:, None], examples)[:, 0]
            losses = torch.stack(
                [
                    torch.nn.functional.cross_entropy(row[:count], target[:count])
                    for row, target, count in zip(scores, targets, counts, strict=True)
                ]
            )
            (gradient,) = torch.autograd.grad(losses.sum(), leaf)
        return losses.detach().to("cpu", self._out).numpy(), gradient.to("cpu", self._out).numpy()

    def preflight(self, prompt: NDArray) -> None:
        sizes = [len(text) for text in self.task.examples.texts]
        self.scores(prompt[None, None], np.array([[np.argmax(sizes)]]), count=False)

    def rehearse(self, bill: Bill) -> None:
        rng, classes = np.random.default_rng(0), len(self.task.words)

        def scores(prompts: torch.Tensor, examples: NDArray) -> torch.Tensor:
            bill.prompt_tokens += prompts.shape[1] * self._tokens(prompts.shape[2], examples)
            random = rng.standard_normal((*prompts.shape[:2], examples.shape[1], classes))
            return torch.from_numpy(random).to(self.device) + 0 * prompts.sum()  # so that it has a gradient

        self._scores = scores

    def vocabulary(self) -> Vocabulary:
        return Vocabulary(self.loaded.tokenizer, self._embeddings)

    def _embeddings(self, ids: NDArray[np.int64]) -> NDArray:
        """Embeddings (…, width) of tokens (…), from the model's own module."""
        known = self._forward.embeddings.weight.shape[0]
        if ids.max(initial=0) >= known:
            rule = f"must embed all tokens of its tokenizer, but token {ids.max()} is beyond its {known} embeddings"
            raise OptionError("model", self.task.model, rule)
        with torch.no_grad():
            rows = self._forward.embeddings(torch.from_numpy(ids).to(self.device))
        return rows.to("cpu", self._out).numpy().copy()

    def _tensor(self, prompts: NDArray) -> torch.Tensor:
        """Prompts on the model's device, soft ones in its type."""
        rows = torch.from_numpy(np.ascontiguousarray(prompts)).to(self.device)
        return rows.to(self.dtype) if rows.is_floating_point() else rows

    @abstractmethod
    def _scores(self, prompts: torch.Tensor, examples: NDArray) -> torch.Tensor:
        """Scores (p, q, b, classes) of prompts (p, q, tokens, width) or (p, q, tokens) on examples (p, b)."""

    @abstractmethod
    def _tokens(self, prompt: int, examples: NDArray) -> int:
        """Number of tokens processed for one prompt of `prompt` tokens per peer."""


def pairs(queries: int, examples: NDArray) -> tuple[NDArray, NDArray, NDArray[np.bool_]]:
    """Pair each of a peer's q prompts with each of its examples (peers, b), padded with −1, as s sequences.

    Returns:
        Prompt ids (s,), of the peers' prompts one after the other; example ids (s,); and where each sequence stands in
        an array (peers, q, b), as a mask.
    """
    mask = np.broadcast_to((examples >= 0)[:, None], (len(examples), queries, examples.shape[1]))
    peers, prompts, columns = np.nonzero(mask)
    return peers * queries + prompts, examples[peers, columns], mask


def by_peer(scores: torch.Tensor, mask: NDArray[np.bool_]) -> torch.Tensor:
    """Scores (s, classes) of `pairs` at their places, shape (peers, q, b, classes)."""
    if mask.all():
        return scores.view(*mask.shape, -1)
    whole = scores.new_zeros((*mask.shape, scores.shape[-1]))
    whole[torch.from_numpy(np.array(mask)).to(scores.device)] = scores
    return whole


def cosine_scores(
    forward: BatchedForward,
    words: Contents,
    prompts: torch.Tensor,
    vectors: torch.Tensor,
    examples: NDArray,
    scale: float,
) -> torch.Tensor:
    """Scaled cosines of examples' vectors with those of each prompt's class words, shape (peers, q, b, classes).

    Args:
        forward: gives unit vectors of prompted words.
        words: the class words.
        prompts: shape (peers, q, tokens, width) or (peers, q, tokens).
        vectors: unit vectors of all examples, shape (n, width).
        examples: example indices (peers, b), padded with −1.
        scale: factor of the cosines.
    """
    peers, queries = prompts.shape[:2]
    classes, prompt_ids = len(words.ids), np.arange(peers * queries)
    word_ids = np.tile(np.arange(classes), len(prompt_ids))
    own_words = forward(words, prompts.flatten(0, 1), np.repeat(prompt_ids, classes), word_ids)
    whole = own_words.new_zeros((peers, queries, examples.shape[1], classes))
    for i, peer_words in enumerate(own_words.view(peers, queries * classes, -1)):
        rows = torch.from_numpy(examples[i][examples[i] >= 0]).to(vectors.device)
        products = scale * (vectors[rows] @ peer_words.T)  # separate for each peer, so that no bit depends on others
        products = products.view(len(rows), queries, classes)
        whole[i, :, : len(rows)] = products.transpose(0, 1)
    return whole


def embedding_std(embeddings: torch.nn.Module) -> float:
    """Standard deviation of the entries of a model's token embeddings, including the scale of some models."""
    table: torch.Tensor = embeddings.weight  # type: ignore[assignment]
    ids = torch.arange(min(len(table), 256), device=table.device)
    with torch.no_grad():
        scaled, bare = embeddings(ids).float(), table[ids].float()
    factor = 1.0 if torch.equal(scaled, bare) else float(scaled.std() / bare.std())
    return float(table.float().std()) * factor


def cached_vectors(identity: str, ids: Sequence[Sequence[int]], embed: Callable[[NDArray], NDArray]) -> NDArray:
    """The vectors of all texts, shape (texts, width), from the cache if stored; missing ones are computed and stored.

    Texts are taken in order of their length, CHUNK at a time, and each chunk is a file. The chunks are visited in a
    random order: processes that start together compute different ones and read each other's.

    Args:
        identity: everything that the vectors depend on except the texts: weights, precision, versions.
        ids: the texts' token ids.
        embed: function that returns the vectors (k, width) of the texts with these indices (k,).
    """
    order = np.array(sorted(range(len(ids)), key=lambda i: (len(ids[i]), ids[i])))
    chunks = [order[i : i + CHUNK] for i in range(0, len(order), CHUNK)]
    vectors, done = dict[int, NDArray](), 0
    for number in random.Random(os.getpid()).sample(range(len(chunks)), len(chunks)):
        report("embedding texts", done, len(ids))
        vectors[number] = _chunk(identity, chunks[number], ids, embed)
        done += len(chunks[number])
    report("embedding texts", done, len(ids))
    return np.concatenate([vectors[number] for number in range(len(chunks))])[np.argsort(order)]


def _chunk(identity: str, texts: NDArray, ids: Sequence[Sequence[int]], embed: Callable[[NDArray], NDArray]) -> NDArray:
    name = hashlib.sha256(repr((identity, [list(ids[i]) for i in texts])).encode()).hexdigest()[:32]
    path = cache_folder() / "vectors" / f"{name}.npy"
    try:
        vectors = np.load(path)
        if len(vectors) == len(texts):
            return vectors
    except (OSError, ValueError, EOFError):
        pass
    vectors = embed(texts)
    file = io.BytesIO()
    np.save(file, vectors)
    store(path, file.getvalue())
    return vectors

"""A sentence encoder as a black-box classifier: class scores are scaled cosines of text vectors and word vectors.

The soft prompt is set either before the class words ("words"), whose vectors are then compared with the examples', or
before the examples' texts ("text"), as in BBT (Sun et al., 2022) and FedBPT (Sun et al., 2024). The side without the
prompt is embedded once.
"""

from collections.abc import Sequence

import numpy as np
import torch
import transformers
from numpy.typing import NDArray

from dfedsam.blackbox import models
from dfedsam.blackbox.base import TaskSpec
from dfedsam.blackbox.local import LocalBox, by_peer, pairs
from dfedsam.blackbox.passes import Contents
from dfedsam.blackbox.sentence_folder import pooled
from dfedsam.blackbox.store import stored
from dfedsam.blackbox.texts import repeated, specials

MODES = ("words", "text")


class DualEncoderBox(LocalBox):
    """A sentence encoder with the texts and the class words loaded.

    Args:
        given: what the objective gives.
        dtype: type of the weights.
        device: where the model runs.

    Raises:
        ValueError: if the model cannot be loaded, a word or the prompt has no tokens, or the prompt leaves no room.
    """

    def __init__(self, given: TaskSpec, *, dtype: torch.dtype, device: torch.device) -> None:
        loaded = models.load(given.model, dtype, where=device)
        assert loaded.sentences is not None
        self._pooling = loaded.sentences.pooling
        self._dense = [
            (matrix.to(device, dtype), None if bias is None else bias.to(device, dtype), activation)
            for matrix, bias, activation in loaded.sentences.dense
        ]
        super().__init__(given, loaded, self._pool)
        self.mode, self.scale, self.reads_texts = given.mode, given.scale, given.mode == "text"
        tokenizer = self.loaded.tokenizer
        before, after = specials(tokenizer)
        ids = repeated(tokenizer(given.prompt, add_special_tokens=False).input_ids, given.prompt_tokens)
        around = len(before) + len(after)
        room = self.loaded.reads - len(ids) - around
        if not ids or room < 1:
            reason = f"is {len(ids)} tokens long and leaves no room for a text" if ids else "has no tokens"
            raise ValueError(
                f"prompt is {given.prompt}: to the model {given.model} it {reason}; give one or a few words"
            )
        self.prompt = self._embeddings(np.array(ids))

        # Where the folder or its tokenizer asks for shorter texts than the model reads, the prompt comes on top of them
        asked = max(min(loaded.sentences.reads or tokenizer.model_max_length, tokenizer.model_max_length) - around, 1)

        def contents(texts: Sequence[str]) -> Contents:
            most = min(given.max_tokens, room, asked)
            bare = tokenizer(list(texts), add_special_tokens=False, truncation=True, max_length=most).input_ids
            own = [[*before, *text, *after] for text in bare]
            return Contents(own, np.array([len(text) for text in own]), np.full(len(own), len(before)))

        word_contents = contents(given.words)
        if any(length == around for length in word_contents.lengths):
            raise ValueError(f"words is {', '.join(given.words)}: the model's tokenizer finds nothing in one of them")
        text_contents = contents(given.examples.texts)
        # What goes through the model with a prompt, and the vectors of what goes without
        self._prompted, bare = (
            (word_contents, text_contents) if self.mode == "words" else (text_contents, word_contents)
        )
        identity = f"{self.loaded.fingerprint} {self._pooling} {self.dtype} {self.device.type} "
        identity += f"{torch.__version__} {transformers.__version__} {torch.get_num_threads()}"
        self._bare = torch.from_numpy(stored(identity, bare.ids, lambda part: self._embed(bare, part)))
        self._bare = self._bare.to(self.device, self.dtype)

    def notes(self) -> dict[str, str]:
        place = "class words" if self.mode == "words" else "text"
        return {
            "mode": self.mode,
            "scale": repr(self.scale),
            "template": "{prompt} {word}" if self.mode == "words" else "{prompt} {text}",
            "how_to_use": (
                f"Insert the rows of `prompt` as input embeddings after the leading special token, before the {place}. "
                "The class is the word whose vector has the greatest cosine with the text's."
            ),
        }

    def bare_vectors(self) -> NDArray:
        """Unit vectors of the side without the prompt, in mode "words" of all examples: shape (n, width)."""
        return self._bare.to("cpu", self._out).numpy()

    def _scores(self, prompts: torch.Tensor, examples: Sequence[NDArray]) -> list[torch.Tensor]:
        """One (q, b, classes) tensor a peer, from prompts (p, q, tokens, width)."""
        peers, queries = prompts.shape[:2]
        flat, words = prompts.flatten(0, 1), len(self.given.words)
        if self.mode == "words":
            which = np.arange(peers * queries)
            vectors = self._passes.run(
                self._prompted, flat, np.repeat(which, words), np.tile(np.arange(words), len(which))
            ).view(peers, queries * words, -1)
            return [
                (self.scale * (self._bare[numbers] @ own.T)).view(len(numbers), queries, words).transpose(0, 1)
                for own, numbers in zip(vectors, map(self._index, examples), strict=True)
            ]
        scores = self.scale * (self._passes.run(self._prompted, flat, *pairs(queries, examples)) @ self._bare.T)
        return by_peer(scores, queries, examples)

    def _pool(
        self, inputs: torch.Tensor, mask: torch.Tensor | None, numbers: NDArray, lengths: NDArray
    ) -> torch.Tensor:
        """Unit vectors (s, width)."""
        hidden = self.loaded.model(
            inputs_embeds=inputs, attention_mask=None if mask is None else mask.to(inputs.dtype)
        ).last_hidden_state
        vectors = pooled(hidden, mask, self._index(lengths), self._pooling)
        for matrix, bias, activation in self._dense:
            vectors = activation(torch.nn.functional.linear(vectors, matrix, bias))
        return torch.nn.functional.normalize(vectors, dim=1)

    def _index(self, numbers: NDArray) -> torch.Tensor:
        return torch.from_numpy(numbers).to(self.device)

    def _tokens(self, prompt: int, examples: Sequence[NDArray]) -> int:
        lengths = self._prompted.lengths + prompt
        if self.mode == "words":
            return len(examples) * int(lengths.sum())
        return sum(int(lengths[numbers].sum()) for numbers in examples)

    def _embed(self, contents: Contents, part: NDArray) -> NDArray:
        none = torch.empty((1, 0, self.width), dtype=self.dtype, device=self.device)
        with torch.inference_mode():
            return self._passes.run(contents, none, np.zeros_like(part), part).to("cpu", self._out).numpy()

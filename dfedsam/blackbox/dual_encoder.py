"""A sentence encoder as a black-box classifier: class scores are scaled cosines of text vectors and word vectors.

The soft prompt is inserted either before the class words ("words"), whose vectors are then compared with the examples',
or before the examples' texts ("text"), as in BBT (Sun et al., 2022) and FedBPT (Sun et al., 2024). The side without the
prompt is embedded once.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
import transformers
from numpy.typing import NDArray

from dfedsam.blackbox.base import Mode, TaskSpec
from dfedsam.blackbox.forward import Contents, model_input
from dfedsam.blackbox.loading import load
from dfedsam.blackbox.local import LocalModel, by_peer, cached_vectors, cosine_scores, pairs
from dfedsam.blackbox.tokens import bare_tokens, prompt_tokens, special_tokens
from dfedsam.errors import OptionError


class DualEncoder(LocalModel):
    """A sentence encoder with texts and class words loaded; its options are those of `DualEncoderConfig` and `load`.

    Raises:
        OptionError: if the model cannot be loaded, a word or the prompt has no tokens, or the prompt leaves no room.
    """

    def __init__(self, task: TaskSpec, *, mode: Mode = "words", scale: float = 20.0, **loading: Any) -> None:
        super().__init__(task, load(task.model, **loading), self._pool)
        self.mode, self.scale, self.reads_texts = mode, scale, mode == "text"
        self._normalizes = type(self.loaded.encoder[-1]).__name__ == "Normalize"
        tokenizer = self.loaded.tokenizer
        ids = prompt_tokens(tokenizer, task, after_word=False)
        self.prompt, self.prompt_tokens = self._embeddings(ids), len(ids)
        around = sum(map(len, special_tokens(tokenizer)))
        room = self.loaded.max_tokens - len(ids) - around
        if room < 1:
            rule = (
                f"must leave room for a text: to the model {task.model} it is {len(ids)} tokens long and leaves no room"
            )
            raise OptionError("prompt", task.prompt, rule, "give a few words")
        # If the folder or its tokenizer limits texts below the model's limit, the prompt is not part of that limit
        limit = min(self.loaded.encoder.max_seq_length or tokenizer.model_max_length, tokenizer.model_max_length)
        self._most = min(task.max_tokens, room, max(limit - around, 1))
        words, texts = self._contents(task.words), self._contents(task.examples.texts)
        if words.lengths.min() == around:
            rule = "must have tokens: the model's tokenizer finds nothing in one of them"
            raise OptionError("words", ", ".join(task.words), rule)
        # The side that gets the prompt, where it is also read without one, and the vectors of the other side
        self._unprompted, bare = (words, texts) if mode == "words" else (texts, words)
        self._prompted = self._contents(task.words if mode == "words" else task.examples.texts, after_word=True)
        identity = f"{self.loaded.fingerprint} {self.loaded.encoder} {self.dtype} {self.device.type} "
        identity += f"{torch.__version__} {transformers.__version__} {torch.get_num_threads()}"
        vectors = cached_vectors(identity, bare.ids, lambda part: self._embed(bare, part))
        self._bare = torch.from_numpy(vectors).to(self.device, self.dtype)

    def model_card(self) -> dict[str, str]:
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

    def _contents(self, texts: Sequence[str], *, after_word: bool = False) -> Contents:
        """Tokenise texts as at the start of an input or, if `after_word`, as after the prompt."""
        before, after = special_tokens(self.loaded.tokenizer)
        texts = [f" {text}" for text in texts] if after_word else texts
        bare = bare_tokens(self.loaded.tokenizer, texts, after_word=after_word)
        ids = [[*before, *one[: self._most], *after] for one in bare]
        return Contents(ids, np.array([len(one) for one in ids]), np.full(len(ids), len(before)))

    def _scores(self, prompts: torch.Tensor, examples: NDArray) -> torch.Tensor:
        contents = self._prompted if prompts.shape[2] else self._unprompted
        if self.mode == "text":
            prompt_ids, text_ids, mask = pairs(prompts.shape[1], examples)
            vectors = self._forward(contents, prompts.flatten(0, 1), prompt_ids, text_ids)
            return by_peer(self.scale * (vectors @ self._bare.T), mask)
        return cosine_scores(self._forward, contents, prompts, self._bare, examples, self.scale)

    def _pool(
        self, inputs: torch.Tensor, mask: torch.Tensor | None, text_ids: NDArray, lengths: NDArray
    ) -> torch.Tensor:
        """Unit vectors (s, width), pooled as configured in the encoder's folder."""
        attend = {} if mask is None else {"attention_mask": mask.to(torch.long)}
        vectors = self.loaded.encoder(model_input(inputs) | attend)["sentence_embedding"]
        return vectors if self._normalizes else torch.nn.functional.normalize(vectors, dim=1)

    def _tokens(self, prompt: int, examples: NDArray) -> int:
        lengths = self._prompted.lengths + prompt
        if self.mode == "words":
            return len(examples) * int(lengths.sum())
        return int(lengths[examples[examples >= 0]].sum())

    def _embed(self, contents: Contents, part: NDArray) -> NDArray:
        none = torch.empty((1, 0), dtype=torch.long, device=self.device)
        with torch.inference_mode():
            return self._forward(contents, none, np.zeros_like(part), part).to("cpu", self._out).numpy()

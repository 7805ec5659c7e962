"""CLIP as a black-box classifier of images: class scores are its scaled cosines of an image's vector with the words'.

The soft prompt is set before the class words, as in CoOp (Zhou et al., IJCV 2022), so that images pass through the
model once; or it is a frame of pixels that is added to every image (Bahng et al. 2022, "Exploring visual prompts"), so
that the words do.
"""

import hashlib
import io
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch
import transformers
from numpy.typing import NDArray

from dfedsam.blackbox import models
from dfedsam.blackbox.base import TaskSpec
from dfedsam.blackbox.local import LocalBox, by_peer, pairs
from dfedsam.blackbox.passes import Contents
from dfedsam.blackbox.store import stored
from dfedsam.blackbox.texts import repeated, specials


class ImageTextBox(LocalBox):
    """CLIP with the images and the class words loaded.

    Args:
        given: what the objective gives; its examples have images.
        frame: width of the frame of pixels; 0: the prompt is set before the class words.
        dtype: type of the weights.
        device: where the model runs.

    Raises:
        ValueError: if the model cannot be loaded, an image cannot be read, a word or the prompt has no tokens or leaves
            no room, or the frame fills the image.
    """

    def __init__(self, given: TaskSpec, *, frame: int, dtype: torch.dtype, device: torch.device) -> None:
        loaded = models.load(given.model, dtype, models.IMAGE_TEXT, device)
        self._clip = loaded.model
        super().__init__(given, replace(loaded, model=loaded.model.text_model), self._pool)
        self.scale = float(self._clip.logit_scale.exp())
        self.frame, self.reads_texts = frame, frame > 0
        vision = self._clip.config.vision_config
        self._size, self._patches = vision.image_size, (vision.image_size // vision.patch_size) ** 2 + 1
        self._words = self._word_contents(given)
        if frame:
            self._set_frame()
        pixels = _pixels(given, self._size)
        if frame:
            self._pixels = pixels.to(device, dtype)
            none = torch.empty((1, 0, self.width), dtype=dtype, device=device)
            with torch.inference_mode():
                numbers = np.arange(len(given.words))
                bare = self._passes.run(self._words, none, np.zeros_like(numbers), numbers)
            self._bare = bare.clone()  # what inference mode has made takes part in no gradient
            return
        identity = f"{loaded.fingerprint} {dtype} {device.type} {torch.__version__} {transformers.__version__} "
        identity += str(torch.get_num_threads())
        names = [list(hashlib.sha256(one).digest()) for one in given.examples.images]

        def embed(part: NDArray) -> NDArray:
            with torch.inference_mode():
                return self._see(pixels, part).to("cpu", self._out).numpy()

        self._bare = torch.from_numpy(stored(identity, names, embed)).to(device, dtype)

    def zero_shot(self, examples: NDArray) -> NDArray:
        """Class scores of the bare images and words, shape (b, classes)."""
        prompt = self.prompt if self.frame else np.empty((0, self.width), np.float32)
        return self.scores(prompt[None, None], [examples], count=False)[0][0]

    def notes(self) -> dict[str, str]:
        most = "The class is the word whose vector has the greatest cosine with the image's."
        if not self.frame:
            how = "Insert the rows of `prompt` as input embeddings after the leading special token, before the word."
            return {"template": "{prompt} {word}", "how_to_use": f"{how} {most}"}
        how = f"Add `prompt`, a row a colour, to the outer {self.frame} pixels of the normalised image, line by line."
        return {"frame": str(self.frame), "how_to_use": f"{how} {most}"}

    def _word_contents(self, given: TaskSpec) -> Contents:
        """The class words' tokens; the soft prompt before them is made too."""
        tokenizer = self.loaded.tokenizer
        before, after = specials(tokenizer)
        ids = repeated(tokenizer(given.prompt, add_special_tokens=False).input_ids, given.prompt_tokens)
        if not ids:
            raise ValueError(f"prompt is {given.prompt}: to the model {given.model} it has no tokens; give some words")
        self.prompt = self._passes.table[torch.tensor(ids)].to("cpu", self._out).numpy().copy()
        own = [[*before, *tokenizer(word, add_special_tokens=False).input_ids, *after] for word in given.words]
        lengths = np.array([len(word) for word in own])
        if lengths.min() == len(before) + len(after):
            raise ValueError(f"words is {', '.join(given.words)}: the model's tokenizer finds nothing in one of them")
        if not self.frame and lengths.max() + len(ids) > self.loaded.reads:
            raise ValueError(
                f"prompt_tokens is {len(ids)}: with the longest class word's {lengths.max()} tokens it must be at most "
                f"the {self.loaded.reads} that the model reads; lower it"
            )
        return Contents(own, lengths, np.full(len(own), len(before)))

    def _set_frame(self) -> None:
        """The frame's places among the pixels, and the frame to start from, which changes nothing."""
        if 2 * self.frame >= self._size:
            raise ValueError(
                f"frame is {self.frame}: it must be less than half of the model's {self._size} pixels, so that "
                "something of the image is left"
            )
        outer = np.ones((self._size, self._size), bool)
        outer[self.frame : -self.frame, self.frame : -self.frame] = False
        self._outer = torch.from_numpy(np.flatnonzero(outer)).to(self.device)
        self.prompt = np.zeros((3, len(self._outer)), self.given.dtype)
        self.embedding_std = 1.0  # that of normalised pixels

    def _scores(self, prompts: torch.Tensor, examples: Sequence[NDArray]) -> list[torch.Tensor]:
        """One (q, b, classes) tensor a peer, from prompts (p, q, tokens, width)."""
        peers, queries = prompts.shape[:2]
        flat, words = prompts.flatten(0, 1), len(self.given.words)
        if self.frame:
            which, numbers = pairs(queries, examples)
            return by_peer(self.scale * self._see(self._pixels, numbers, flat, which) @ self._bare.T, queries, examples)
        which = np.arange(peers * queries)
        vectors = self._passes.run(
            self._words, flat, np.repeat(which, words), np.tile(np.arange(words), len(which))
        ).view(peers, queries * words, -1)
        return [
            (self.scale * (self._bare[torch.from_numpy(numbers).to(self.device)] @ own.T))
            .view(len(numbers), queries, words)
            .transpose(0, 1)
            for own, numbers in zip(vectors, examples, strict=True)
        ]

    def _see(
        self, pixels: torch.Tensor, numbers: NDArray, frames: torch.Tensor | None = None, which: NDArray | None = None
    ) -> torch.Tensor:
        """Unit vectors (s, width) of images, each with one of the frames (m, 3, pixels) where there are any."""

        def run(some: NDArray) -> torch.Tensor:
            images = pixels[torch.from_numpy(numbers[some]).to(pixels.device)].to(self.device, self.dtype)
            if frames is not None and which is not None:
                whole = torch.zeros((len(some), 3, self._size**2), dtype=self.dtype, device=self.device)
                own = frames[torch.from_numpy(which[some]).to(self.device)]
                images = images + whole.index_copy(2, self._outer, own).view_as(images)
            seen = self._clip.vision_model(pixel_values=images).pooler_output
            return torch.nn.functional.normalize(self._clip.visual_projection(seen), dim=1)

        costs = np.full(len(numbers), self._patches)
        return self._passes.batches.over(np.zeros(len(numbers), np.int64), costs, run)

    def _pool(
        self, inputs: torch.Tensor, mask: torch.Tensor | None, numbers: NDArray, lengths: NDArray
    ) -> torch.Tensor:
        """Unit vectors (s, width) of prompted words: CLIP's text half takes no embeddings, so they are put in."""
        ids = torch.zeros(inputs.shape[:2], dtype=torch.long, device=self.device)
        hook = self._passes.embeddings.register_forward_hook(lambda *_: inputs)
        try:
            hidden = self.loaded.model(
                input_ids=ids, attention_mask=None if mask is None else mask.to(torch.long)
            ).last_hidden_state
        finally:
            hook.remove()
        ends = hidden[torch.arange(len(hidden), device=self.device), torch.from_numpy(lengths - 1).to(self.device)]
        return torch.nn.functional.normalize(self._clip.text_projection(ends), dim=1)

    def _tokens(self, prompt: int, examples: Sequence[NDArray]) -> int:
        if self.frame:
            return self._patches * sum(map(len, examples))
        return len(examples) * int((self._words.lengths + prompt).sum())


def _pixels(given: TaskSpec, size: int) -> torch.Tensor:
    """The images as the model's own processor makes them, shape (n, 3, size, size)."""
    import PIL.Image

    processor = transformers.AutoImageProcessor.from_pretrained(models.locate(given.model))
    made = []
    for row, content in enumerate(given.examples.images, start=1):
        try:
            image = PIL.Image.open(io.BytesIO(content)).convert("RGB")
        except (OSError, ValueError) as error:
            raise ValueError(
                f"data has an image that cannot be read, the {row}. ({error}); mend or remove it"
            ) from None
        made.append(processor(images=image, return_tensors="pt").pixel_values[0])
    pixels = torch.stack(made)
    if pixels.shape[2:] != (size, size):
        raise ValueError(
            f"model is {given.model}: its processor makes images of {pixels.shape[2]} × {pixels.shape[3]} pixels, and "
            f"it sees {size} × {size}; mend its preprocessor_config.json"
        )
    return pixels

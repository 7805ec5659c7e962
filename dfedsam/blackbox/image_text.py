"""CLIP and SigLIP as classifiers of images: class scores are scaled cosines of an image's vector with the words'.

The soft prompt is inserted before the class words, as in CoOp (Zhou et al., IJCV 2022), so that images pass through the
model once; or it is a frame of pixels that is added to every image (Bahng et al. 2022, "Exploring visual prompts"), so
that the words pass through the model once.
"""

from __future__ import annotations

import hashlib
import io
from dataclasses import replace
from typing import Any

import numpy as np
import torch
import transformers
from numpy.typing import NDArray

from dfedsam.blackbox.base import TaskSpec
from dfedsam.blackbox.forward import Contents
from dfedsam.blackbox.loading import IMAGE_TEXT, load
from dfedsam.blackbox.local import LocalModel, by_peer, cached_vectors, cosine_scores, pairs
from dfedsam.blackbox.locate import locate
from dfedsam.blackbox.tokens import bare_tokens, prompt_tokens, special_tokens
from dfedsam.errors import OptionError


class ImageText(LocalModel):
    """CLIP or SigLIP with the images and the class words loaded; options are those of `ImageTextConfig` and `load`.

    SigLIP reads words padded to its full length and has no projections; its bias is the same for all classes.

    Raises:
        OptionError: if the model cannot be loaded, an image cannot be read, a word or the prompt has no tokens or
            leaves no room, or the frame fills the image.
    """

    def __init__(self, task: TaskSpec, *, frame: int, **loading: Any) -> None:
        loaded = load(task.model, kind=IMAGE_TEXT, **loading)
        self._both, device, dtype = loaded.model, loaded.device, loading["dtype"]
        super().__init__(task, replace(loaded, model=loaded.model.text_model), self._pool)
        self._pads = not hasattr(self._both, "text_projection")
        self.scale = float(self._both.logit_scale.exp())
        self.frame, self.reads_texts, self.takes_text_prompts = frame, frame > 0, not frame
        vision = self._both.config.vision_config
        self._size, self._patches = vision.image_size, (vision.image_size // vision.patch_size) ** 2 + 1
        words = prompt_tokens(self.loaded.tokenizer, task, after_word=False)
        self.prompt, self.prompt_tokens = self._embeddings(words), len(words)
        self._words = self._word_contents(task, 0 if frame else len(words))
        self._bare_words = self._word_contents(task, 0)
        if frame:
            self._set_frame()
        pixels = _pixels(task, self._size)
        if frame:
            self._pixels = pixels.to(device, dtype)
            none = torch.empty((1, 0), dtype=torch.long, device=device)
            with torch.inference_mode():
                numbers = np.arange(len(task.words))
                bare = self._forward(self._words, none, np.zeros_like(numbers), numbers)
            self._bare = bare.clone()  # tensors made in inference mode cannot be part of a gradient
            return
        identity = f"{loaded.fingerprint} {dtype} {device.type} {torch.__version__} {transformers.__version__} "
        identity += str(torch.get_num_threads())
        names = [list(hashlib.sha256(one).digest()) for one in task.examples.images]

        def embed(part: NDArray) -> NDArray:
            with torch.inference_mode():
                return self._see(pixels, part).to("cpu", self._out).numpy()

        self._bare = torch.from_numpy(cached_vectors(identity, names, embed)).to(device, dtype)

    def zero_shot(self, examples: NDArray) -> NDArray:
        prompt = self.prompt if self.frame else np.empty(0, np.int64)
        return self.scores(prompt[None, None], examples[None], count=False)[0, 0]

    def model_card(self) -> dict[str, str]:
        most = "The class is the word whose vector has the greatest cosine with the image's."
        if not self.frame:
            how = "Insert the rows of `prompt` as input embeddings after the leading special token, before the word."
            return {"template": "{prompt} {word}", "how_to_use": f"{how} {most}"}
        how = f"Add `prompt`, a row per colour, to the outer {self.frame} pixels of the normalised image, line by line."
        return {"frame": str(self.frame), "how_to_use": f"{how} {most}"}

    def _word_contents(self, task: TaskSpec, prompt: int) -> Contents:
        """Tokenise the class words, for a prompt of so many tokens before them."""
        tokenizer = self.loaded.tokenizer
        before, after = special_tokens(tokenizer)
        ids = [[*before, *word, *after] for word in bare_tokens(tokenizer, task.words)]
        lengths = np.array([len(word) for word in ids])
        if lengths.min() == len(before) + len(after):
            rule = "must have tokens: the model's tokenizer finds nothing in one of them"
            raise OptionError("words", ", ".join(task.words), rule)
        reads = self.loaded.max_tokens
        if lengths.max() + prompt > reads:
            rule = f"must be, with the longest class word's {lengths.max()} tokens, at most the model's {reads}"
            raise OptionError("prompt_tokens", prompt, rule, "lower it")
        if self._pads:
            ids = [[*word, *[tokenizer.pad_token_id] * (reads - prompt - len(word))] for word in ids]
            lengths[:] = reads - prompt
        return Contents(ids, lengths, np.full(len(ids), len(before)))

    def _set_frame(self) -> None:
        """The indices of the frame's pixels, and the initial frame, which changes nothing."""
        if 2 * self.frame >= self._size:
            rule = f"must be less than half of the model's {self._size} pixels, so that part of the image remains"
            raise OptionError("frame", self.frame, rule)
        outer = np.ones((self._size, self._size), bool)
        outer[self.frame : -self.frame, self.frame : -self.frame] = False
        self._outer = torch.from_numpy(np.flatnonzero(outer)).to(self.device)
        self.prompt = np.zeros((3, len(self._outer)), self.task.dtype)
        self.embedding_std = 1.0  # that of normalised pixels

    def _scores(self, prompts: torch.Tensor, examples: NDArray) -> torch.Tensor:
        if self.frame:
            prompt_ids, image_ids, mask = pairs(prompts.shape[1], examples)
            vectors = self._see(self._pixels, image_ids, prompts.flatten(0, 1), prompt_ids)
            return by_peer(self.scale * vectors @ self._bare.T, mask)
        contents = self._words if prompts.shape[2] else self._bare_words
        return cosine_scores(self._forward, contents, prompts, self._bare, examples, self.scale)

    def _see(
        self,
        pixels: torch.Tensor,
        image_ids: NDArray,
        frames: torch.Tensor | None = None,
        frame_ids: NDArray | None = None,
    ) -> torch.Tensor:
        """Unit vectors (s, width) of images, each with one of the frames (m, 3, pixels), if any."""

        def forward(some: NDArray) -> torch.Tensor:
            images = pixels[torch.from_numpy(image_ids[some]).to(pixels.device)].to(self.device, self.dtype)
            if frames is not None and frame_ids is not None:
                whole = torch.zeros((len(some), 3, self._size**2), dtype=self.dtype, device=self.device)
                prompt_frames = frames[torch.from_numpy(frame_ids[some]).to(self.device)]
                images = images + whole.index_copy(2, self._outer, prompt_frames).view_as(images)
            seen = self._both.vision_model(pixel_values=images).pooler_output
            return torch.nn.functional.normalize(seen if self._pads else self._both.visual_projection(seen), dim=1)

        costs = np.full(len(image_ids), self._patches)
        return self._forward.batches.run(np.zeros(len(image_ids), np.int64), costs, forward)

    def _pool(
        self, inputs: torch.Tensor, mask: torch.Tensor | None, text_ids: NDArray, lengths: NDArray
    ) -> torch.Tensor:
        """Unit vectors (s, width) of prompted words: the text models take no embeddings, so a hook inserts them."""
        ids, hook = inputs, None
        if inputs.is_floating_point():
            ids = torch.zeros(inputs.shape[:2], dtype=torch.long, device=self.device)
            hook = self._forward.embeddings.register_forward_hook(lambda *_: inputs)
        try:
            answer = self.loaded.model(input_ids=ids, attention_mask=None if mask is None else mask.to(torch.long))
        finally:
            if hook:
                hook.remove()
        if self._pads:
            return torch.nn.functional.normalize(answer.pooler_output, dim=1)
        rows, ends = torch.arange(len(ids), device=self.device), torch.from_numpy(lengths - 1).to(self.device)
        return torch.nn.functional.normalize(self._both.text_projection(answer.last_hidden_state[rows, ends]), dim=1)

    def _tokens(self, prompt: int, examples: NDArray) -> int:
        if self.frame:
            return self._patches * int((examples >= 0).sum())
        return len(examples) * int((self._words.lengths + prompt).sum())


def _pixels(task: TaskSpec, size: int) -> torch.Tensor:
    """The images, preprocessed by the model's own processor, shape (n, 3, size, size)."""
    import PIL.Image

    processor = transformers.AutoImageProcessor.from_pretrained(locate(task.model), trust_remote_code=False)
    processed = []
    for row, content in enumerate(task.examples.images, start=1):
        try:
            image = PIL.Image.open(io.BytesIO(content)).convert("RGB")
        except (OSError, ValueError) as error:
            message = f"data has an image that cannot be read, number {row} ({error}); fix or remove it"
            raise ValueError(message) from None
        processed.append(processor(images=image, return_tensors="pt").pixel_values[0])
    pixels = torch.stack(processed)
    if pixels.shape[2:] != (size, size):
        rule = (
            f"must get images of {size} × {size} pixels, but its processor gives {pixels.shape[2]} × {pixels.shape[3]}"
        )
        raise OptionError("model", task.model, rule, "fix its preprocessor_config.json")
    return pixels

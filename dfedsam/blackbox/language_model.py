"""Language models as black-box classifiers: a text in a template, and the label words' logits at one token."""

from __future__ import annotations

import logging
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from dfedsam.blackbox.base import TaskSpec
from dfedsam.blackbox.forward import model_input
from dfedsam.blackbox.loading import MASKED_LM, load
from dfedsam.blackbox.local import LocalModel, by_peer, pairs
from dfedsam.blackbox.templates import MASK, Template
from dfedsam.blackbox.tokens import Filler, label_pieces, label_tokens, prompt_tokens
from dfedsam.errors import OptionError, first_line

_LOG = logging.getLogger(__name__)
HOW_TO_USE = (
    "Insert the rows of `prompt` as input embeddings at {prompt} in the template; the class is the word whose token "
    "has the greatest logit."
)


class LanguageModel(LocalModel):
    """A language model with the examples set in a template; class scores are its logits of the label words.

    Shortcuts (logits of one token only, padding, a causal model's cached keys and values) are checked at loading: two
    texts must get the scores of a plain forward pass. A shortcut that changes them is not used.

    Args:
        task: the classification task.
        template: the template around the text; the prompt's embeddings replace {prompt}.
        kind: the auto class of transformers that loads the model.
        **loading: as for `load`.

    Raises:
        OptionError: if the model cannot be loaded, the label words do not suit it, or the prompt leaves no room.
    """

    def __init__(self, task: TaskSpec, *, template: Template, kind: str, **loading: Any) -> None:
        super().__init__(task, load(task.model, kind=kind, **loading), self._read)
        tokenizer = self.loaded.tokenizer
        if kind == MASKED_LM and tokenizer.mask_token is None:
            raise OptionError("model", task.model, "must have a mask token, but its tokenizer has none")
        self.template = template
        self._ids = prompt_tokens(tokenizer, task, after_word=not template.prompt_first)
        self.prompt, self.prompt_tokens = self._embeddings(self._ids), len(self._ids)
        self._filler = Filler(tokenizer, template, kind == MASKED_LM, tokenizer.mask_token if kind == MASKED_LM else "")
        self._contents = self._filler.fill(task, self.loaded.max_tokens, len(self.prompt))
        labels = self._labels(tokenizer)
        if not task.prompt_tokens:
            label = [] if kind == MASKED_LM else label_pieces(tokenizer, task.words[:1])[0]
            self._filler.compare(task, self._contents, self._ids.tolist(), label)
        self._words = torch.tensor(labels, device=self.device)
        self._trims = True
        known = max(self._contents.ids, key=max)
        self._embeddings(np.array([max(known), int(self._words.max())]))  # checks that all tokens have embeddings
        self._prepare()
        self._verify()

    def _labels(self, tokenizer: Any) -> list[int]:
        """The label words' (first) tokens, in the form they have at the position of the answer."""
        return [ids[0] for ids in label_pieces(tokenizer, self.task.words)]

    def _prepare(self) -> None:
        """Prepare a subclass before its first query."""

    def _scores(self, prompts: torch.Tensor, examples: NDArray) -> torch.Tensor:
        prompt_ids, text_ids, mask = pairs(prompts.shape[1], examples)
        return by_peer(self._forward(self._contents, prompts.flatten(0, 1), prompt_ids, text_ids), mask)

    def _tokens(self, prompt: int, examples: NDArray) -> int:
        return int((self._contents.lengths[examples[examples >= 0]] + prompt).sum())

    def _read(
        self, inputs: torch.Tensor, mask: torch.Tensor | None, text_ids: NDArray, lengths: NDArray
    ) -> torch.Tensor:
        """Logits of the label words at the position of the answer, shape (s, classes)."""
        attend = None if mask is None else mask.to(torch.long)
        return self._logits(self._answers(text_ids, lengths), attention_mask=attend, **model_input(inputs))

    def _answers(self, text_ids: NDArray, lengths: NDArray) -> NDArray:
        """Index of the token whose logits are read in each text, shape (s,); the last one by default."""
        return lengths - 1

    def _logits(self, answers: NDArray, **inputs: Any) -> torch.Tensor:
        """The label words' logits (s, classes) at the tokens `answers` (s,).

        The head's product with the whole vocabulary is the costly part: its input is narrowed to the tokens read.
        """
        at = torch.from_numpy(np.asarray(answers)).to(self.device)
        rows = torch.arange(len(at), device=self.device)
        head = self.loaded.model.get_output_embeddings()
        if not self._trims or head is None:
            return self.loaded.model(**inputs).logits[rows, at][:, self._words]
        hook = head.register_forward_pre_hook(lambda _, arguments: (arguments[0][rows, at][:, None], *arguments[1:]))
        try:
            return self.loaded.model(**inputs).logits[:, 0][:, self._words]
        finally:
            hook.remove()

    def _shortcuts(self) -> dict[str, tuple[object, str]]:
        """The shortcuts: name, the object that uses it, and its boolean attribute."""
        batches = self._forward.batches
        shortcuts: dict[str, tuple[object, str]] = {"logits of one token only": (self, "_trims")}
        return shortcuts | ({"padded batches": (batches, "pads")} if batches.pads else {})

    def _verify(self) -> None:
        """Disable shortcuts that change the scores of a plain forward pass for the shortest or the longest text.

        The initial prompt is given both ways, as embeddings and as tokens.

        Raises:
            OptionError: if the model cannot be run with embeddings as its input.
        """
        texts = np.array([self._contents.lengths.argmin(), self._contents.lengths.argmax()])
        forms = [self._tensor(self.prompt), self._tensor(self._ids)]
        try:
            with torch.inference_mode():
                expected = [torch.stack([self._plain(form, i) for i in texts.tolist()]).float() for form in forms]
        except (RuntimeError, ValueError, TypeError, IndexError) as error:
            reason = first_line(error, 200)
            rule = f"must run on embeddings in {self.dtype}, but fails ({type(error).__name__}: {reason})"
            raise OptionError("model", self.task.model, rule, "choose another model or precision") from None
        shortcuts = self._shortcuts()

        def agree() -> bool:
            return all(self._agrees(form, texts, answer) for form, answer in zip(forms, expected, strict=True))

        if agree():
            return
        for names in [*([name] for name in shortcuts), list(shortcuts)]:
            for name in names:
                setattr(*shortcuts[name], False)
            if agree():
                _LOG.warning(
                    "dfedsam: note: with the model %s, shortcuts that change its scores are not used: %s; it is slower",
                    *(self.task.model, ", ".join(names)),
                )
                return
            for name in names:
                setattr(*shortcuts[name], True)
        raise OptionError("model", self.task.model, "must give the same scores every time, but does not")

    def _agrees(self, prompt: torch.Tensor, texts: NDArray, expected: torch.Tensor) -> bool:
        """Whether two queries of a prompt on these texts get the scores (texts, classes)."""
        prompts = torch.stack([prompt] * 2)[None]
        try:
            with torch.inference_mode():
                scores = self._scores(prompts, texts[None])[0].float()
        except (RuntimeError, ValueError, TypeError, IndexError):
            return False
        allowed = (0.05 if self.dtype == torch.bfloat16 else 1e-3) * max(float(expected.abs().max()), 1e-3)
        return bool(((scores - expected).abs() <= allowed).all())

    def _plain(self, prompt: torch.Tensor, text: int) -> torch.Tensor:
        """The label words' logits (classes,) of a prompt in one text, by a plain forward pass."""
        ids, offset = self._contents.ids[text], int(self._contents.offsets[text])
        rest = self._forward.rows([ids], len(ids), soft=prompt.is_floating_point())
        inputs = torch.cat([rest[:, :offset], prompt[None], rest[:, offset:]], dim=1)
        at = self._answers(np.array([text]), np.array([inputs.shape[1]]))[0]
        return self.loaded.model(**model_input(inputs)).logits[0, at, self._words]

    def model_card(self) -> dict[str, str]:
        return {"template": self.template.text, "how_to_use": HOW_TO_USE}


class MaskedLM(LanguageModel):
    """A masked language model, queried for the token at the template's mask, where its label words are tokenised."""

    def __init__(self, task: TaskSpec, *, template: Template, **loading: Any) -> None:
        super().__init__(task, template=template, kind=MASKED_LM, **loading)

    def _prepare(self) -> None:
        token = self.loaded.tokenizer.mask_token_id
        self._masks = np.array([ids.index(token) for ids in self._contents.ids])
        self._behind = self._masks >= self._contents.offsets

    def _labels(self, tokenizer: Any) -> list[int]:
        before = self.template.text.partition(MASK)[0]
        return label_tokens(tokenizer, self.task.words, after_word=before.endswith((" ", "}")))

    def _answers(self, text_ids: NDArray, lengths: NDArray) -> NDArray:
        prompt = lengths - self._contents.lengths[text_ids]
        return self._masks[text_ids] + prompt * self._behind[text_ids]

"""Editors: models that rewrite text prompts, for searches over prompts. Does not import httpx before it asks."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar

from dfedsam.blackbox.base import Bill
from dfedsam.blackbox.configs import ServiceConfig
from dfedsam.blackbox.templates import FIELD
from dfedsam.errors import BudgetExceeded, OptionError, RunError
from dfedsam.options import Options, at_least, option, whole_number

if TYPE_CHECKING:
    from dfedsam.blackbox.service import Service

Length = Callable[[str], int]


@dataclass(frozen=True)
class Draft:
    """A prompt to rewrite, and another one of the same population.

    The seed is a random number below 2³¹ that tells apart rewritings of the same prompt.
    """

    prompt: str
    other: str
    seed: int


@dataclass(frozen=True, kw_only=True)
class Editor(Options, ABC):
    """Rewrites prompts in words; what it answers must depend on its arguments alone.

    Args:
        rewrites: children that it writes in each local step, in place of random edits, at least 1.
    """

    rewrites: int = option(1, whole_number, 1)

    @property
    def has_budget(self) -> bool:
        """Whether it may raise BudgetExceeded instead of answering."""
        return False

    @abstractmethod
    def rewrite(self, drafts: Sequence[Draft], length: Length) -> list[str]:
        """A text for each draft of a prompt, which may be anything: what is no prompt is not used.

        `length` counts the tokens of a text.
        """

    def tokens(self, draft: Draft, length: Length) -> int:
        """The tokens that it reads for a draft."""
        return length(draft.prompt)

    def rehearsed(self, bill: Bill) -> Editor:
        """An editor that answers at once, and adds to `bill` what this one would cost; itself if that is nothing."""
        return self


@dataclass(frozen=True, kw_only=True)
class ChatEditor(Editor, ServiceConfig):
    """A language model behind any endpoint for chats; its answers are stored, and paid for once.

    Requires pip install "dfedsam[endpoint]".

    Args:
        model: the server's name of the model.
        instruction: the message that asks for a new prompt, with {prompt} and perhaps {other}, another prompt of the
            same population, to be joined with it.
        temperature: of its answers, at least 0.
        max_tokens: length of its answers, at least 1.
    """

    cache_name: ClassVar[str] = "editor.sqlite"
    model: str
    instruction: str = (
        "Rewrite this prompt in other words, about as long. Answer with the new prompt alone, without quotes.\n\n"
        "{prompt}"
    )
    temperature: float = option(1.0, at_least, 0)
    max_tokens: int = option(64, whole_number, 1)

    def __post_init__(self) -> None:
        super().__post_init__()
        fields = FIELD.findall(self.instruction)
        if fields.count("{prompt}") != 1 or set(fields) - {"{prompt}", "{other}"}:
            rule = "must have {prompt} once, and no other field than {other}"
            raise OptionError("instruction", self.instruction, rule)

    @property
    def has_budget(self) -> bool:
        return self.budget_requests + self.budget_tokens > 0

    def rewrite(self, drafts: Sequence[Draft], length: Length) -> list[str]:
        from dfedsam.blackbox.service import message

        def ask(i: int) -> str:
            text = self._message(drafts[i])
            body: dict[str, Any] = {"model": self.model, "messages": [{"role": "user", "content": text}]}
            body |= {"temperature": self.temperature, "max_tokens": self.max_tokens}
            body |= {"seed": drafts[i].seed} if self.temperature else {}
            key = self._service.cache.key([self._service.url, "rewrite", body])
            tokens = self.tokens(drafts[i], length)
            return self._service.answer(key, "/chat/completions", lambda: body, tokens, message)

        try:
            return self._service.all(ask, len(drafts))
        except BudgetExceeded as error:
            raise BudgetExceeded(f"algorithm.editor.{error}") from None
        except RunError as error:
            raise RunError(f"algorithm.editor.{error}") from None

    def rehearsed(self, bill: Bill) -> Editor:
        return _Rehearsed(rewrites=self.rewrites, editor=self, bill=bill)

    def tokens(self, draft: Draft, length: Length) -> int:
        return length(self._message(draft))

    def _message(self, draft: Draft) -> str:
        texts = {"{prompt}": draft.prompt, "{other}": draft.other}
        return FIELD.sub(lambda field: texts[field[0]], self.instruction)

    @cached_property
    def _service(self) -> Service:
        try:
            from dfedsam.blackbox.service import Service
        except ImportError as error:
            rule = f"needs the package {error.name}"
            raise OptionError("algorithm.editor", "chat_editor", rule, 'pip install "dfedsam[endpoint]"') from None
        return Service(self, optional=("seed", "temperature"), renamed={"max_tokens": "max_completion_tokens"})


@dataclass(frozen=True, kw_only=True)
class _Rehearsed(Editor):
    """Answers with the prompt itself."""

    editor: ChatEditor
    bill: Bill

    def rewrite(self, drafts: Sequence[Draft], length: Length) -> list[str]:
        self.bill.requests += len(drafts)
        self.bill.prompt_tokens += sum(self.editor.tokens(draft, length) for draft in drafts)
        self.bill.completion_tokens += self.editor.max_tokens * len(drafts)
        return [draft.prompt for draft in drafts]

"""Templates: the words around a text that ask for its class, and BBT's templates for common tasks."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Literal

from dfedsam.errors import OptionError

Kind = Literal["masked", "causal"]
MASK = "<mask>"
FIELD = re.compile(r"\{[^{}]*\}")
_FIELDS = re.compile(f"{FIELD.pattern}|{MASK}")


@cache
def tasks() -> dict[str, dict]:
    """The tasks by name: "words" in the order of the data sets' labels, and the templates "masked" and "causal"."""
    return json.loads(files("dfedsam.blackbox").joinpath("tasks.json").read_text(encoding="utf-8"))


def is_task(template: str) -> bool:
    """Whether a template is the name of a task."""
    return template in tasks()


@dataclass(frozen=True)
class Template:
    """A template, parsed: with {prompt} and {text}, or {text1} and {text2}; for masked models also <mask>."""

    text: str

    @classmethod
    def named(cls, text: str, kind: Kind, prompts: int = 1) -> Template:
        """Parse a user's template, or that of a task.

        Args:
            text: a template, or the name of a task.
            kind: for a masked or for a causal model.
            prompts: how often {prompt} must be in it.

        Raises:
            OptionError: if it is neither, or lacks a required field.
        """
        if is_task(text):
            template = tasks()[text][kind]
            return cls(template if prompts else " ".join(template.replace("{prompt}", "").split()))
        fields = _FIELDS.findall(text)
        mask = [MASK] if kind == "masked" else []
        if not fields:
            rule = f"must be one of {', '.join(tasks())}, or have {{prompt}}, {{text}}"
            example = " and <mask>, such as {prompt} {text} It was <mask> ." if mask else ""
            raise OptionError("template", text, rule + example)
        allowed = ["{prompt}", "{text}", "{text1}", "{text2}", *mask]
        for field in fields:
            if field not in allowed:
                raise OptionError("template", text, f"must not have {field}; the fields are {', '.join(allowed)}")
        pair = "{text1}" in fields or "{text2}" in fields
        if fields.count("{prompt}") > prompts == 0:
            raise OptionError("template", text, "must not have {prompt}, which is in the option system")
        for field in ("{prompt}",) * prompts + (("{text1}", "{text2}") if pair else ("{text}",)) + tuple(mask):
            if fields.count(field) != 1:
                raise OptionError("template", text, f"must have {field} once, but has it {fields.count(field)} times")
        if pair and "{text}" in fields:
            raise OptionError("template", text, "must have {text}, or {text1} and {text2}, not both")
        return cls(text)

    @property
    def pair(self) -> bool:
        """Whether the template takes two texts."""
        return "{text1}" in self.text

    @property
    def prompt_first(self) -> bool:
        """Whether the template begins with the prompt."""
        return self.text.lstrip().startswith("{prompt}")

    def parts(self, *texts: str, mask: str = "") -> list[str]:
        """The words before and after the prompt, if it has one, with one or two texts filled in."""
        fields = dict(zip(("{text1}", "{text2}") if self.pair else ("{text}",), texts, strict=True)) | {MASK: mask}
        return [_FIELDS.sub(lambda field: fields[field[0]], part) for part in self.text.strip().split("{prompt}")]

    def sides(self, *texts: str, mask: str = "") -> tuple[str, str]:
        """The words before and after the prompt, without a blank at the end."""
        left, right = self.parts(*texts, mask=mask)
        return left.rstrip(), right.rstrip()

    def check_texts(self, seconds: Sequence[str], text_column: str) -> None:
        """Raise OptionError unless the examples are pairs or single texts, as the template requires."""
        if self.pair != bool(seconds):
            columns = (
                "two columns with a comma between, for {text1} and {text2}" if self.pair else "one column, for {text}"
            )
            raise OptionError("text_column", text_column, f"must name {columns}: the template is {self.text}")

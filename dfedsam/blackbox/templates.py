"""Templates: the words around a text that ask for its class, and the tasks for which BBT's come with the package."""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

MASK = "<mask>"
_FIELD = re.compile(r"\{[^{}]*\}|<mask>")


@cache
def tasks() -> dict[str, dict]:
    """By name: "words" in the order of the data sets' labels, and the templates "masked" and "causal"."""
    return json.loads(files("dfedsam.blackbox").joinpath("tasks.json").read_text(encoding="utf-8"))


def is_task(template: str) -> bool:
    """Whether a template is given by the name of a task."""
    return template in tasks()


@dataclass(frozen=True)
class Template:
    """A template, parsed.

    Args:
        text: with {prompt} and {text}, or {text1} and {text2}; for masked models also <mask>.
    """

    text: str

    @classmethod
    def named(cls, text: str, kind: str) -> "Template":
        """A template of the user's, or that of a task.

        Args:
            text: either.
            kind: "masked" or "causal".

        Raises:
            ValueError: if it is neither, or lacks what it must have.
        """
        if is_task(text):
            return cls(tasks()[text][kind])
        fields = _FIELD.findall(text)
        what = f"template is {text}"
        if not fields:
            raise ValueError(
                f"{what}: it must be one of {', '.join(tasks())}, or have {{prompt}}, {{text}}"
                + (" and <mask>, such as {prompt} {text} It was <mask> ." if kind == "masked" else "")
            )
        allowed = ["{prompt}", "{text}", "{text1}", "{text2}", *([MASK] if kind == "masked" else [])]
        strange = [field for field in fields if field not in allowed]
        if strange:
            raise ValueError(f"{what}: it must have no {strange[0]}; there are {', '.join(allowed)}")
        pair = "{text1}" in fields or "{text2}" in fields
        needed = ["{prompt}", *(["{text1}", "{text2}"] if pair else ["{text}"]), *([MASK] if kind == "masked" else [])]
        for field in needed:
            if fields.count(field) != 1:
                raise ValueError(f"{what}: it must have {field} once, and has it {fields.count(field)} times")
        if pair and "{text}" in fields:
            raise ValueError(f"{what}: it must have {{text}}, or {{text1}} and {{text2}}, not both")
        return cls(text)

    @property
    def pair(self) -> bool:
        """Whether it takes two texts."""
        return "{text1}" in self.text

    @property
    def prompt_first(self) -> bool:
        """Whether the prompt begins it."""
        return self.text.lstrip().startswith("{prompt}")

    def sides(self, *texts: str, mask: str = "") -> tuple[str, str]:
        """What stands before and after the prompt, with one or two texts filled in; it ends without a blank."""
        fields = dict(zip(("{text1}", "{text2}") if self.pair else ("{text}",), texts, strict=True)) | {MASK: mask}
        left, right = (_FIELD.sub(lambda field: fields[field[0]], side) for side in self.text.strip().split("{prompt}"))
        return left.rstrip(), right.rstrip()

    def check_texts(self, seconds: Sequence[str], text_column: str) -> None:
        """Raise ValueError unless the examples are pairs where it takes pairs, and single texts where it does not."""
        if self.pair != bool(seconds):
            rule = (
                "two columns, set apart by a comma, for {text1} and {text2}" if self.pair else "one column, for {text}"
            )
            raise ValueError(f"text_column is {text_column}: the template {self.text} needs {rule}")

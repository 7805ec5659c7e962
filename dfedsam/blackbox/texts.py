"""Texts to tokens: special tokens, the prompt's words, label words, and templates filled with texts."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dfedsam.blackbox.base import TaskSpec
from dfedsam.blackbox.passes import Contents
from dfedsam.blackbox.templates import Template


def specials(tokenizer: Any) -> tuple[list[int], list[int]]:
    """The special tokens that the tokenizer sets before and after a text."""
    text = "a"
    whole = tokenizer(text).input_ids
    bare = tokenizer(text, add_special_tokens=False).input_ids
    starts = (i for i in range(len(whole) - len(bare) + 1) if whole[i : i + len(bare)] == bare)
    start = next(starts)
    return whole[:start], whole[start + len(bare) :]


def repeated(ids: list[int], length: int) -> list[int]:
    """Token numbers again and again until there are `length`; as they are where that is 0."""
    return (ids * -(-length // len(ids)))[:length] if ids and length else ids


def word_tokens(tokenizer: Any, text: str, *, goes_on: bool) -> list[int]:
    """Token numbers of words as they are at the start of a text, or, where the text `goes_on`, after another word."""
    if not goes_on:
        return tokenizer(text, add_special_tokens=False).input_ids
    before = tokenizer("a", add_special_tokens=False).input_ids
    return tokenizer(f"a {text}", add_special_tokens=False).input_ids[len(before) :]


def label_tokens(tokenizer: Any, words: Sequence[str], *, goes_on: bool) -> list[int]:
    """The token of each class word.

    Raises:
        ValueError: for words that are not one token, or not one of their own.
    """
    split = {word: word_tokens(tokenizer, word, goes_on=goes_on) for word in words}
    what = f"words is {', '.join(words)}"
    wrong = {word: tokenizer.convert_ids_to_tokens(ids) for word, ids in split.items() if len(ids) != 1}
    if wrong:
        how = "; ".join(f"{word} is {len(parts)} ({' '.join(parts)})" for word, parts in wrong.items())
        raise ValueError(f"{what}: each must be one token of the model, but {how}; choose other words")
    ids = [own[0] for own in split.values()]
    strange = [word for word, token in zip(words, ids, strict=True) if token == tokenizer.unk_token_id]
    if strange:
        raise ValueError(f"{what}: the model's vocabulary lacks {', '.join(strange)}; choose other words")
    if len(set(ids)) < len(ids):
        raise ValueError(f"{what}: two of them are the same token to the model; choose other words")
    return ids


def filled(
    tokenizer: Any, template: Template, given: TaskSpec, reads: int, prompt_tokens: int, mask: str = ""
) -> Contents:
    """All examples in a template, tokenised, with the place of the prompt.

    Texts are cut after `given.max_tokens` tokens of their own, each of a pair, and further where the whole would be
    longer than the model reads.

    Args:
        tokenizer: the model's.
        template: what texts are set in.
        given: has the texts.
        reads: tokens that the model reads at most.
        prompt_tokens: length of the prompt.
        mask: the mask token's text, which stands for <mask>.

    Raises:
        ValueError: if the prompt and the template leave no room for a text.
    """
    before, after = specials(tokenizer)
    parts = [given.examples.texts, *([given.examples.seconds] if given.examples.seconds else [])]
    if mask:  # a text that holds it would be read at the wrong place
        parts = [tuple(text.replace(mask, " ") for text in part) for part in parts]
    own = [tokenizer(list(part), add_special_tokens=False).input_ids for part in parts]
    most = np.minimum([[len(ids) for ids in part] for part in own], given.max_tokens)
    room = reads - prompt_tokens

    def whole(texts: Sequence[Sequence[str]]) -> tuple[list[list[int]], NDArray[np.int64]]:
        sides = [template.sides(*pair, mask=mask) for pair in zip(*texts, strict=True)]
        left, right = (tokenizer(list(side), add_special_tokens=False).input_ids for side in zip(*sides, strict=True))
        ids = [[*before, *start, *end, *after] for start, end in zip(left, right, strict=True)]
        return ids, np.array([len(before) + len(start) for start in left])

    frame = len(whole([[""]] * len(parts))[0][0])
    if frame >= room:
        raise ValueError(
            f"prompt_tokens is {prompt_tokens}: with the template's {frame} tokens it leaves no room for a text in the "
            f"{reads} tokens that the model reads; give a shorter prompt or template"
        )
    while True:  # what a text counts for may change by a token or two where it is cut
        texts = [
            [_cut(tokenizer, *one) for one in zip(*part, strict=True)] for part in zip(parts, own, most, strict=True)
        ]
        ids, places = whole(texts)
        lengths = np.array([len(one) for one in ids])
        over = np.maximum(lengths - room, 0)
        if not over.any():
            return Contents(ids, lengths, places)
        longer = most.argmax(axis=0), np.arange(len(over))
        most[longer] = np.maximum(most[longer] - over, 0)


def _cut(tokenizer: Any, text: str, ids: list[int], most: int) -> str:
    """The text up to its `most`-th token."""
    if len(ids) <= most:
        return text
    if not tokenizer.is_fast:
        return tokenizer.decode(ids[:most])
    ends = tokenizer(text, add_special_tokens=False, return_offsets_mapping=True).offset_mapping
    return text[: ends[most - 1][1]] if most else ""

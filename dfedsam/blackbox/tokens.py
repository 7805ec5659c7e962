"""Tokenising: special tokens, the prompt's words, label words, filled templates, and the vocabulary."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dfedsam.blackbox.base import TaskSpec
from dfedsam.blackbox.forward import Contents
from dfedsam.blackbox.templates import Template
from dfedsam.errors import OptionError

_LOG = logging.getLogger(__name__)
_COMPARED = 8  # examples whose tokens are compared with those of the plain text


def special_tokens(tokenizer: Any) -> tuple[list[int], list[int]]:
    """The special tokens that the tokenizer puts before and after a text."""
    text = "a"
    whole = tokenizer(text).input_ids
    bare = tokenizer(text, add_special_tokens=False).input_ids
    start = next(i for i in range(len(whole) - len(bare) + 1) if whole[i : i + len(bare)] == bare)
    return whole[:start], whole[start + len(bare) :]


def bare_tokens(tokenizer: Any, texts: Sequence[str], *, after_word: bool = False) -> list[list[int]]:
    """Token ids of texts without special tokens.

    `after_word` is whether they follow another word, so that a text begins with a blank.
    """
    if not after_word:
        return tokenizer(list(texts), add_special_tokens=False).input_ids if texts else []
    (word,) = tokenizer(["a"], add_special_tokens=False).input_ids
    whole = tokenizer([f"a{text}" for text in texts], add_special_tokens=False).input_ids
    if all(ids[: len(word)] == word for ids in whole):
        return [ids[len(word) :] for ids in whole]
    return tokenizer(list(texts), add_special_tokens=False).input_ids  # a tokenizer that merges across blanks


def word_tokens(tokenizer: Any, text: str, *, after_word: bool) -> list[int]:
    """Token ids of words at the start of a text, or after another word and a blank."""
    return bare_tokens(tokenizer, [f" {text}" if after_word else text], after_word=after_word)[0]


def prompt_tokens(tokenizer: Any, task: TaskSpec, *, after_word: bool) -> NDArray[np.int64]:
    """Token ids of the prompt's words, repeated and cut to the prompt's length, shape (tokens,).

    Raises:
        OptionError: if the words have no tokens.
    """
    ids = word_tokens(tokenizer, task.prompt, after_word=after_word)
    if not ids:
        rule = f"must have tokens, but the model {task.model} finds none in it"
        raise OptionError("prompt", task.prompt, rule, "use at least one word")
    length = task.prompt_tokens or len(ids)
    return np.array((ids * -(-length // len(ids)))[:length])


def label_pieces(
    tokenizer: Any, words: Sequence[str], *, whole: bool = False, after_word: bool = True
) -> list[list[int]]:
    """The tokens of each class word.

    Args:
        tokenizer: the model's tokenizer.
        words: the class words.
        whole: whether the words may begin with the same token; otherwise they are told apart by it.
        after_word: whether they follow a text.

    Raises:
        OptionError: for words whose first tokens, or all of whose tokens, are the same or unknown.
    """
    pieces = [word_tokens(tokenizer, word, after_word=after_word) for word in words]
    option, hint = ("words", ", ".join(words)), "choose other words"
    unknown = [word for word, ids in zip(words, pieces, strict=True) if not ids or tokenizer.unk_token_id in ids]
    if unknown:
        raise OptionError(*option, f"must be known to the model, whose vocabulary lacks {', '.join(unknown)}", hint)
    seen: dict[tuple[int, ...], str] = {}
    for word, ids in zip(words, pieces, strict=True):
        other = seen.setdefault(tuple(ids) if whole else (ids[0],), word)
        if other != word:
            if whole:
                raise OptionError(*option, f"must differ, but {other} and {word} are the same tokens", hint)
            token = tokenizer.convert_ids_to_tokens(ids)[0]
            rule = f"must differ in their first token, but {other} and {word} both begin with {token}"
            raise OptionError(*option, rule, f"{hint}; an endpoint can score whole_words")
    return pieces


def label_tokens(tokenizer: Any, words: Sequence[str], *, after_word: bool) -> list[int]:
    """The token of each class word, which must be one: that which a mask stands for.

    Raises:
        OptionError: for words that are not one token, or share a token.
    """
    split = {word: word_tokens(tokenizer, word, after_word=after_word) for word in words}
    wrong = {word: tokenizer.convert_ids_to_tokens(ids) for word, ids in split.items() if len(ids) != 1}
    if wrong:
        counts = "; ".join(f"{word} is {len(pieces)} ({' '.join(pieces)})" for word, pieces in wrong.items())
        rule = f"must be words of one token of the model, but {counts}"
        raise OptionError("words", ", ".join(words), rule, "choose other words")
    return [ids[0] for ids in label_pieces(tokenizer, words, whole=True, after_word=after_word)]


@dataclass(frozen=True)
class Filler:
    """Fills a template with examples, and tokenises the result around the prompt.

    Args:
        tokenizer: the model's tokenizer.
        template: the template.
        ends: whether to add the special tokens at the end of a text; not if a label word follows.
        mask: the mask token's text, which replaces <mask>; empty for a causal model.
    """

    tokenizer: Any
    template: Template
    ends: bool
    mask: str = ""

    def fill(self, task: TaskSpec, reads: int, prompt: int) -> Contents:
        """The task's examples in the template, tokenised, with the position of a prompt of so many tokens.

        Texts, or each text of a pair, are cut after `task.max_tokens` tokens, and further if the whole would exceed
        `reads`, the tokens that the model reads.

        Raises:
            OptionError: if the prompt and the template leave no room for a text.
        """
        columns, sizes = self._columns(task)
        most, room = np.minimum(sizes, task.max_tokens), reads - prompt
        frame = int(self._contents([[""]] * len(columns)).lengths[0])
        if frame >= room:
            rule = (
                f"must be fewer: with the template's {frame} tokens it leaves no room for a text in the {reads} tokens"
            )
            hint = "use a shorter prompt or template"
            raise OptionError("prompt_tokens", prompt, f"{rule} that the model reads", hint)
        while True:  # cutting may change the number of tokens by one or two
            texts = [
                [self._cut(*one) for one in zip(*column, strict=True)]
                for column in zip(columns, sizes, most, strict=True)
            ]
            contents = self._contents(texts)
            over = np.maximum(contents.lengths - room, 0)
            if not over.any():
                return contents
            longer = most.argmax(axis=0), np.arange(len(over))
            most[longer] = np.maximum(most[longer] - over, 0)

    def compare(self, task: TaskSpec, contents: Contents, prompt: Sequence[int], label: Sequence[int]) -> None:
        """Note if the pieces around a prompt of words are not the tokens of the plain text, label word included.

        Args:
            task: the task.
            contents: its examples in the template; a few short ones, which are not cut, are compared.
            prompt: tokens of the prompt; a repeated or cut one has no plain text.
            label: tokens of the first label word, where it follows the text; otherwise none.
        """
        before, after = special_tokens(self.tokenizer)
        columns, _ = self._columns(task)
        for i in np.argsort(contents.lengths, kind="stable")[:_COMPARED].tolist():
            left, right = self.template.sides(*(column[i] for column in columns), mask=self.mask)
            words = f" {task.prompt}" if left else task.prompt
            text = f"{left}{words}{right} {task.words[0]}" if label else f"{left}{words}{right}"
            plain = [*before, *bare_tokens(self.tokenizer, [text])[0], *(after if self.ends else [])]
            ids, offset = contents.ids[i], int(contents.offsets[i])
            if plain != [*ids[:offset], *prompt, *ids[offset:], *label]:
                _LOG.warning(
                    "dfedsam: note: with the model %s a text, the prompt and the label word one by one are other "
                    "tokens than together, for example in: %s",
                    *(task.model, text),
                )
                return

    def cut(self, task: TaskSpec) -> list[list[str]]:
        """The columns of texts, each cut after `task.max_tokens` tokens."""
        columns, sizes = self._columns(task)
        return [
            [self._cut(text, size, task.max_tokens) for text, size in zip(*column, strict=True)]
            for column in zip(columns, sizes, strict=True)
        ]

    def _columns(self, task: TaskSpec) -> tuple[list[tuple[str, ...]], list[list[int]]]:
        """The columns of texts, and their numbers of tokens."""
        columns = [column for column in (task.examples.texts, task.examples.seconds) if column]
        if self.mask:  # a text with a mask token would be read at the wrong position
            columns = [tuple(text.replace(self.mask, " ") for text in column) for column in columns]
        return columns, [[len(ids) for ids in bare_tokens(self.tokenizer, column)] for column in columns]

    def _contents(self, columns: Sequence[Sequence[str]]) -> Contents:
        sides = [self.template.sides(*texts, mask=self.mask) for texts in zip(*columns, strict=True)]
        before, after = special_tokens(self.tokenizer)
        left = bare_tokens(self.tokenizer, [left for left, _ in sides])
        right = bare_tokens(self.tokenizer, [right for _, right in sides], after_word=True)
        ids = [[*before, *start, *end, *(after if self.ends else [])] for start, end in zip(left, right, strict=True)]
        offsets = np.array([len(before) + len(start) for start in left])
        return Contents(ids, np.array([len(one) for one in ids]), offsets)

    def _cut(self, text: str, size: int, most: int) -> str:
        """The text up to its `most`-th token, of `size`."""
        if size <= most:
            return text
        if not self.tokenizer.is_fast:
            return self.tokenizer.decode(self.tokenizer(text, add_special_tokens=False).input_ids[:most])
        ends = self.tokenizer(text, add_special_tokens=False, return_offsets_mapping=True).offset_mapping
        return text[: ends[most - 1][1]] if most else ""


@dataclass(frozen=True)
class Vocabulary:
    """A model's tokens as words to choose from: candidates of a discrete prompt.

    `embed` gives the embeddings (n, width) of token ids (n,), if the model's are known.
    """

    tokenizer: Any
    embed: Callable[[NDArray[np.int64]], NDArray] | None = None

    def text(self, ids: Sequence[int]) -> str:
        """The text of tokens, with the blank before the first, if any."""
        return self.tokenizer.decode(list(ids), clean_up_tokenization_spaces=False)

    def tokens(self, text: str) -> list[int]:
        """The tokens of words after a blank; none of an empty text."""
        return word_tokens(self.tokenizer, text, after_word=True) if text else []

    def frequent(self, texts: Sequence[str], count: int) -> list[int]:
        """The `count` tokens that texts have most often, equally frequent ones in order of their ids."""
        special = set(self.tokenizer.all_special_ids)
        counts = Counter(token for ids in bare_tokens(self.tokenizer, texts) for token in ids)
        known = [(-often, token) for token, often in counts.items() if token not in special]
        return [token for _, token in sorted(known)[:count]]

    def sample(self, random: np.random.Generator, count: int) -> list[int]:
        """`count` different tokens of the whole vocabulary, in order of their ids, without special ones."""
        usual = np.setdiff1d(np.arange(len(self.tokenizer)), self.tokenizer.all_special_ids)
        return np.sort(random.permutation(usual)[:count]).tolist()

    def words(self, words: Sequence[str]) -> list[int]:
        """The tokens of words after a blank, each once.

        Raises:
            ValueError: for a word that is not one token; the message says which.
        """
        ids = []
        for word in words:
            pieces = self.tokens(word)
            if len(pieces) != 1 or pieces[0] == self.tokenizer.unk_token_id:
                raise ValueError(f"{word} is {' '.join(self.tokenizer.convert_ids_to_tokens(pieces))}")
            ids.append(pieces[0])
        return list(dict.fromkeys(ids))

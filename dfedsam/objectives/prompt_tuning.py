"""Prompt tuning: minimise the cross-entropy of a frozen, black-box classifier over the soft prompt it is given."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import DTypeLike, NDArray

from dfedsam import validation
from dfedsam.blackbox import DualEncoder, Model
from dfedsam.data import docstring_topics, files
from dfedsam.data.examples import Examples, held_out, limited
from dfedsam.data.split import Dirichlet, Split
from dfedsam.objectives.base import Objective, Problem
from dfedsam.objectives.prompt_generator import PromptGenerator
from dfedsam.objectives.prompt_parameters import FullPrompt, PromptParameters
from dfedsam.peers import Peers
from dfedsam.random import generator

DOCSTRING_TOPICS = "docstring_topics"


@dataclass(frozen=True, kw_only=True)
class PromptTuning(Objective):
    """A soft prompt for a frozen model that classifies texts by class words.

    The loss is the cross-entropy of the class scores, which the black box says how to get: by default a text's likeness
    to class words, scale · cosine. A query is one prompt on one minibatch.

    Args:
        data: "docstring_topics" (four topics, no download), a .csv, .jsonl, .json or .parquet file, a folder with a
            folder of images a class, or a hub name.
        test: a file or hub name with the held-out examples; empty: a share of `data` is held out, drawn by the seed.
        test_share: that share, above 0 and below 1.
        text_column: the column with the texts, or with the images ("image" in a folder of them); two columns, set apart
            by a comma, where each example is a pair, which a template then takes as {text1} and {text2}.
        label_column: the column with the labels, whole numbers or strings.
        words: a word or phrase a class, set apart by commas, in the sorted order of the labels: "terrible, great".
            Empty: those of the blackbox's task, or the classes' own names, where the data have them.
        blackbox: what makes class scores of prompts and texts: a sentence encoder, a masked or a causal language model,
            or an import path.
        model: a folder with a transformers model of that kind, or a hub name.
        mode: of a dual encoder, what the prompt is set before: "words" (the class words; texts are embedded once) or
            "text" (the examples' texts, as in BBT and FedBPT; a query costs a pass over the minibatch).
        prompt: words whose embeddings are the soft prompt to start from.
        prompt_tokens: tokens of the soft prompt: the words are repeated, and cut, to it; 0: as many as the words have.
        parameters: what a peer's vector is: the full soft prompt, z through a random projection, distributions over the
            tokens of a discrete prompt, or a network that makes a prompt of each example.
        batch_size: examples in a minibatch, drawn without replacement; 0 takes all examples of the peer, which costs
            next to nothing in mode "words".
        perturb: r_p, from 0 to below 1. Above 0, what is minimised is the mean over examples of the loss on the text
            divided by that on a perturbed one, so that a prompt does not win by a bias to some class (FedBPT, Sun et
            al., 2024): this share of a text's words is replaced by words of the training texts, drawn once a run (the
            paper draws tokens). A candidate then costs two queries. Evaluations are of the plain loss.
        scale: of a dual encoder, what cosines are multiplied by, the inverse of the temperature, above 0.
        split: how the training examples are dealt to the peers.
        min_examples: training examples that every peer gets at least.
        train_limit: training examples at most, in the classes' proportions; 0 for no limit.
        test_limit: held-out examples at most; 0 for no limit. But in mode "words" an evaluation passes each of them
            through the model for each prompt: some hundred are enough.
        max_tokens: texts are cut after so many tokens.
        cut_at_peers: never put two peers into one batch of the model; with one thread the results are then the same
            bit for bit however the peers are dealt to processes.
    """

    data: str = DOCSTRING_TOPICS
    test: str = ""
    test_share: float = 0.25
    text_column: str = "text"
    label_column: str = "label"
    words: str = ""
    blackbox: Model = DualEncoder()
    model: str = "sentence-transformers/all-MiniLM-L6-v2"
    mode: str = "words"
    prompt: str = "a text about"
    prompt_tokens: int = 0
    parameters: PromptParameters = FullPrompt()
    batch_size: int = 0
    perturb: float = 0.0
    scale: float = 20.0
    split: Split = Dirichlet()
    min_examples: int = 8
    train_limit: int = 0
    test_limit: int = 0
    max_tokens: int = 128
    cut_at_peers: bool = False

    def __post_init__(self) -> None:
        validation.one_of("mode", self.mode, ("words", "text"))
        validation.positive("scale", self.scale, "20 is common")
        validation.positive("test_share", self.test_share)
        validation.between("test_share", self.test_share, 0, 1, open_high=True)
        validation.between("perturb", self.perturb, 0, 1, "FedBPT takes 0.6 on SST-2", open_high=True)
        validation.whole_number("max_tokens", self.max_tokens, 1)
        validation.whole_number("min_examples", self.min_examples, 1)
        for name in ("batch_size", "train_limit", "test_limit", "prompt_tokens"):
            validation.whole_number(name, getattr(self, name), 0)
        if not self.prompt.strip():
            raise ValueError("prompt is empty: it must have a word or more, whose embeddings the soft prompt starts as")
        if self.mode == "text" and not isinstance(self.blackbox, DualEncoder):
            raise ValueError(
                f"mode is text: it belongs to the blackbox DualEncoder, not to {type(self.blackbox).__name__}; "
                "leave it out"
            )

    def build(self, peers: int, block: Peers, seed: int, dtype: DTypeLike) -> Problem:
        train, test, words = self._examples(seed)
        parts = self._parts(train, peers, seed)
        from dfedsam.objectives.generated_prompts import GeneratedPromptProblem  # here, since it brings torch
        from dfedsam.objectives.prompt_problem import PromptProblem

        kind = GeneratedPromptProblem if isinstance(self.parameters, PromptGenerator) else PromptProblem
        return kind(self, train, test, words, parts, block, seed, np.dtype(dtype))

    def class_counts(self, peers: int, seed: int) -> tuple[tuple[str, ...], NDArray[np.int64]]:
        """See Objective.class_counts. Loads the data, no model."""
        train, _, words = self._examples(seed)
        parts = self._parts(train, peers, seed)
        return words, np.stack([np.bincount(train.labels[part], minlength=len(words)) for part in parts])

    def _parts(self, train: Examples, peers: int, seed: int) -> list[NDArray]:
        return self.split.split(train.labels, peers, self.min_examples, generator(seed, "data split"))

    def _examples(self, seed: int) -> tuple[Examples, Examples, tuple[str, ...]]:
        """Training and held-out examples and the class words."""
        if self.data == DOCSTRING_TOPICS:
            whole = docstring_topics.load()
        else:
            whole = files.load(self.data, self.text_column, self.label_column)
        if self.test:
            train = whole
            test = files.load(
                self.test, self.text_column, self.label_column, split="test", option="test", classes=whole.classes
            )
        else:
            train, test = held_out(whole, self.test_share, generator(seed, "held-out examples"))
        if bool(whole.images) != self.blackbox.READS_IMAGES:
            has, needs = ("images", "texts") if whole.images else ("texts", "images")
            raise ValueError(
                f"text_column is {self.text_column}: it holds {has}, and the blackbox {type(self.blackbox).__name__} "
                f"takes {needs}; choose another column, or {'image_text' if whole.images else 'another blackbox'}"
            )
        self.blackbox.check_texts(whole.seconds, self.text_column)
        words = self._words(whole)
        train = limited(train, self.train_limit, generator(seed, "training examples"))
        return train, limited(test, self.test_limit, generator(seed, "test examples")), words

    def _words(self, examples: Examples) -> tuple[str, ...]:
        """One word a class, in the order of the classes' numbers."""
        count = len(examples.classes)
        words = tuple(word.strip() for word in self.words.split(",")) if self.words.strip() else self.blackbox.words()
        words = words or examples.names
        if words is None:
            raise ValueError(
                f"words is empty: {self.data} has {count} classes without names; give {count} words, commas between"
            )
        if len(words) != count or "" in words or len(set(words)) != count:
            raise ValueError(
                f"words is {', '.join(words)}: {self.data} has {count} classes "
                f"({', '.join(map(str, examples.classes))}), so it must be {count} different words, set apart by commas"
            )
        if examples.names and set(words) == {str(label) for label in examples.classes}:
            return examples.names  # the labels are the words themselves: each its own
        return words

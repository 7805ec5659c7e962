"""Prompt tuning: minimise the cross-entropy of a frozen, black-box classifier over its soft prompt."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal, get_args

import numpy as np
from numpy.typing import DTypeLike, NDArray

from dfedsam.blackbox import BlackBoxConfig, DualEncoderConfig
from dfedsam.blackbox.base import TaskSpec
from dfedsam.data import docstring_topics, files
from dfedsam.data.split import Dirichlet, Examples, Split, held_out, limited, perturbed
from dfedsam.errors import OptionError
from dfedsam.objectives.base import Objective
from dfedsam.objectives.prompt.parameters import FullPrompt, PromptParameters
from dfedsam.options import as_text, between, one_of, option, positive, share_or_file, whole_number
from dfedsam.peers import Peers
from dfedsam.phases import report
from dfedsam.random import generator
from dfedsam.registry import public_name

if TYPE_CHECKING:
    from dfedsam.objectives.prompt.problem import PromptProblem

DOCSTRING_TOPICS = "docstring_topics"
WeighBy = Literal["peers", "examples"]


@dataclass(frozen=True, kw_only=True)
class PromptTuning(Objective):
    """A soft prompt for a frozen model that classifies texts by class words.

    The loss is the cross-entropy of the class scores, which the black box defines: by default a text's similarity to
    class words, scale · cosine. A query is one prompt on one minibatch.

    Args:
        data: "docstring_topics" (four topics, no download), a file (CSV, TSV, JSON lines or Parquet, also gzipped), a
            data set saved by the library datasets, a folder with such files by split (train.csv, test.csv), a folder
            with a folder of images for each class, or a hub name, also with a configuration: nyu-mll/glue:sst2.
        test: a file or hub name with the held-out examples; empty: the test split of `data` or, without
            one, a random share of `data`.
        test_share: that share, above 0 and below 1.
        validation: share of the training examples, below 1, that is taken from them by the seed, for validation; or a
            file, folder or hub name with such examples; 0 for none. Evaluations then also give validation_loss and
            validation_accuracy, by which to choose options.
        text_column: the column with the texts, or with the images ("image" in a folder of them); two columns,
            separated by a comma, if each example is a pair, for {text1} and {text2} of a template.
        label_column: the column with the labels, whole numbers or strings.
        encoding: encoding of text files, such as latin-1 or utf-16.
        words: a word or phrase for each class, separated by commas, in the sorted order of the labels: "terrible,
            great". Empty: those of the blackbox's task, or the names of the classes if the data have them.
        blackbox: the model that computes class scores from prompts and texts: a sentence encoder, a masked or a causal
            language model, …, or an import path.
        model: a folder with a transformers model of that kind, or a hub name.
        prompt: words whose embeddings are the initial soft prompt.
        prompt_tokens: length of the soft prompt, to which the words are repeated and cut; 0: that of the words.
        parameters: the meaning of a peer's vector: the full soft prompt, z of a random projection, distributions over
            the tokens of a discrete prompt, or a network that generates a prompt for each example.
        batch_size: examples in a minibatch, drawn without replacement; 0: all examples of the peer, which costs
            almost nothing in a dual encoder's mode "words".
        perturb: r_p, from 0 to below 1. Above 0, the objective is the mean over examples of the loss on the text
            divided by that on a perturbed text, which gives no advantage to a bias towards some class (FedBPT, Sun et
            al., 2024). This share of a text's words is replaced by words of the training texts, drawn once per run (the
            paper draws tokens). A candidate then costs two queries. Evaluations use the plain loss.
        split: how the training examples are split over the peers.
        min_examples: minimum number of training examples per peer.
        weigh_by: "peers": the objective is the mean of the peers' losses. "examples": a peer's losses are multiplied by
            its number of training examples over the peers' mean number, as FedAvg weighs clients, and the objective is
            the loss on the pooled examples. Peers need that mean once: gossip of one number before round 0.
        train_limit: maximum number of training examples, with those for validation, in the classes' proportions; 0 for
            no limit.
        test_limit: maximum number of held-out examples, and of those for validation; 0 for no limit. Unless the mode is
            "words", an evaluation passes each of them through the model for each prompt: a few hundred are enough.
        max_tokens: texts are cut after so many tokens.
        cut_at_peers: never put two peers into one batch of the model; with one thread the results are then the same
            bit for bit however the peers are partitioned over processes.
    """

    holds_out: ClassVar[bool] = True
    records: ClassVar[tuple[str, ...]] = ("loss", "accuracy")

    data: str = DOCSTRING_TOPICS
    test: str = ""
    test_share: float = option(0.25, positive)
    validation: float | str = option(0.0, share_or_file)
    text_column: str = "text"
    label_column: str = "label"
    encoding: str = "utf-8"
    words: str = ""
    blackbox: BlackBoxConfig = DualEncoderConfig()
    model: str = "sentence-transformers/all-MiniLM-L6-v2"
    prompt: str = "a text about"
    prompt_tokens: int = option(0, whole_number, 0)
    parameters: PromptParameters = FullPrompt()
    batch_size: int = option(0, whole_number, 0)
    perturb: float = option(0.0, between, 0, 1, "FedBPT takes 0.6 on SST-2", open_high=True)
    split: Split = Dirichlet()
    min_examples: int = option(8, whole_number, 1)
    weigh_by: WeighBy = option("peers", one_of, get_args(WeighBy))
    train_limit: int = option(0, whole_number, 0)
    test_limit: int = option(0, whole_number, 0)
    max_tokens: int = option(128, whole_number, 1)
    cut_at_peers: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("data", "test", "text_column", "label_column", "words", "model", "prompt"):
            object.__setattr__(self, name, as_text(name, getattr(self, name)))
        between("test_share", self.test_share, 0, 1, open_high=True)
        if not self.prompt.strip():
            raise OptionError(
                "prompt", "empty", "must have at least one word, whose embeddings are the initial soft prompt"
            )

    @property
    def is_remote(self) -> bool:
        return self.blackbox.is_remote

    def build(self, peers: int, block: Peers, seed: int, dtype: DTypeLike) -> PromptProblem:
        report("loading the data")
        train, test, more, words = self._examples(seed)
        shards = self._shards(train, peers, seed)
        report(f"loading the model {self.model}")
        from dfedsam.objectives.prompt.problem import PromptProblem  # here, since it brings safetensors

        examples = train.joined(test) if more is None else train.joined(test).joined(more)
        labels = examples.labels
        if self.perturb:
            examples = examples.joined(perturbed(train, self.perturb, generator(seed, "perturbed texts")))
        task = TaskSpec(
            model=self.model,
            words=words,
            examples=examples,
            prompt=self.prompt,
            prompt_tokens=self.prompt_tokens,
            max_tokens=self.max_tokens,
            cut_at_peers=self.cut_at_peers,
            dtype=np.dtype(dtype),
            train=len(train.labels),
        )
        black_box = self.blackbox.build(task)
        self.parameters.check(black_box)
        prompt_map = self.parameters.build(black_box, task, seed)
        card = {
            "model": self.model,
            "blackbox": public_name(self.blackbox),
            "parameters": public_name(self.parameters),
            "words": json.dumps(words, ensure_ascii=False),
            "initial_prompt": self.prompt,
        }
        return PromptProblem(
            black_box,
            prompt_map,
            labels,
            (len(train.labels), len(test.labels)),
            shards,
            block,
            classes=len(words),
            batch_size=self.batch_size,
            perturbed=self.perturb > 0,
            by_peer=self.cut_at_peers,
            weighs_examples=self.weigh_by == "examples",
            card=card,
            seed=seed,
            dtype=np.dtype(dtype),
        )

    def class_counts(self, peers: int, seed: int) -> tuple[tuple[str, ...], NDArray[np.int64]]:
        train, _, _, words = self._examples(seed)
        shards = self._shards(train, peers, seed)
        return words, np.stack([np.bincount(train.labels[shard], minlength=len(words)) for shard in shards])

    def _shards(self, train: Examples, peers: int, seed: int) -> list[NDArray]:
        return self.split.split(train.labels, peers, self.min_examples, generator(seed, "data split"))

    def _examples(self, seed: int) -> tuple[Examples, Examples, Examples | None, tuple[str, ...]]:
        """Training, held-out and validation examples, and the class words."""
        source = files.Source(self.text_column, self.label_column, self.encoding)
        if self.data == DOCSTRING_TOPICS:
            whole, test = docstring_topics.load(), None
        else:
            whole, test = source.load(self.data), None
            if self.test or source.has_test(self.data):
                test = source.load(self.test or self.data, "test" if self.test else "data", whole.classes, split="test")
        train, test = (whole, test) if test else held_out(whole, self.test_share, generator(seed, "held-out examples"))
        if bool(whole.images) != self.blackbox.takes_images:
            has, needs = ("images", "texts") if whole.images else ("texts", "images")
            rule = f"must hold {needs}: it holds {has}, and the blackbox {public_name(self.blackbox)} takes {needs}"
            hint = f"choose another column, or {'image_text' if whole.images else 'another blackbox'}"
            raise OptionError("text_column", self.text_column, rule, hint)
        self.blackbox.check_texts(whole.seconds, self.text_column)
        words = self._words(whole)
        train = limited(train, self.train_limit, generator(seed, "training examples"))
        test = limited(test, self.test_limit, generator(seed, "test examples"))
        rng, more = generator(seed, "validation examples"), None
        if isinstance(self.validation, str):
            more = source.load(self.validation, "validation", whole.classes, split="validation")
        elif self.validation:
            train, more = held_out(train, self.validation, rng)
        return train, test, None if more is None else limited(more, self.test_limit, rng), words

    def _words(self, examples: Examples) -> tuple[str, ...]:
        """One word for each class, in the order of the classes' numbers."""
        count, names = len(examples.classes), ", ".join(map(str, examples.classes))
        words = tuple(word.strip() for word in self.words.split(",")) if self.words.strip() else self.blackbox.words()
        words = words or examples.names
        if words is None:
            rule = f"must be {count} words, separated by commas: {self.data} has {count} classes without names"
            raise OptionError("words", "empty", rule)
        if len(words) != count or "" in words or len(set(words)) != count:
            rule = (
                f"must be {count} different words, separated by commas, since {self.data} has {count} classes ({names})"
            )
            raise OptionError("words", ", ".join(words), rule)
        if examples.names and set(words) == {str(label) for label in examples.classes}:
            return examples.names  # the labels are the words themselves: each its own
        return words

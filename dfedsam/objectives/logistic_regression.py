"""Multinomial logistic regression on synthetic data or on the numeric columns of a file."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import DTypeLike, NDArray

from dfedsam.data.split import Dirichlet, Split
from dfedsam.errors import OptionError, first_line
from dfedsam.objectives.base import Objective, Solution
from dfedsam.objectives.logistic_regression_problem import Examples, LogisticRegressionProblem
from dfedsam.options import at_least, between, option, positive, share_or_file, whole_number
from dfedsam.peers import Peers
from dfedsam.random import generator

_TO_THE_END = {"maxiter": 10_000, "maxfun": 100_000, "ftol": 0.0, "gtol": 1e-12, "maxls": 50}


@dataclass(frozen=True, kw_only=True)
class LogisticRegression(Objective):
    """Multinomial logistic regression, x = the (classes, features + 1) weights and biases, row by row.

    Args:
        data: "synthetic" (one Gaussian per class), or a CSV or Parquet file of numeric columns and a label column.
        label_column: the file's column of classes.
        features: synthetic features, at least 1.
        classes: synthetic classes, at least 2.
        examples: synthetic training examples per peer, at least 1; the same number in total is held out.
        separation: distance of a synthetic class's centre from the origin, in standard deviations, above 0.
        test_share: share of a file's rows that is held out, above 0 and below 1.
        validation: share of the training examples, below 1, that is taken from them by the seed, for validation; or,
            for data from a file, another such file; 0 for none. Evaluations then also give validation_loss and
            validation_accuracy, by which to choose options.
        batch_size: examples per minibatch, drawn with replacement, at least 1.
        l2: strength of the penalty ½·l2·‖x‖², at least 0.
        split: how the examples are split over the peers.
        min_examples: minimum number of examples per peer.
    """

    holds_out: ClassVar[bool] = True
    records: ClassVar[tuple[str, ...]] = ("loss", "accuracy")

    data: str = "synthetic"
    label_column: str = "label"
    features: int = option(20, whole_number, 1)
    classes: int = option(4, whole_number, 2)
    examples: int = option(64, whole_number, 1)
    separation: float = option(2.0, positive)
    test_share: float = option(0.2, between, 0.01, 0.99)
    validation: float | str = option(0.0, share_or_file)
    batch_size: int = option(32, whole_number, 1)
    l2: float = option(1e-3, at_least, 0)
    split: Split = Dirichlet(alpha=0.3)
    min_examples: int = option(8, whole_number, 1)

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.data == "synthetic" and isinstance(self.validation, str):
            raise OptionError("validation", self.validation, "must be a share of synthetic data")

    def build(self, peers: int, block: Peers, seed: int, dtype: DTypeLike) -> LogisticRegressionProblem:
        data, shards = self._examples(peers, seed)
        return LogisticRegressionProblem(data, shards, block, dtype, l2=self.l2, batch_size=self.batch_size)

    @property
    def is_solvable(self) -> bool:
        return self.l2 > 0

    def solve(self, peers: int, seed: int) -> Solution:
        """Minimise the mean of the peers' losses on their own training examples, by L-BFGS."""
        from scipy.optimize import minimize

        problem = self.build(peers, range(peers), seed, np.float64)
        examples = problem.example_indices()

        def loss(x: NDArray[np.float64]) -> float:
            return float(problem.losses(np.tile(x, (peers, 1, 1)), examples).mean())

        def gradient(x: NDArray[np.float64]) -> NDArray[np.float64]:
            return problem.full_gradients(x).mean(axis=0)

        minimum = minimize(loss, problem.start(), jac=gradient, method="L-BFGS-B", options=_TO_THE_END)
        return Solution(minimum.x, loss)

    def class_counts(self, peers: int, seed: int) -> tuple[tuple[str, ...], NDArray[np.int64]]:
        data, shards = self._examples(peers, seed)
        return data.names, np.stack([np.bincount(data.labels[part], minlength=len(data.names)) for part in shards])

    def _examples(self, peers: int, seed: int) -> tuple[Examples, list[NDArray[np.int64]]]:
        """All examples, and each peer's example indices."""
        data = self._data(peers, seed)
        parts = self.split.split(data.labels[data.train], peers, self.min_examples, generator(seed, "split"))
        return data, [data.train[part] for part in parts]

    def _data(self, peers: int, seed: int) -> Examples:
        data = self._synthetic(peers, seed) if self.data == "synthetic" else self._read(seed)
        if isinstance(self.validation, str) or not self.validation:
            return data
        order = generator(seed, "validation examples").permutation(data.train)
        count = max(1, round(self.validation * len(order)))
        return data._replace(train=np.sort(order[count:]), validation=np.sort(order[:count]))

    def _synthetic(self, peers: int, seed: int) -> Examples:
        rng = generator(seed, "logistic regression data")
        count = self.examples * peers
        centres = rng.standard_normal((self.classes, self.features))
        centres *= self.separation / np.linalg.norm(centres, axis=1, keepdims=True)
        labels = np.arange(2 * count) % self.classes
        features = centres[labels] + rng.standard_normal((2 * count, self.features))
        names, indices = tuple(map(str, range(self.classes))), np.arange(2 * count)
        return Examples(features, labels, names, indices[:count], indices[count:], indices[:0])

    def _read(self, seed: int) -> Examples:
        import pandas as pd

        values, classes = self._table("data", self.data)
        labels, names = pd.factorize(classes, sort=True)
        held_out = generator(seed, "test split").random(len(values)) < self.test_share
        train, test = np.flatnonzero(~held_out), np.flatnonzero(held_out)
        mean, deviation = values.mean(axis=0), np.maximum(values.std(axis=0), 1e-12)
        if isinstance(self.validation, str):
            more, classes = self._table("validation", self.validation)
            known = pd.Index(names).get_indexer(pd.Index(classes))
            if more.shape[1] != values.shape[1] or (known < 0).any():
                raise OptionError("validation", self.validation, "must have the columns and classes of the data")
            values, labels = np.concatenate([values, more]), np.concatenate([labels, known])
        values = (values - mean) / deviation
        rest = np.arange(len(held_out), len(values))
        return Examples(values, labels.astype(np.int64), tuple(map(str, names)), train, test, rest)

    def _table(self, option: str, file: str) -> tuple[NDArray[np.float64], Any]:
        """The numeric columns of a file (n, features), and its column of classes."""
        import pandas as pd

        path = Path(file)
        if not path.is_file():
            raise OptionError(
                option, path, "must be a file: there is no such file", 'use CSV or Parquet, or "synthetic" data'
            )
        try:
            table = pd.read_parquet(path) if path.suffix == ".parquet" else pd.read_csv(path)
        except Exception as error:
            raise OptionError(option, path, f"cannot be read as a table ({first_line(error)})") from error
        if self.label_column not in table:
            rule = f"must be a column: {path} has no such column; it has {', '.join(map(str, table))}"
            raise OptionError("label_column", self.label_column, rule)
        numeric = table.drop(columns=self.label_column).select_dtypes("number")
        if numeric.shape[1] == 0 or bool(numeric.isna().to_numpy().any()):
            raise OptionError(option, path, "must have at least one numeric column besides the label, and no gaps")
        return numeric.to_numpy(np.float64), table[self.label_column]

"""A problem whose vectors are distributions, with a loss of each choice in a table: nothing has to be guessed."""

from itertools import product

import numpy as np

from dfedsam.context import Oracle, QueryCounter
from dfedsam.objectives.base import ALL_ROWS, Problem
from dfedsam.objectives.categorical import Categorical
from dfedsam.random import RandomStream

TOKENS, CANDIDATES = 2, 3
CHOICES = list(product(range(CANDIDATES), repeat=TOKENS))


class Table(Problem):
    """Losses of the nine prompts of two tokens over three candidates."""

    def __init__(self, form: str) -> None:
        self.categorical = Categorical(tokens=TOKENS, candidates=CANDIDATES, form=form)
        self.dim = TOKENS * CANDIDATES
        alone = np.add.outer([1.0, 0.0, 2.0], [2.0, 1.0, 0.0])  # what each token does by itself; one prompt is best
        self.table = 5 + alone + 0.3 * np.random.default_rng(3).normal(size=alone.shape)

    def start(self):
        return self.categorical.start()

    def minibatch(self, stream, rows=ALL_ROWS):
        return np.zeros((len(stream.peers), 1))

    def losses(self, x, batch, rows=ALL_ROWS):
        rows = self.categorical.rows(x)
        assert ((rows == 0) | (rows == 1)).all()
        np.testing.assert_array_equal(rows.sum(axis=-1), 1)
        return np.einsum("pqv,pqw,vw->pq", rows[..., 0, :], rows[..., 1, :], self.table)

    def expected(self, chances):
        """The expected loss, prompt by prompt, of probabilities (tokens, candidates)."""
        return sum(self.table[choice] * np.prod(chances[range(TOKENS), choice]) for choice in CHOICES)

    def evaluate(self, x):
        return {"loss": np.array([self.expected(one) for one in self.categorical.probabilities(x)])}


def asked(problem: Table, peers: int) -> Oracle:
    """A minibatch of many peers of one mind."""
    key = RandomStream(0, "", 0, 0, range(peers))
    return Oracle(problem, np.zeros((peers, 1)), slice(0, peers), key, QueryCounter.zero(peers))

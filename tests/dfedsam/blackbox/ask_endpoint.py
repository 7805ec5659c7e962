"""Asks an endpoint for 15 answers a seed, as a rank of its own; prints what it hears of each seed, "" for all of them.

python -m tests.dfedsam.blackbox.ask_endpoint CACHE URL MODEL BUDGET SEED …
"""

import sys

import numpy as np

from dfedsam.blackbox import EndpointConfig
from dfedsam.blackbox.base import TaskSpec
from dfedsam.data.split import Examples
from dfedsam.errors import BudgetExceeded

TEXTS = ("a text about the graph", "it was not very good", "sum", "a plot of the line", "the root", "loss")


def ask(cache: str, url: str, model: str, budget: int, seed: int) -> str:
    """The budget's message, or nothing."""
    config = EndpointConfig(url=url, served="m", logprobs=1000, cache_path=cache, budget_requests=budget)
    examples = Examples(texts=TEXTS, labels=np.zeros(len(TEXTS), np.int64), classes=(0, 1))
    box = config.build(TaskSpec(model=model, words=("bad", "great"), examples=examples, prompt="a film"))
    prompts = np.random.default_rng(seed).normal(size=(2, 3, 4, 16)).astype(np.float32)
    try:
        box.scores(prompts, np.array([[0, 3, 2], [5, 1, -1]]))
    except BudgetExceeded as error:
        return str(error)
    return ""


if __name__ == "__main__":
    cache, url, model, budget, *seeds = sys.argv[1:]
    print([ask(cache, url, model, int(budget), int(seed)) for seed in seeds])

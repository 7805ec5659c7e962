"""What test_endpoint.py and test_endpoint_budget.py share."""

from pathlib import Path

import numpy as np

from dfedsam.blackbox import EndpointConfig
from dfedsam.blackbox.base import TaskSpec
from dfedsam.data.split import Examples
from tests.dfedsam.blackbox.completions_server import Server
from tests.dfedsam.blackbox.language_models import TEXTS

EXAMPLES = np.array([[0, 3, 2], [5, 1, -1]])


def task(folder: Path) -> TaskSpec:
    examples = Examples(texts=TEXTS, labels=np.zeros(len(TEXTS), np.int64), classes=(0, 1))
    return TaskSpec(model=str(folder), words=("bad", "great"), examples=examples, prompt="a film")


def endpoint(server: Server, tmp_path: Path, **options) -> EndpointConfig:
    usual = {"url": server.url, "served": "m", "backoff": 0.01, "cache_path": str(tmp_path / "answers.sqlite")}
    return EndpointConfig(**{"logprobs": 1000, **usual, **options})

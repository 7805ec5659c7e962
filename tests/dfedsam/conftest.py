"""A small sentence encoder with random weights, a small data set, and a cache folder of the tests' own."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from tests.dfedsam.blackbox.completions_server import KEY, Server, serve

WORDS = [
    "a",
    "text",
    "about",
    "good",
    "bad",
    "film",
    "graph",
    "node",
    "edge",
    "plot",
    "line",
    "loss",
    "layer",
    "sum",
    "root",
    "of",
    "the",
    "is",
    "was",
    "it",
    "and",
    "not",
    "very",
]


@pytest.fixture(scope="session")
def cache_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Shared by the tests, so that docstrings are read once."""
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(autouse=True)
def _own_cache(cache_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DFEDSAM_CACHE", str(cache_folder))


@pytest.fixture(scope="session")
def encoder_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of a two-layer BERT of width 16 over a few whole words."""
    import torch
    import transformers

    folder = tmp_path_factory.mktemp("encoder")
    (folder / "vocab.txt").write_text("\n".join(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *WORDS]))
    transformers.logging.disable_progress_bar()
    transformers.BertTokenizer(str(folder / "vocab.txt")).save_pretrained(folder)
    torch.manual_seed(0)
    config = transformers.BertConfig(
        vocab_size=5 + len(WORDS),
        hidden_size=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=32,
        max_position_embeddings=64,
        initializer_range=0.3,  # so that what is read depends on the prompt
    )
    transformers.BertModel(config).save_pretrained(folder)
    transformers.logging.enable_progress_bar()
    return folder


@pytest.fixture(scope="session")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Folders of small masked and causal language models, by family."""
    from tests.dfedsam.blackbox.language_models import CAUSAL, MASKED, build

    return {kind: build(kind, tmp_path_factory.mktemp(kind)) for kind in (*MASKED, *CAUSAL)}


@pytest.fixture(scope="session")
def reviews(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file of 60 made-up reviews of two classes."""
    words = ["film", "plot", "line", "it", "was", "is", "very", "not", "the", "a"]
    random = np.random.default_rng(0)
    labels = random.integers(2, size=60)
    texts = [" ".join([*random.choice(words, size=random.integers(2, 7)), ("bad", "good")[label]]) for label in labels]
    path = tmp_path_factory.mktemp("reviews") / "reviews.csv"
    pd.DataFrame({"text": texts, "label": labels}).to_csv(path, index=False)
    return path


@pytest.fixture
def server(folders: dict[str, Path], monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    """A service that answers as gpt2's folder, and takes one key."""
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    with serve(folders["gpt2"]) as running:
        yield running

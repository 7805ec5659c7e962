"""Fixtures of these tests."""

from pathlib import Path

import pytest

from dfedsam.data.split import Dirichlet


@pytest.fixture
def options(reviews: Path, encoder_folder: Path) -> dict:
    return {
        "data": str(reviews),
        "words": "bad, good",
        "model": str(encoder_folder),
        "prompt": "a film",
        "min_examples": 3,
        "split": Dirichlet(alpha=1.0),
    }

"""Vectors on disk: made once, whole, and again when something they depend on has changed."""

from pathlib import Path

import numpy as np
import pytest

from dfedsam.blackbox import local
from dfedsam.phases import listening

IDS = [[3, 1], [2], [5, 6, 7], [2, 9], [8]]


class Embedder:
    """Says what a text is, and counts how many it was asked for."""

    asked = 0

    def __call__(self, numbers: np.ndarray) -> np.ndarray:
        self.asked += len(numbers)
        return np.array([[sum(IDS[i]), len(IDS[i])] for i in numbers], dtype=np.float32)


@pytest.fixture(autouse=True)
def _fresh(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DFEDSAM_CACHE", str(tmp_path))
    monkeypatch.setattr(local, "CHUNK", 2)


def test_vectors_come_in_the_texts_order_and_are_made_once() -> None:
    embed = Embedder()
    for _ in range(3):
        vectors = local.cached_vectors("model", IDS, embed)
        assert vectors.tolist() == [[4, 2], [2, 1], [18, 3], [11, 2], [8, 1]]
    assert embed.asked == len(IDS)


def test_progress_counts_texts() -> None:
    said: list[tuple[str, int, int]] = []
    with listening(lambda *report: said.append(report)):
        local.cached_vectors("model", IDS, Embedder())
    assert {(what, total) for what, _, total in said} == {("embedding texts", len(IDS))}
    done = [number for _, number, _ in said]
    assert done[0] == 0
    assert done[-1] == len(IDS)
    assert set(np.diff(done)) == {1, 2}


def test_another_model_has_its_own() -> None:
    embed = Embedder()
    local.cached_vectors("model", IDS, embed)
    local.cached_vectors("other model", IDS, embed)
    assert embed.asked == 2 * len(IDS)


def test_a_file_cut_short_is_made_again(tmp_path: Path) -> None:
    embed = Embedder()
    expected = local.cached_vectors("model", IDS, embed)
    for path in (tmp_path / "vectors").iterdir():
        path.write_bytes(path.read_bytes()[:-3])
    assert np.array_equal(local.cached_vectors("model", IDS, embed), expected)
    assert embed.asked == 2 * len(IDS)


def test_nothing_half_written_is_left(tmp_path: Path) -> None:
    local.cached_vectors("model", IDS, Embedder())
    assert {path.suffix for path in (tmp_path / "vectors").iterdir()} == {".npy"}
    assert len(list((tmp_path / "vectors").iterdir())) == 3

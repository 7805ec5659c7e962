"""Folders that sentence-transformers has written give the similarities that it gives itself."""

import json
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch

from dfedsam.blackbox import models, sentence_folder
from dfedsam.blackbox.sentence_folder import POOLINGS
from tests.dfedsam.blackbox.test_dual_encoder import CLASSES, TEXTS, box


def write(folder: Path, encoder: Path, pooling: str, *, inner: str, dense: bool) -> Path:
    """A folder by sentence-transformers itself, its transformer at `inner` as its early versions have it."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        library = pytest.importorskip("sentence_transformers")
        from sentence_transformers.base.modules import Dense, Transformer
        from sentence_transformers.sentence_transformer.modules import Normalize, Pooling
    transformer = Transformer(str(encoder), max_seq_length=9)
    parts = [transformer, Pooling(16, pooling_mode=pooling)]
    if dense:
        torch.manual_seed(3)
        parts.append(Dense(16, 8, activation_function=torch.nn.Tanh()))
    library.SentenceTransformer(modules=[*parts, Normalize()], device="cpu").save(str(folder))
    if inner:
        (folder / inner).mkdir()
        for path in [path for path in folder.iterdir() if path.is_file() and path.name != "modules.json"]:
            path.rename(folder / inner / path.name)
        listed = json.loads((folder / "modules.json").read_text())
        listed[0]["path"] = inner
        (folder / "modules.json").write_text(json.dumps(listed))
    return folder


@pytest.mark.parametrize(
    ("pooling", "inner", "dense"),
    [("mean", "", True), ("cls", "0_Transformer", False), ("weightedmean", "", False), ("lasttoken", "", True)],
)
def test_cosines_are_the_librarys(encoder_folder, tmp_path: Path, pooling: str, inner: str, dense: bool) -> None:
    folder = write(tmp_path / "model", encoder_folder, pooling, inner=inner, dense=dense)
    made = box(folder, texts=(*TEXTS, "a text about the graph and the edge and the line and the plot"), scale=1.0)
    library = pytest.importorskip("sentence_transformers").SentenceTransformer(str(folder), device="cpu")
    own = library.encode([*CLASSES], show_progress_bar=False, convert_to_numpy=True)
    texts = [*TEXTS, "a text about the graph and the edge"]  # the long one is cut, at 7 tokens beside two
    vectors = library.encode(texts, show_progress_bar=False, convert_to_numpy=True)
    scores = made.zero_shot(np.arange(len(texts)))
    np.testing.assert_allclose(scores, vectors @ own.T, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("how", POOLINGS)
def test_padding_changes_no_pooling(how: str) -> None:
    hidden = torch.randn(1, 5, 3, dtype=torch.float64)
    padded = torch.cat([hidden, torch.full((1, 2, 3), 7.0, dtype=torch.float64)], dim=1)
    mask, length = torch.arange(7)[None] < 5, torch.tensor([5])
    bare = sentence_folder.pooled(hidden, None, length, how)
    torch.testing.assert_close(sentence_folder.pooled(padded, mask, length, how), bare)
    steps = torch.arange(1, 6, dtype=torch.float64)[:, None]
    expected = {
        "mean": hidden[0].mean(0),
        "cls": hidden[0, 0],
        "max": hidden[0].max(0).values,
        "lasttoken": hidden[0, 4],
        "weightedmean": (steps * hidden[0]).sum(0) / 15,
        "mean_sqrt_len_tokens": hidden[0].sum(0) / 5**0.5,
    }
    torch.testing.assert_close(bare[0], expected[how])


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({"modules.json": '[{"type": "models.CLIPModel", "path": ""}]'}, "its module CLIPModel is"),
        ({"1_Pooling/config.json": '{"pooling_mode_mean_tokens": true, "pooling_mode_cls_token": true}'}, "and cls"),
        ({"1_Pooling/config.json": '{"pooling_mode": "median"}'}, "the pooling median; one of mean, cls"),
    ],
)  # fmt: skip
def test_what_is_not_supported_is_named(tmp_path: Path, files: dict[str, str], message: str) -> None:
    for name, text in {"config.json": "{}", **files}.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    with pytest.raises(ValueError, match=f"model is {tmp_path}: .*{message}"):
        models.load(str(tmp_path), torch.float32)

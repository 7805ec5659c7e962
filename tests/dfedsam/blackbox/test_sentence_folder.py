"""Folders that sentence-transformers has written give the similarities that it gives itself."""

import json
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch

from dfedsam.blackbox import loading
from tests.dfedsam.blackbox.test_dual_encoder import CLASSES, TEXTS, box


def write(folder: Path, encoder: Path, pooling: str, *, inner: str, dense: bool) -> Path:
    """A folder by sentence-transformers itself, its transformer at `inner` as its early versions have it."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import sentence_transformers as library
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
@pytest.mark.parametrize("pads", [False, True])
def test_cosines_are_the_librarys(
    encoder_folder, tmp_path: Path, pooling: str, inner: str, dense: bool, pads: bool
) -> None:
    folder = write(tmp_path / "model", encoder_folder, pooling, inner=inner, dense=dense)
    made = box(folder, texts=(*TEXTS, "a text about the graph and the edge and the line and the plot"), scale=1.0)
    import sentence_transformers

    library = sentence_transformers.SentenceTransformer(str(folder), device="cpu")
    own = library.encode([*CLASSES], show_progress_bar=False, convert_to_numpy=True)
    texts = [*TEXTS, "a text about the graph and the edge"]  # the long one is cut, at 7 tokens beside two
    vectors = library.encode(texts, show_progress_bar=False, convert_to_numpy=True)
    made._forward.batches.pads = pads
    scores = made.zero_shot(np.arange(len(texts)))
    np.testing.assert_allclose(scores, vectors @ own.T, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    "modules", ['[{"type": "models.CLIPModel", "path": ""}]', "no JSON", '[{"type": "os.system", "path": ""}]']
)
def test_what_is_not_supported_is_named(tmp_path: Path, modules: str) -> None:
    (tmp_path / "modules.json").write_text(modules)
    with pytest.raises(ValueError, match=f"model is {tmp_path}: it must be readable, but") as caught:
        loading.load(str(tmp_path), torch.float32)
    assert "\n" not in str(caught.value)

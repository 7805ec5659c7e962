"""Loading what an endpoint's requests need of a model: its tokenizer, or its token embeddings alone."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch

from dfedsam.blackbox.loading import CAUSAL_LM, as_option_errors, check_kind, metadata_folder, quiet, source_arguments
from dfedsam.blackbox.locate import locate
from dfedsam.errors import OptionError

_GGUF = "token_embd.weight"  # the name of the embeddings in GGUF files


def load_tokenizer(name: str) -> tuple[Any, int]:
    """A model's tokenizer, and the maximum number of tokens that the model reads.

    Args:
        name: as for `load`.

    Raises:
        OptionError: if it cannot be found or read.
    """
    import transformers

    root = locate(name)
    with quiet(), as_option_errors(name, root):
        folder = metadata_folder(root)
        tokenizer = transformers.AutoTokenizer.from_pretrained(**source_arguments(folder))
        config = transformers.AutoConfig.from_pretrained(**source_arguments(folder))
    most = getattr(config.get_text_config(), "max_position_embeddings", None) or 1 << 30
    return tokenizer, min(tokenizer.model_max_length, most)


def load_embeddings(name: str) -> torch.nn.Module:
    """A causal language model's embedding module, float32; the model itself is not loaded.

    Args:
        name: as for `load`.

    Raises:
        OptionError: if it is no causal language model, or has no token embeddings in safetensors files.
    """
    import transformers

    root = locate(name)
    with quiet(), as_option_errors(name, root):
        config = transformers.AutoConfig.from_pretrained(**source_arguments(metadata_folder(root)))
        check_kind(name, config, CAUSAL_LM)
        with _parameters_on_meta():
            model = transformers.AutoModelForCausalLM.from_config(config, trust_remote_code=False)
    embeddings = model.get_input_embeddings()
    whole = next(path for path, module in model.named_modules() if module is embeddings) + ".weight"
    table = _gguf_table(root) if root.is_file() else _safetensors_table(root, whole, model.base_model_prefix)
    if table is None:
        rule = f"must have {whole} in safetensors files, from which prompts are embedded, but {root} has none"
        raise OptionError("model", name, rule)
    embeddings.weight = torch.nn.Parameter(table.float(), requires_grad=False)
    return embeddings


def _safetensors_table(folder: Path, name: str, prefix: str) -> torch.Tensor | None:
    """The tensor of this name, with the model's prefix or without, or, in a multimodal model, of the same end."""
    from safetensors import safe_open

    bare = name.removeprefix(f"{prefix}.")
    for tensor in (name, bare, f"language_model.{name}", f"language_model.{bare}", f"model.language_model.{bare}"):
        file = _file_of(folder, tensor)
        if file is not None:
            with safe_open(file, "pt") as tensors:
                return tensors.get_tensor(tensor)
    return None


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


def _file_of(folder: Path, tensor: str) -> Path | None:
    """The safetensors file in the folder that holds a tensor."""
    from safetensors import safe_open

    index = folder / "model.safetensors.index.json"
    if index.is_file():
        name = json.loads(index.read_text())["weight_map"].get(tensor)
        return None if name is None else folder / name
    file = folder / "model.safetensors"
    if not file.is_file():
        return None
    with safe_open(file, "pt") as tensors:
        return file if tensor in tensors.keys() else None  # noqa: SIM118  (it is no dict)

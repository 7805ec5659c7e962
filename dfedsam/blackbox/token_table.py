"""The token embeddings of a model's folder, alone: the model itself is never loaded."""

import json
from pathlib import Path
from typing import Any

import torch

from dfedsam.blackbox import models


def load(name: str) -> tuple[Any, int, torch.Tensor]:
    """The tokenizer, how many tokens the model reads, and its table of embeddings (vocabulary, width), float32.

    Raises:
        ValueError: if the folder is not that of a causal language model, or has no such table in safetensors files.
    """
    import transformers
    from safetensors import safe_open

    folder = models.locate(name)
    try:
        config = transformers.AutoConfig.from_pretrained(folder)
        models.check_kind(name, config, models.CAUSAL_LM)
        tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
        with torch.device("meta"):
            model = transformers.AutoModelForCausalLM.from_config(config)
    except models.UnsupportedError as error:
        raise ValueError(str(error)) from None
    except Exception as error:
        reason = (str(error).splitlines() or [""])[0][:200]
        raise ValueError(f"model is {name}: {folder} cannot be read ({type(error).__name__}: {reason})") from None
    embeddings = model.get_input_embeddings()
    whole = next(path for path, module in model.named_modules() if module is embeddings) + ".weight"
    for tensor in (whole, whole.removeprefix(model.base_model_prefix + ".")):
        file = _file_of(folder, tensor)
        if file is not None:
            with safe_open(file, "pt") as tensors:
                table = tensors.get_tensor(tensor).float()
            reads = min(tokenizer.model_max_length, getattr(config, "max_position_embeddings", 1 << 30))
            return tokenizer, reads, table
    raise ValueError(f"model is {name}: {folder} has no {whole} in safetensors files, from which prompts are embedded")


def _file_of(folder: Path, tensor: str) -> Path | None:
    """The file of the folder that holds a tensor."""
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

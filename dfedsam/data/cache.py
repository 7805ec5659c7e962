"""A folder of the user's for what is slow to make and can always be made again."""

import contextlib
import os
import tempfile
from pathlib import Path


def folder() -> Path:
    """The cache folder: $DFEDSAM_CACHE, else $XDG_CACHE_HOME/dfedsam, else ~/.cache/dfedsam. It need not exist."""
    own = os.environ.get("DFEDSAM_CACHE")
    if own:
        return Path(own)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "dfedsam"


def write(path: Path, content: bytes) -> None:
    """Put `content` at `path`, whole or not at all: written beside and renamed, so that ranks may do it at once.

    A cache that cannot be written (a full or read-only disk) only costs time, so such errors are passed over.
    """
    with contextlib.suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, beside = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(content)
            os.replace(beside, path)
        except OSError:
            os.unlink(beside)
            raise

"""What is slow to make is kept in the user's cache folder, the one that `dfedsam.data.cache` has."""

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


def keep(path: Path, content: bytes, *, replace: bool) -> None:
    """Put `content` at `path`, whole or not at all: written beside and given its name when it is complete.

    A cache that cannot be written only costs time, so such errors are passed over.

    Args:
        path: Where to; folders that are missing are made.
        content: All of it.
        replace: Whether it takes the place of a file that is there; if not, the first of several that write at once
            has its way, and who reads afterwards reads the same as all others.
    """
    with contextlib.suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, beside = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(content)
            if replace:
                os.replace(beside, path)
            else:
                os.link(beside, path)
        finally:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(beside)

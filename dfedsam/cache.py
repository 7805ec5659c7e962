"""The user's cache folder, for results that are slow to compute and can be recomputed."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

from dfedsam.whole_files import temporary_name


def cache_folder() -> Path:
    """The cache folder: $DFEDSAM_CACHE, else the platform's, such as ~/.cache/dfedsam. It need not exist."""
    chosen = os.environ.get("DFEDSAM_CACHE")
    if chosen:
        return Path(chosen)
    import platformdirs

    return Path(platformdirs.user_cache_dir("dfedsam", appauthor=False))


def store(path: Path, content: bytes, *, replace: bool = True) -> None:
    """Write `content` to `path` atomically, even if several processes do so at the same time.

    A cache that cannot be written, as on a full or read-only disk, only costs time: such errors are ignored.

    Args:
        path: the file; missing folders are created.
        content: the file's content.
        replace: whether to replace an existing file; otherwise the first of several writers wins.
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

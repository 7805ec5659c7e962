"""The state of a run in one file that is whole or absent, and can be read back on any number of ranks.

A checkpoint is a safetensors file: an array of n rows, in peer order, for each array of the state, a checksum for each
peer's rows, and a note in its metadata with a checksum of its own. Each rank writes its rows straight to their offsets
in a temporary file, which is fsynced and renamed over the checkpoint. So no rank ever holds more than its own rows, and
a run that is killed leaves the last checkpoint whole.
"""

from __future__ import annotations

import errno
import json
import os
import struct
import zlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open

from dfedsam.communication import Communicator
from dfedsam.errors import FileError
from dfedsam.peers import Peers, segments
from dfedsam.run_folder import run_again
from dfedsam.whole_files import temporary_name

FORMAT = 2  # increased when readers of this version could no longer read the file
CHECKSUM = "checksum"
"""Name of the array that holds a CRC-32 of each peer's rows."""
_DTYPES = {  # numpy's types under the names of the safetensors format
    "float64": "F64", "float32": "F32", "float16": "F16", "int64": "I64", "int32": "I32", "int16": "I16", "int8": "I8",
    "uint64": "U64", "uint32": "U32", "uint16": "U16", "uint8": "U8", "bool": "BOOL",
}  # fmt: skip
_PIECE = 1 << 26  # bytes given to the system at once
_GAP = 1 << 14  # gaps between a rank's rows below so many bytes are read rather than skipped


def save(path: Path | str, arrays: Mapping[str, NDArray], meta: Mapping[str, Any], communicator: Communicator) -> None:
    """Write the state of all peers; a collective call. The file must be on a file system that all ranks share.

    Args:
        path: the checkpoint; an older one is replaced once the new one is safely on disk.
        arrays: the block's part of the state, name → (b, …); names, types and widths are the same on every rank.
        meta: further values that a resume needs, in JSON's types; the root's are saved.
        communicator: the partition of rows over ranks.

    Raises:
        OSError: on every rank, if one of them could not write; the old checkpoint is kept.
    """
    path = Path(path)
    temporary = communicator.broadcast(temporary_name(path))
    arrays = {**arrays, CHECKSUM: _checksums(arrays, len(communicator.block))}
    header, offsets = _layout(arrays, communicator.broadcast(dict(meta)), communicator.peers)  # clocks differ by rank
    try:
        _together(path, lambda: temporary.write_bytes(header) if communicator.is_root else None, communicator)
        _together(path, lambda: _write(temporary, arrays, offsets, communicator.block), communicator)
        _together(path, lambda: _rename(temporary, path) if communicator.is_root else None, communicator)
    except OSError:
        if communicator.is_root:
            temporary.unlink(missing_ok=True)
        raise


def load(path: Path | str, communicator: Communicator) -> tuple[dict[str, NDArray], dict[str, Any]]:
    """Read the block's rows, and the note that was saved with them: (name → (b, …), meta).

    Raises:
        FileError: the file is missing, cut short, damaged, not a checkpoint of ours, or of another number of peers.
    """
    try:
        with safe_open(path, framework="numpy") as file:
            meta = _meta(path, file.metadata(), communicator.peers)
            names = list(file.keys())
            arrays = {name: _rows(path, file, name, communicator) for name in names}
    except FileNotFoundError:
        raise FileError(path, "the checkpoint does not exist", _again(path)) from None
    except (SafetensorError, OSError) as error:
        problem = f"cannot be read: it is cut short, or no safetensors file ({error})"
        raise FileError(path, problem, _again(path)) from None
    stored = arrays.pop(CHECKSUM, None)
    if stored is None or not np.array_equal(stored, _checksums(arrays, len(communicator.block))):
        raise FileError(path, "is damaged: its rows do not have their checksum", _again(path))
    return arrays, meta


def _again(path: Path | str) -> str:
    """What to do about a checkpoint that cannot be read."""
    return run_again(Path(path).parent)


def _checksums(arrays: Mapping[str, NDArray], peers: int) -> NDArray[np.uint32]:
    """CRC-32 of each peer's rows of all arrays, with their names, types and widths."""
    sums = [0] * peers
    for name in sorted(arrays):
        array = np.ascontiguousarray(arrays[name])
        start = zlib.crc32(f"{name} {array.dtype.name} {array.shape[1:]}".encode())
        rows = [row.data for row in array.reshape(peers, -1).view(np.uint8)] if array.size else [b""] * peers
        sums = [zlib.crc32(row, earlier ^ start) for row, earlier in zip(rows, sums, strict=True)]
    return np.array(sums, np.uint32)


def _rows(path: Path | str, file: Any, name: str, communicator: Communicator) -> NDArray:
    rows = file.get_slice(name)
    count = (rows.get_shape() or [0])[0]
    if count != communicator.peers:
        problem = f"is damaged: array {name} has {count} rows for {communicator.peers} peers"
        raise FileError(path, problem, _again(path))
    gap = _GAP / max(1, 8 * int(np.prod(rows.get_shape()[1:])))
    parts = [
        rows[some.start : some.stop] if places is None else rows[some.start : some.stop][places]
        for some, _, places in segments(communicator.block, gap)
    ]
    return parts[0] if len(parts) == 1 else np.concatenate(parts)


def _layout(arrays: Mapping[str, NDArray], meta: Mapping[str, Any], peers: int) -> tuple[bytes, dict[str, int]]:
    """The file's header, and the offset of each array in the file."""
    text = json.dumps(meta)
    note = json.dumps({"format": FORMAT, "peers": peers, "checksum": zlib.crc32(text.encode()), "meta": text})
    entries: dict[str, Any] = {"__metadata__": {"dfedsam": note}}
    ends = 0
    for name, array in arrays.items():
        size = peers * array.itemsize * int(np.prod(array.shape[1:]))
        shape = [peers, *array.shape[1:]]
        entries[name] = {"dtype": _DTYPES[array.dtype.name], "shape": shape, "data_offsets": [ends, ends + size]}
        ends += size
    head = json.dumps(entries).encode()
    head += b" " * (-len(head) % 8)  # the format wants the rows aligned
    header = struct.pack("<Q", len(head)) + head
    return header, {name: len(header) + entries[name]["data_offsets"][0] for name in arrays}


def _write(path: Path, arrays: Mapping[str, NDArray], offsets: Mapping[str, int], peers: Peers) -> None:
    file = os.open(path, os.O_WRONLY)
    try:
        for name, array in arrays.items():
            content = np.ascontiguousarray(array).reshape(-1).view(np.uint8).data
            row = len(content) // len(peers)
            for some, rows, _ in segments(peers, gap=0):
                piece, offset = content[rows.start * row : rows.stop * row], offsets[name] + some.start * row
                while len(piece):
                    written = os.pwrite(file, piece[:_PIECE], offset)
                    piece, offset = piece[written:], offset + written
        os.fsync(file)
    finally:
        os.close(file)


def _rename(temporary: Path, path: Path) -> None:
    temporary.replace(path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)  # makes the file's new name durable
    finally:
        os.close(folder)


def _together(path: Path, action: Callable[[], object], communicator: Communicator) -> None:
    """Call a function on every rank; raise on all of them if one fails."""
    reason = None
    try:
        action()
    except OSError as error:
        reason = error.strerror or str(error)
    reason = communicator.first(reason)
    if reason is not None:
        raise OSError(errno.EIO, f"the checkpoint could not be written ({reason}), and the last one is kept", str(path))


def _meta(path: Path | str, metadata: Mapping[str, str] | None, peers: int) -> dict[str, Any]:
    try:
        note = json.loads((metadata or {})["dfedsam"])
        version, saved = note["format"], note["peers"]
    except (KeyError, TypeError, ValueError):
        raise FileError(path, "is damaged, or not a checkpoint of dfedsam", _again(path)) from None
    if version != FORMAT:
        problem = f"has format {version}, and this version of dfedsam knows format {FORMAT}"
        raise FileError(path, problem, "resume with the version that wrote it")
    if saved != peers:
        raise FileError(path, f"holds {saved} peers, but this run has {peers}")
    try:
        text = note["meta"]
        if zlib.crc32(text.encode()) != note["checksum"]:
            raise ValueError("checksum")
        return json.loads(text)
    except (KeyError, TypeError, ValueError, AttributeError):
        raise FileError(path, "is damaged: its note does not have its checksum", _again(path)) from None

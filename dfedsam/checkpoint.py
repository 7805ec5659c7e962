"""The state of a run in one file that is whole or absent, and can be read back on any number of ranks.

A checkpoint is a safetensors file: an array of n rows, in peer order, for each part of the state, and a note in its
metadata. Each rank writes its own rows straight to their place in a file beside, which is flushed and then takes the
old one's name. So no rank ever holds more than its own rows, and a run that is killed leaves the last checkpoint whole.
"""

import json
import os
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open

from dfedsam.communication import Communicator
from dfedsam.peers import Peers, segments

FORMAT = 1  # raised when a reader of this version could no longer read the file
_NAMES = {  # numpy's types under the names of the safetensors format
    "float64": "F64", "float32": "F32", "float16": "F16", "int64": "I64", "int32": "I32", "int16": "I16", "int8": "I8",
    "uint64": "U64", "uint32": "U32", "uint16": "U16", "uint8": "U8", "bool": "BOOL",
}  # fmt: skip
_PIECE = 1 << 26  # bytes given to the system at once
_NEAR = 1 << 14  # bytes that are read sooner than passed over


def save(path: str | Path, arrays: Mapping[str, NDArray], meta: Mapping[str, Any], communicator: Communicator) -> None:
    """Write the state of all peers; a collective call. The file must be on a disk that all ranks share.

    Args:
        path: the checkpoint; one that is there is replaced once the new one is safely on disk.
        arrays: the block's part of the state, name → (b, ...); names, types and widths are the same on every rank.
        meta: what else is needed to go on; anything JSON can hold. The root's is kept.

    Raises:
        OSError: on every rank, when one of them could not write; the old checkpoint is still there.
    """
    path = Path(path)
    beside = path.with_name(path.name + ".part")
    header, places = _layout(
        arrays, communicator.broadcast(dict(meta)), communicator.peers
    )  # clocks differ; offsets must not
    error: OSError | None = None
    if communicator.is_root:
        try:
            with open(beside, "wb") as file:
                file.write(header)
        except OSError as caught:
            error = caught
    _all_well(error, communicator)
    try:
        _write(beside, arrays, places, communicator.block)
    except OSError as caught:
        error = caught
    _all_well(error, communicator)
    if communicator.is_root:
        try:
            os.replace(beside, path)
            _flush(path.parent)
        except OSError as caught:
            error = caught
    _all_well(error, communicator)


def load(path: str | Path, communicator: Communicator) -> tuple[dict[str, NDArray], dict[str, Any]]:
    """Read the block's rows, and the note that was saved with them: (name → (b, ...), meta).

    Raises:
        ValueError: the file is missing, cut short, not a checkpoint of ours, or of another number of peers.
    """
    try:
        with safe_open(path, framework="numpy") as file:
            meta = _meta(path, file.metadata())
            if meta["peers"] != communicator.peers:
                raise ValueError(f"checkpoint {path} is of {meta['peers']} peers: this run has {communicator.peers}")
            return {name: _rows(path, file, name, communicator) for name in file.keys()}, meta["meta"]  # noqa: SIM118
    except FileNotFoundError:
        raise ValueError(f"checkpoint {path} is not there: check the run's folder") from None
    except (SafetensorError, OSError) as error:
        raise ValueError(
            f"checkpoint {path} cannot be read: it is cut short or no safetensors file ({error})"
        ) from None


def _rows(path: str | Path, file: Any, name: str, communicator: Communicator) -> NDArray:
    rows = file.get_slice(name)
    count = (rows.get_shape() or [0])[0]
    if count != communicator.peers:
        raise ValueError(
            f"checkpoint {path} is not sound: array {name} has {count} rows for {communicator.peers} peers"
        )
    near = _NEAR / max(1, 8 * int(np.prod(rows.get_shape()[1:])))
    parts = [
        rows[some.start : some.stop] if places is None else rows[some.start : some.stop][places]
        for some, _, places in segments(communicator.block, near)
    ]
    return parts[0] if len(parts) == 1 else np.concatenate(parts)


def _layout(arrays: Mapping[str, NDArray], meta: Mapping[str, Any], peers: int) -> tuple[bytes, dict[str, int]]:
    """The file's header, and where the rows of each array begin."""
    note = json.dumps({"format": FORMAT, "peers": peers, "meta": dict(meta)})
    entries: dict[str, Any] = {"__metadata__": {"dfedsam": note}}
    ends = 0
    for name, array in arrays.items():
        size = peers * array.itemsize * int(np.prod(array.shape[1:]))
        shape = [peers, *array.shape[1:]]
        entries[name] = {"dtype": _NAMES[array.dtype.name], "shape": shape, "data_offsets": [ends, ends + size]}
        ends += size
    text = json.dumps(entries).encode()
    text += b" " * (-len(text) % 8)  # the format wants the rows aligned
    header = struct.pack("<Q", len(text)) + text
    return header, {name: len(header) + entries[name]["data_offsets"][0] for name in arrays}


def _write(path: Path, arrays: Mapping[str, NDArray], places: Mapping[str, int], peers: Peers) -> None:
    file = os.open(path, os.O_WRONLY)
    try:
        for name, array in arrays.items():
            content = np.ascontiguousarray(array).reshape(-1).view(np.uint8).data
            row = len(content) // len(peers)
            for some, rows, _ in segments(peers, gap=0):
                part, place = content[rows.start * row : rows.stop * row], places[name] + some.start * row
                while len(part):
                    written = os.pwrite(file, part[:_PIECE], place)
                    part, place = part[written:], place + written
        os.fsync(file)
    finally:
        os.close(file)


def _flush(folder: Path) -> None:
    """Make the file's new name as lasting as its content."""
    file = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(file)
    finally:
        os.close(file)


def _all_well(error: OSError | None, communicator: Communicator) -> None:
    """Raise on every rank if one of them has failed."""
    message = communicator.first(None if error is None else str(error))
    if message is not None:
        raise OSError(f"the checkpoint could not be written, the last one is kept: {message}") from error


def _meta(path: str | Path, metadata: Mapping[str, str] | None) -> dict[str, Any]:
    try:
        meta = json.loads((metadata or {})["dfedsam"])
        version, _ = meta["format"], (meta["peers"], meta["meta"])
    except (KeyError, TypeError, ValueError):
        raise ValueError(
            f"checkpoint {path} was not written by dfedsam: give a checkpoint.safetensors of a run"
        ) from None
    if version != FORMAT:
        raise ValueError(
            f"checkpoint {path} has format {version}: this version reads {FORMAT}; use the one that wrote it"
        )
    return meta

"""A checkpoint is whole or absent, and does not know how many ranks wrote it."""

import json
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from dfedsam import checkpoint
from dfedsam.communication import SingleProcess
from dfedsam.errors import FileError
from tests.dfedsam.states import META, PEERS, same, state
from tests.mpi import mpirun

SCRIPT = Path(__file__).with_name("checkpoint_on_ranks.py")


def saved(folder, shift=0):
    path = folder / "checkpoint.safetensors"
    checkpoint.save(path, state(shift), META, SingleProcess(PEERS))
    return path


def test_what_is_saved_is_loaded(tmp_path):
    arrays, meta = checkpoint.load(saved(tmp_path), SingleProcess(PEERS))
    assert same(arrays, state())
    assert meta == META


def test_the_file_is_plain_safetensors(tmp_path):
    arrays = load_file(saved(tmp_path))
    assert arrays.pop(checkpoint.CHECKSUM).shape == (PEERS,)
    assert same(arrays, state())


@pytest.mark.parametrize("flip", range(40))
def test_one_flipped_bit_is_noticed(tmp_path, flip):
    path = saved(tmp_path)
    content = bytearray(path.read_bytes())
    bit = np.random.default_rng(flip).integers(8 * len(content))
    content[bit // 8] ^= 1 << (bit % 8)
    path.write_bytes(content)
    with pytest.raises(FileError) as caught:
        checkpoint.load(path, SingleProcess(PEERS))
    assert str(caught.value).startswith(str(path))
    assert "\n" not in str(caught.value)


def test_zeroed_rows_are_noticed(tmp_path):
    path = saved(tmp_path)
    content = path.read_bytes()
    path.write_bytes(content[:-64] + bytes(64))
    refused(path, "is damaged")


def test_a_later_checkpoint_takes_the_place_of_an_earlier_one(tmp_path):
    saved(tmp_path)
    arrays, _ = checkpoint.load(saved(tmp_path, shift=1), SingleProcess(PEERS))
    assert same(arrays, state(shift=1))
    assert [p.name for p in tmp_path.iterdir()] == ["checkpoint.safetensors"]


def test_rows_need_not_be_contiguous(tmp_path):
    path, x = tmp_path / "c", np.arange(60.0).reshape(6, 10).T
    checkpoint.save(path, {"x": x}, {}, SingleProcess(10))
    assert np.array_equal(load_file(path)["x"], x)


@pytest.mark.parametrize("placement", ["contiguous", "drawn"])
def test_saved_on_three_ranks_and_loaded_on_any_number(tmp_path, placement):
    path = tmp_path / "three"
    job = mpirun(3, [SCRIPT, "save", path, placement])
    assert job.returncode == 0, job.stderr
    assert path.read_bytes() == saved(tmp_path).read_bytes()  # so one process reads it too
    for ranks in (2, 4):
        job = mpirun(ranks, [SCRIPT, "load", path, placement])
        assert job.returncode == 0, job.stderr


@pytest.mark.parametrize("moment", ["pwrite", "replace"])
def test_killed_while_saving_the_old_checkpoint_is_whole(tmp_path, moment):
    path = saved(tmp_path)
    before = path.read_bytes()
    job = mpirun(2, [SCRIPT, "killed", path, moment])
    assert job.returncode != 0
    assert "lived on" not in job.stdout
    assert path.read_bytes() == before
    arrays, _ = checkpoint.load(saved(tmp_path, shift=2), SingleProcess(PEERS))  # what was left over is in nobody's way
    assert same(arrays, state(shift=2))


def test_a_rank_that_cannot_write_is_heard_on_all(tmp_path):
    path = saved(tmp_path)
    before = path.read_bytes()
    job = mpirun(2, [SCRIPT, "full disk", path])
    assert job.returncode == 0, job.stderr
    assert path.read_bytes() == before


def test_a_folder_that_is_not_there(tmp_path):
    with pytest.raises(OSError, match=r"the checkpoint could not be written .No such file.*, and the last one is kept"):
        saved(tmp_path / "nowhere")


def header(text):
    return struct.pack("<Q", len(text)) + text.encode()


def note(**changes):
    checksum = zlib.crc32(b"{}")
    return json.dumps({"format": checkpoint.FORMAT, "peers": PEERS, "meta": "{}", "checksum": checksum} | changes)


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda content: content[:-1], "cut short, or no safetensors file"),
        (lambda content: content[: len(content) // 2], "cut short, or no safetensors file"),
        (lambda content: content[:5], "cut short, or no safetensors file"),
        (lambda content: b"", "cut short, or no safetensors file"),
        (lambda content: b"round,loss\n1,2\n" * 50, "cut short, or no safetensors file"),
        (lambda content: content[:9] + b"\xff" + content[10:], "cut short, or no safetensors file"),
        (lambda content: header("{}"), "or not a checkpoint of dfedsam"),
    ],
)
def test_spoilt_files_are_refused_in_one_line(tmp_path, spoil, message):
    path = saved(tmp_path)
    path.write_bytes(spoil(path.read_bytes()))
    refused(path, message)


@pytest.mark.parametrize(
    ("metadata", "message"),
    [
        (None, "or not a checkpoint of dfedsam"),
        ({"format": "pt"}, "or not a checkpoint of dfedsam"),
        ({"dfedsam": "{"}, "or not a checkpoint of dfedsam"),
        ({"dfedsam": "[]"}, "or not a checkpoint of dfedsam"),
        ({"dfedsam": note(format=99)}, "has format 99, and this version of dfedsam knows format 2"),
        ({"dfedsam": note(peers=4)}, "holds 4 peers, but this run has 10"),
        ({"dfedsam": note(checksum=1)}, "is damaged: its note"),
        ({"dfedsam": note(meta=1)}, "is damaged: its note"),
        ({"dfedsam": note()}, "array x has 3 rows"),
    ],
)
def test_files_of_others_are_refused_in_one_line(tmp_path, metadata, message):
    path = tmp_path / "model.safetensors"
    save_file({"x": np.ones((3, 2))}, path, metadata=metadata)
    refused(path, message)


def test_a_missing_file_and_a_folder(tmp_path):
    refused(tmp_path / "absent", "does not exist")
    refused(tmp_path, "cannot be read")


def refused(path, message):
    with pytest.raises(ValueError, match=message) as caught:
        checkpoint.load(path, SingleProcess(PEERS))
    assert str(caught.value).startswith(str(path))
    assert "\n" not in str(caught.value)

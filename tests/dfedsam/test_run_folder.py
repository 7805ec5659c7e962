"""One reader and one writer of a run's folder: whole files, one rule for damaged lines, known formats."""

import os
import subprocess
import sys
import threading

import numpy as np
import pytest
from safetensors import safe_open

from dfedsam.errors import FileError
from dfedsam.run_folder import FORMAT, RunFolder
from dfedsam.whole_files import temporary_name, write_atomic, write_tensors

ROWS = [{"round": t, "loss": 1.0 / (t + 1)} for t in range(5)]


@pytest.fixture
def folder(tmp_path):
    folder = RunFolder(tmp_path)
    folder.write_config({"rounds": 4, "topology": {"class_path": "ring"}})
    folder.rewrite(ROWS)
    return folder


def test_what_is_written_is_read(folder):
    assert folder.read_config() == {"rounds": 4, "topology": {"class_path": "ring"}}
    assert folder.config.read_text().startswith(f"format: {FORMAT}\n")
    assert folder.read_metrics() == ROWS
    folder.append({"round": 9, "loss": 0.0})
    assert folder.last_row() == {"round": 9, "loss": 0.0}
    assert folder.read_references() == {}
    folder.write_references({"accuracy": 0.5})
    assert folder.read_references() == {"accuracy": 0.5}
    folder.write_topology({"spectrum": {"gap": 0.1}})
    assert folder.read_topology()["spectrum"] == {"gap": 0.1}


@pytest.mark.parametrize(
    "end", ['{"round": 5, "lo', "null\n", '{"round": 5, "lo\n', "\x00\x00", '{"round": "a"}', "\n\n"]
)
def test_a_torn_last_line_is_left_out(folder, end):
    with folder.metrics.open("a") as file:
        file.write(end)
    assert folder.read_metrics() == ROWS
    assert folder.last_row() == ROWS[-1]


@pytest.mark.parametrize(
    "line", ["", "{", "null", "{}", '{"round": "a"}', '{"round": 9, "loss": {}}', "\xff", "[" * 100000]
)
def test_a_damaged_line_is_an_error_and_drops_no_row(folder, line):
    lines = folder.metrics.read_text().splitlines()
    folder.metrics.write_bytes("\n".join([*lines[:2], line, *lines[3:], ""]).encode("latin-1"))
    before = folder.metrics.read_bytes()
    with pytest.raises(FileError, match=r"metrics\.jsonl, line 3: is not an evaluation"):
        folder.read_metrics()
    problems: list[str] = []
    assert folder.read_metrics(problems) == [*ROWS[:2], *ROWS[3:]]
    assert len(problems) == 1
    assert "line 3" in problems[0]
    assert folder.metrics.read_bytes() == before


def test_rounds_rise(folder):
    folder.append(ROWS[2])
    with pytest.raises(FileError, match="line 6"):
        folder.read_metrics()


def test_the_last_rows_of_a_long_file_are_read_quickly(folder):
    folder.rewrite({"round": t, "text": "x" * 1000} for t in range(1000))
    rows = folder.last_rows()
    assert 0 < len(rows) < 100
    assert rows[-1]["round"] == 999


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("rounds: 1\n", "has no format number"),
        ("format: 2\nrounds: 1\n", "has format 2, and this version of dfedsam knows format 1"),
        ("format: true\n", "has format True"),
        ("- 1\n", "must hold settings by name"),
        ("a: [\n", "is not YAML"),
        ("[" * 5000, "is not YAML"),
    ],
)
def test_an_unknown_config_is_one_clear_line(folder, text, message):
    folder.config.write_text(text)
    with pytest.raises(FileError, match=message) as error:
        folder.read_config()
    assert "\n" not in str(error.value)
    assert str(folder.config) in str(error.value)


@pytest.mark.parametrize("name", ["topology", "references"])
def test_damaged_json_names_its_file(folder, name):
    for text, problem in (('{"a": ', "cut short"), ("[1]", "by name"), ("[" * 100000, "not JSON")):
        getattr(folder, name).write_text(text)
        with pytest.raises(FileError, match=problem):
            getattr(folder, f"read_{name}")()


def test_what_is_no_run_is_said(tmp_path):
    with pytest.raises(FileError, match="does not exist"):
        RunFolder(tmp_path / "a").read_config()
    with pytest.raises(FileError, match=r"no config\.yaml"):
        RunFolder(tmp_path).read_config()


def test_many_writers_at_once_leave_one_whole_file(tmp_path):
    path = tmp_path / "file"
    contents = [letter * 100_000 for letter in "abcdefgh"]
    threads = [threading.Thread(target=write_atomic, args=(path, content)) for content in contents]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert path.read_text() in contents
    assert [file.name for file in tmp_path.iterdir()] == ["file"]


def test_a_file_that_cannot_be_written_leaves_nothing(tmp_path, monkeypatch):
    path = tmp_path / "file"
    path.write_text("old")
    monkeypatch.setattr(os, "fsync", lambda _: (_ for _ in ()).throw(OSError(28, "No space left on device")))
    with pytest.raises(OSError, match=r"No space left on device: '.*file'"):
        write_atomic(path, "new")
    assert path.read_text() == "old"
    assert [file.name for file in tmp_path.iterdir()] == ["file"]


def test_arrays_with_notes_are_safetensors_and_the_same_bits_whatever_the_order_of_the_notes(tmp_path):
    notes = {f"note {i}": f"é{i}" for i in range(8)}
    arrays = {"x": np.arange(5, dtype=np.float32), "numbers": np.arange(3)}
    for name, some in (("a", notes), ("b", dict(reversed(notes.items())))):
        write_tensors(tmp_path / name, arrays, some)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    with safe_open(tmp_path / "a", framework="numpy") as file:
        assert file.metadata() == notes
        assert all((file.get_tensor(name) == array).all() for name, array in arrays.items())


def test_files_have_the_permissions_of_the_umask(folder):
    before = os.umask(0o027)
    try:
        folder.write_references({})
    finally:
        os.umask(before)
    assert folder.references.stat().st_mode & 0o777 == 0o640


def test_neither_numpy_nor_torch_is_needed():
    code = "import sys, dfedsam.run_folder, dfedsam.whole_files; print({'numpy', 'torch', 'yaml'} & sys.modules.keys())"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"


@pytest.mark.parametrize("names", [(), ("config.yaml",), ("config.yaml", "topology.json", "metrics.jsonl", ".lock")])
@pytest.mark.parametrize("interrupted", ["config.yaml", "topology.json", "checkpoint.safetensors"])
def test_a_run_may_start_in_a_folder_that_a_kill_left_before_the_first_checkpoint(names, interrupted, tmp_path):
    """Also if it was killed while it wrote a file, which then stands under its temporary name."""
    for name in names:
        (tmp_path / name).touch()
    temporary_name(tmp_path / interrupted).write_bytes(b"half")
    folder = RunFolder(tmp_path)
    assert folder.is_unstarted()
    with folder.writing():
        assert not list(tmp_path.glob(".*.part"))
    (tmp_path / "notes.txt").write_text("the user's")
    assert not folder.is_unstarted()

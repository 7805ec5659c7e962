"""Nothing of the user's is overwritten, a folder has one writer, damage is one line."""

import json
import os
import signal
import time
from pathlib import Path

import pytest

from dfedsam.run_folder import RunFolder
from tests.launch.command import LONG, SMALL, end, metrics, rows, start, wait_for
from tests.launch.sweeps.files import write


def contents(folder: Path) -> dict[str, bytes]:
    """Every file under a folder but the lock."""
    return {str(path): path.read_bytes() for path in folder.rglob("*") if path.is_file() and path.name != ".lock"}


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda lines: [*lines[:1], "{", *lines[2:]], "metrics.jsonl, line 2: is not an evaluation"),
        (lambda lines: [*lines[:1], "", *lines[2:]], "metrics.jsonl, line 2: is not an evaluation"),
        (lambda lines: [], "has 0 evaluations up to round 3, and the run made 4"),
        (lambda lines: lines[:2], "has 2 evaluations up to round 3, and the run made 4"),
        (lambda lines: [*lines[:2], *lines[3:]], "has 3 evaluations up to round 3, and the run made 4"),
    ],
    ids=["garbage", "an empty line", "emptied", "cut", "a line missing"],
)
def test_damaged_metrics_are_refused_and_left_as_they_are(dfedsam, spoil, message):
    assert dfedsam("run", *SMALL, "--out", "a").status == 0
    path = Path("a/metrics.jsonl")
    path.write_text("".join(f"{line}\n" for line in spoil(path.read_text().splitlines())))
    before = contents(Path("a"))
    said = dfedsam("resume", "a", "--rounds", "6")
    assert (said.status, said.err.count("\n")) == (2, 1)
    assert message in said.err
    assert contents(Path("a")) == before


@pytest.mark.parametrize(
    ("file", "text", "message"),
    [
        ("checkpoint.safetensors", None, "the checkpoint does not exist"),
        ("metrics.jsonl", None, "metrics.jsonl: cannot be read"),
        ("config.yaml", "format: 7\nrounds: 3\n", "has format 7, and this version of dfedsam knows format 1"),
        ("config.yaml", "rounds: 3\n", "has no format number"),
    ],
)
def test_missing_and_unknown_files_are_one_line(dfedsam, file, text, message):
    assert dfedsam("run", *SMALL, "--out", "a").status == 0
    path = Path("a", file)
    path.unlink()
    if text is not None:
        path.write_text(text)
    before = contents(Path("a"))
    said = dfedsam("resume", "a", "--rounds", "6")
    assert (said.status, said.err.count("\n")) == (2, 1)
    assert message in said.err
    assert contents(Path("a")) == before


def test_a_run_that_goes_on_is_not_resumed_beside_it(dfedsam, tmp_path):
    job = start("run", *LONG, "--out", "a", cwd=tmp_path)
    try:
        wait_for(lambda: rows(tmp_path / "a") > 20)
        said = dfedsam("resume", "a", "--rounds", "200000")
        assert (said.status, said.err.count("\n")) == (2, 1)
        assert f"a: process {job.pid} is writing it; wait until it ends, or stop it" in said.err
        job.send_signal(signal.SIGTERM)
        job.communicate(timeout=60)
        assert job.returncode == 143
    finally:
        end(job)
    done = [row["round"] for row in metrics("a")]
    assert done == list(range(len(done)))
    assert dfedsam("resume", "a", "--rounds", str(len(done) + 2)).status == 0


def test_two_resumes_at_once_write_one_run(dfedsam, tmp_path):
    assert dfedsam("run", *SMALL, "--out", "a").status == 0
    assert dfedsam("run", *SMALL, "--rounds", "600", "--out", "whole").status == 0
    jobs = [start("resume", "a", "--rounds", "600", cwd=tmp_path) for _ in range(2)]
    ends = [(job.communicate(timeout=120)[1], job.returncode)[::-1] for job in jobs]
    assert min(status for status, _ in ends) == 0
    assert all(status == 0 or "is writing it" in said for status, said in ends), ends
    assert metrics("a") == metrics("whole")


def test_runs_without_a_name_get_different_folders(tmp_path):
    jobs = [start("run", *SMALL, cwd=tmp_path) for _ in range(3)]
    for job in jobs:
        out, err = job.communicate(timeout=60)
        assert job.returncode == 0, out + err
    assert sorted(path.name for path in (tmp_path / "runs").iterdir()) == [f"ring-dfedsam-{n}" for n in (1, 2, 3)]
    assert all(rows(path) == 4 for path in (tmp_path / "runs").iterdir())


def test_a_sweep_leaves_alone_what_is_not_its_own(dfedsam):
    sweep = write(seeds=2)
    assert dfedsam("sweep", sweep).status == 0
    run = Path("studies/small/runs/seed=0")
    (run / "notes.txt").write_text("mine")
    (run / "checkpoint.safetensors").unlink()
    before = contents(run)
    said = dfedsam("sweep", sweep)
    assert (said.status, said.err) == (0, "")  # it is complete without its checkpoint
    assert contents(run) == before
    said = dfedsam("sweep", write(seeds=2, base={"rounds": 5}))
    assert (said.status, said.err.count("\n")) == (2, 1)
    assert "has evaluations, but no checkpoint.safetensors to continue from" in said.err
    assert contents(run) == before


def test_a_folder_that_was_never_a_run_is_not_removed(dfedsam):
    thesis = Path("studies/small/runs/seed=0/thesis.tex")
    thesis.parent.mkdir(parents=True)
    thesis.write_text("mine")
    said = dfedsam("sweep", write(seeds=2))
    assert (said.status, said.err.count("\n")) == (2, 1)
    assert "is not a run of this sweep" in said.err
    assert thesis.read_text() == "mine"


def test_another_studys_sweep_is_not_replaced(dfedsam):
    assert dfedsam("sweep", write(seeds=1)).status == 0
    before = contents(Path("studies/small"))
    other = write(grid={"topology": ["star"]})
    said = dfedsam("sweep", other)
    assert (said.status, said.err.count("\n")) == (2, 1)
    assert "out is studies/small: it must not hold another study" in said.err
    assert contents(Path("studies/small")) == before
    Path("here").mkdir()
    Path("here/sweep.yaml").write_text("mine")
    assert dfedsam("sweep", other, "--out", "here").status == 2
    assert Path("here/sweep.yaml").read_text() == "mine"


def test_references_that_a_kill_took_are_made_up_for(dfedsam):
    text = {"class_path": "logistic_regression", "init_args": {"features": 3}}
    sweep = write(base={"objective": text, "references": True})
    assert dfedsam("sweep", sweep).status == 0
    path = Path("studies/small/runs/seed=0/references.json")
    written = path.read_text()
    path.unlink()
    assert "0 of them done" in dfedsam("sweep", sweep, "--dry-run").out
    assert dfedsam("sweep", sweep).status == 0
    assert path.read_text() == written


def test_a_full_disk_is_one_line_and_keeps_the_checkpoint(dfedsam, tmp_path, monkeypatch):
    """A limit on the size of files stands for the disk."""
    monkeypatch.delenv("COVERAGE_PROCESS_CONFIG", raising=False)  # what coverage writes would exceed it too
    limit = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (20000, 20000))"
    job = start("run", *LONG, "--out", "a", cwd=tmp_path, setup=limit)
    _, err = job.communicate(timeout=60)
    assert job.returncode == 1
    assert err.count("\n") == 1
    assert (
        "a/metrics.jsonl: File too large; fix the path, or free some space, then continue with: dfedsam resume a\n"
        in err
    )
    kept = rows(Path("a"))
    assert kept > 10
    assert dfedsam("resume", "a", "--rounds", str(kept + 3)).status == 0
    done = [row["round"] for row in metrics("a")]
    assert done == list(range(kept + 4))


def test_a_checkpoint_that_cannot_be_written_is_no_bad_input(dfedsam, tmp_path, monkeypatch):
    """The limit allows the other files of a run, but no checkpoint of the second round."""
    monkeypatch.delenv("COVERAGE_PROCESS_CONFIG", raising=False)
    assert dfedsam("run", *SMALL, "--objective.dim", "2000", "--evaluate_every", "9", "--out", "a").status == 0
    limit = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (100000, 100000))"
    job = start("resume", "a", "--rounds", "5", cwd=tmp_path, setup=limit)
    _, err = job.communicate(timeout=60)
    told = "and the last one is kept; fix the path, or free some space, then continue with: dfedsam resume a\n"
    assert (job.returncode, err.count("\n")) == (1, 1)
    assert err.startswith("dfedsam resume: a/checkpoint.safetensors: the checkpoint could not be written (")
    assert err.endswith(told)
    assert not list(Path("a").glob(".*.part"))
    assert dfedsam("resume", "a", "--rounds", "5").status == 0


def test_a_run_that_cannot_write_its_first_file_leaves_no_folder(dfedsam, monkeypatch):
    def fail(_: object) -> None:
        raise OSError(28, "No space left on device", "a/.writer")

    with monkeypatch.context() as patch:
        patch.setattr("dfedsam.lock.FolderLock._beat", fail)
        said = dfedsam("run", *SMALL, "--out", "a")
    assert (said.status, said.err) == (
        1, "dfedsam run: a/.writer: No space left on device; fix the path, or free some space\n"
    )  # fmt: skip
    assert not Path("a").exists()
    assert dfedsam("run", *SMALL, "--out", "a").status == 0


def test_a_figure_that_cannot_be_written_leaves_the_old_one(dfedsam, tmp_path, monkeypatch):
    monkeypatch.delenv("COVERAGE_PROCESS_CONFIG", raising=False)
    assert dfedsam("run", *SMALL, "--out", "a").status == 0
    Path("f.pdf").write_text("the old one")
    limit = "import resource, matplotlib.figure; resource.setrlimit(resource.RLIMIT_FSIZE, (5000, 5000))"
    job = start("plot", "a", "--out", "f.pdf", cwd=tmp_path, setup=limit)
    _, err = job.communicate(timeout=60)
    assert (job.returncode, err) == (1, "dfedsam plot: f.pdf: File too large; fix the path, or free some space\n")
    assert Path("f.pdf").read_text() == "the old one"
    assert sorted(path.name for path in Path().iterdir()) == ["a", "f.pdf"]


@pytest.mark.parametrize("spoil", [
    lambda content: content[:300], lambda content: b"", lambda content: bytes(len(content)),
    lambda content: content[:30] + bytes([content[30] ^ 1]) + content[31:],
    lambda content: content[:-9] + bytes([content[-9] ^ 1]) + content[-8:],
], ids=["cut", "emptied", "zeros", "a bit of its head", "a bit of its rows"])  # fmt: skip
def test_a_damaged_checkpoint_names_the_command_that_starts_again(dfedsam, spoil):
    assert dfedsam("run", *SMALL, "--out", "a b").status == 0
    path = Path("a b/checkpoint.safetensors")
    path.write_bytes(spoil(path.read_bytes()))
    before = contents(Path("a b"))
    said = dfedsam("resume", "a b", "--rounds", "6")
    assert (said.status, said.err.count("\n")) == (2, 1)
    assert said.err.startswith("dfedsam resume: a b/checkpoint.safetensors: ")
    assert "; restore it, or start the run again with: dfedsam run --config 'a b/config.yaml'\n" in said.err
    assert contents(Path("a b")) == before
    assert dfedsam("run", "--config", "a b/config.yaml", "--out", "b").status == 0
    assert metrics("b") == metrics("a b")


def test_a_lost_topology_is_written_again(dfedsam):
    assert dfedsam("run", *SMALL, "--out", "a").status == 0
    path = Path("a/topology.json")
    before = path.read_bytes()
    path.unlink()
    assert dfedsam("resume", "a").status == 0
    assert path.read_bytes() == before


def test_a_report_on_what_cannot_be_read_says_why(dfedsam):
    assert dfedsam("run", *SMALL, "--out", "a").status == 0
    config = Path("a/config.yaml")
    config.write_text(config.read_text().replace("format: 1", "format: 9"))
    said = dfedsam("report", "a")
    assert (said.status, said.err.count("\n")) == (2, 1)
    assert "a: has no run with an evaluation yet; a/config.yaml: has format 9" in said.err


def test_a_figure_that_cannot_be_drawn_does_not_fail_the_run(dfedsam, monkeypatch):
    def fail(_: Path) -> None:
        raise RuntimeError("no such backend")

    monkeypatch.setattr("dfedsam.analysis.plot_run", fail)
    said = dfedsam("run", *SMALL, "--figure", "true", "--out", "a")
    assert (said.status, said.err.count("\n")) == (0, 1)
    assert "note: the figure could not be drawn (no such backend)" in said.err
    assert RunFolder("a").is_complete(3)


def test_a_run_that_has_diverged_is_marked(dfedsam):
    exact = {"class_path": "dpsgd", "init_args": {"estimator": "exact"}}
    sweep = write(base={"algorithm": exact, "rounds": 12}, grid={"algorithm.lr": [9.0, 0.1]})
    assert dfedsam("sweep", sweep).status == 0
    said = dfedsam("status", "studies/small").out
    assert "2 runs: 1 done, 1 diverged" in said
    assert "the loss has grown from" in said


def test_a_dead_writer_holds_nothing(tmp_path):
    """One that was killed on this machine, and one on another whose heartbeat has ended."""
    folder = RunFolder(tmp_path)
    for host, age in ((os.uname().nodename, 0), ("elsewhere", 60)):
        (tmp_path / ".writer").write_text(json.dumps({"host": host, "process": 1 << 22}))
        os.utime(tmp_path / ".writer", (time.time() - age,) * 2)
        with folder.writing():
            assert json.loads((tmp_path / ".writer").read_text())["process"] == os.getpid()
        assert not (tmp_path / ".writer").exists()

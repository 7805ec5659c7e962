"""The doctor: finds what is here, and says what to do about what is not."""

import pytest

from dfedsam.launch import doctor, ranks


@pytest.mark.skipif(ranks.launcher() is None, reason="no mpirun")
def test_two_ranks_really_exchange():
    finding = doctor.exchange()
    assert finding.fine, finding


def test_what_is_missing_has_advice_and_the_status_says_so(capsys):
    missing = doctor.Finding("model", False, "not installed", "pip install it")
    optional = doctor.Finding("GPUs", False, "none", needed=False)
    assert doctor.report([doctor.Finding("python", True, "3")]) == 0
    assert doctor.report([optional]) == 0
    assert doctor.report([optional, missing]) == 1
    out = capsys.readouterr().out
    assert "MISSING  model" in out
    assert "→ pip install it" in out


def test_no_launcher(monkeypatch):
    monkeypatch.setattr(ranks, "launcher", lambda: None)
    assert not doctor.launcher().fine
    assert not doctor.exchange().fine


def test_no_library(monkeypatch):
    monkeypatch.setenv("MPI4PY_LIBMPI", "/nowhere/libmpi.so")
    finding = doctor.library()
    assert not finding.fine
    assert "pip install mpich" in finding.advice


def test_launcher_and_library_of_different_makers(monkeypatch, tmp_path):
    other = tmp_path / "mpirun"
    other.write_text('#!/bin/sh\nshift 2\n"$@"\n"$@"\n')  # starts two worlds of one rank
    other.chmod(0o755)
    monkeypatch.setattr(ranks, "launcher", lambda: str(other))
    assert "different MPI implementations" in doctor.exchange().advice or "two worlds" in doctor.exchange().detail


def test_the_whole_round(dfedsam, monkeypatch):
    monkeypatch.setattr(
        doctor, "findings", lambda: iter([doctor.python(), doctor.packages(), doctor.cores(), doctor.data()])
    )
    said = dfedsam("doctor")
    assert said.status == 0
    assert "everything required is installed" in said.out

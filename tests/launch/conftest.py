"""A command line in an empty folder, outside any MPI job."""

import signal

import pytest

from tests.launch.command import Command

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # as in a shell's background jobs: commands under test would too
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture
def dfedsam(capsys: pytest.CaptureFixture[str], tmp_path, monkeypatch: pytest.MonkeyPatch) -> Command:
    """`dfedsam(*argv)` runs the command line in this process, in an empty folder."""
    monkeypatch.chdir(tmp_path)
    for name in ("PMI_RANK", "PMIX_RANK", "OMPI_COMM_WORLD_RANK", "DFEDSAM_RANKS", "DFEDSAM_TRACEBACK"):
        monkeypatch.delenv(name, raising=False)
    return Command(capsys)

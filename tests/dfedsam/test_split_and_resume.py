"""The same run on any number of ranks, and on again from a checkpoint on any other number, gives the same bits."""

import json

import numpy as np
import pytest

from dfedsam.checkpoint import load
from dfedsam.network.one_process import OneProcess
from tests.dfedsam.plays import CASES, PEERS, play
from tests.mpi import mpirun


@pytest.fixture(scope="module")
def unbroken(tmp_path_factory):
    """Rows and final checkpoints of five rounds in one process."""
    folder = tmp_path_factory.mktemp("unbroken")
    return {case: play(case, folder, 5) for case in CASES}, folder


@pytest.mark.parametrize(("first", "then"), [(1, 3), (2, 4), (3, 1), (4, 2)])
def test_ranks_and_resumes_do_not_change_a_bit(first, then, unbroken, tmp_path):
    rows, folder = unbroken
    for ranks, more in [(first, []), (then, ["--resume"])]:
        job = mpirun(ranks, ["-m", "tests.dfedsam.plays", tmp_path, *more], timeout=120)
        assert job.returncode == 0, job.stderr
    again = json.loads((tmp_path / "rows.json").read_text())
    for case in CASES:
        assert again[case] == rows[case], case
        arrays = [load(where / case / "checkpoint.safetensors", OneProcess(PEERS))[0] for where in (folder, tmp_path)]
        assert arrays[0].keys() == arrays[1].keys()
        for name, array in arrays[0].items():
            np.testing.assert_array_equal(array, arrays[1][name], err_msg=f"{case}: {name}")

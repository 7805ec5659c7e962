"""The same run on any number of ranks, and on again from a checkpoint on any other number, gives the same bits.

So it does wherever the peers are placed.
"""

import json

import numpy as np
import pytest

from dfedsam.checkpoint import load
from dfedsam.communication.single_process import SingleProcess
from tests.dfedsam.contract_cases import CASES, PEERS, run_case
from tests.mpi import mpirun


@pytest.fixture(scope="module")
def unbroken(tmp_path_factory):
    """Rows and final checkpoints of five rounds in one process."""
    folder = tmp_path_factory.mktemp("unbroken")
    return {case: run_case(case, folder, 5) for case in CASES}, folder


@pytest.mark.parametrize(
    ("first", "then"),
    [
        ((1, "contiguous"), (3, "reorder")),
        ((2, "contiguous"), (4, "drawn")),
        ((3, "drawn"), (1, "contiguous")),
        ((4, "drawn"), (2, "contiguous")),
    ],
    ids="{0[0]} {0[1]}".format,
)
def test_ranks_and_resumes_do_not_change_a_bit(first, then, unbroken, tmp_path):
    rows, folder = unbroken
    for (ranks, placement), more in [(first, []), (then, ["--resume"])]:
        job = mpirun(ranks, ["-m", "tests.dfedsam.contract_cases", tmp_path, placement, *more], timeout=300)
        assert job.returncode == 0, job.stderr
    again = json.loads((tmp_path / "rows.json").read_text())
    for case in CASES:
        assert again[case] == rows[case], case
        prompts = [(where / case / "prompt.safetensors").read_bytes() for where in (folder, tmp_path)]
        assert prompts[0] == prompts[1], case
        arrays = [
            load(where / case / "checkpoint.safetensors", SingleProcess(PEERS))[0] for where in (folder, tmp_path)
        ]
        assert arrays[0].keys() == arrays[1].keys()
        for name, array in arrays[0].items():
            np.testing.assert_array_equal(array, arrays[1][name], err_msg=f"{case}: {name}")


@pytest.mark.parametrize(("ranks", "placement"), [(2, "contiguous"), (3, "drawn")])
def test_ranks_do_not_change_a_tuned_prompt(ranks, placement, encoder_folder, reviews, tmp_path):
    """Bit for bit where batches are cut at peers and a process has one thread, and to 1e-5 otherwise."""
    arguments = [encoder_folder, reviews, tmp_path / "rows.json", placement]
    found = []
    for count in (1, ranks):
        job = mpirun(count, ["-m", "tests.dfedsam.prompt_cases", *arguments], timeout=180)
        assert job.returncode == 0, job.stderr
        found.append(json.loads((tmp_path / "rows.json").read_text()))
    for case, rows in found[0].items():
        for row, again in zip(rows, found[1][case], strict=True):
            assert again == (row if "cut at peers" in case else pytest.approx(row, rel=1e-5, abs=1e-8)), case

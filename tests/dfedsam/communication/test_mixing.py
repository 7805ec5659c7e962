"""The split of the peers over ranks does not matter: the same bits as `W @ X` on any number of ranks."""

import runpy
import sys
from pathlib import Path

import numpy as np
import pytest

from dfedsam.communication import block, connect, kernels
from dfedsam.communication.partition import Partition
from tests.dfedsam.communication.cases import CASES, PEERS, few
from tests.mpi import mpirun

SCRIPT = Path(__file__).with_name("ranks_mix.py")


RANKS = {"one process": 0, "1": 1, "2": 2, "3": 3, "4": 4, "2 drawn": 2, "3 drawn": 3, "4 drawn": 4}


@pytest.fixture(scope="module", params=RANKS)
def found(request, tmp_path_factory):
    """What so many ranks made of every case; peers stand in contiguous blocks, or are drawn for them."""
    path = tmp_path_factory.mktemp("found") / "found.npz"
    arguments = [str(SCRIPT), str(path), "drawn" if "drawn" in request.param else "contiguous"]
    if request.param == "one process":
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(sys, "argv", arguments)
            runpy.run_path(str(SCRIPT))
    else:
        job = mpirun(RANKS[request.param], arguments)
        assert job.returncode == 0, job.stderr
    with np.load(path) as file:
        return dict(file)


@pytest.mark.parametrize("name", CASES)
def test_mixing_is_the_product_with_the_whole_matrix(found, name):
    expected = CASES[name].mixed()
    assert found[name].dtype == expected.dtype
    assert np.array_equal(found[name], expected)


@pytest.mark.parametrize("name", CASES)
def test_every_edge_counts_as_one_message_of_a_row(found, name):
    case = CASES[name]
    edges = sum(int(((W.toarray() != 0) & ~np.eye(PEERS, dtype=bool)).sum()) for W in case.steps())
    assert list(found[f"{name}: counts"]) == [edges, edges * case.width * np.dtype(case.dtype).itemsize]


@pytest.mark.parametrize("name", CASES)
def test_encoded_rows_mix_as_plain_ones_and_count_by_the_length_of_a_message(found, name):
    assert np.array_equal(found[f"{name}: encoded"], found[name])
    messages, size = found[f"{name}: counts"]
    assert list(found[f"{name}: encoded counts"]) == [messages, size + 2 * messages]


@pytest.mark.parametrize("name", CASES)
def test_rows_of_few_entries_mix_as_whole_ones(found, name):
    assert np.array_equal(found[f"{name}: few"], CASES[name].few_mixed())
    assert list(found[f"{name}: few counts"]) == list(found[f"{name}: counts"])


@pytest.mark.parametrize("name", ["random", "star"])
def test_few_entries_add_up_also_a_few_at_a_time(monkeypatch, name):
    monkeypatch.setattr(kernels, "_AT_ONCE", 3)
    communicator, case = connect(PEERS), CASES[name]
    W, x, nothing = case.steps()[0], case.start(), np.empty((PEERS, 0), np.uint8)
    sums = np.zeros_like(x)
    communicator.add_encoded(W, nothing, few(x), lambda messages: few(x[:0]), sums)
    assert np.array_equal(sums, W.astype(case.dtype) @ few(x).dense(case.width))


def test_what_is_added_to_must_fit():
    communicator, case = connect(PEERS), CASES["ring"]
    W, x, nothing = case.steps()[0], case.start(), np.empty((PEERS, 0), np.uint8)
    for own in (x, few(x)):
        for target in (np.asfortranarray(x), x[1:], x.astype(np.float64)):
            with pytest.raises(ValueError, match="target must be C-contiguous, of the shape and type of local"):
                communicator.add_encoded(W, nothing, own, lambda messages: x[:0], target)


def test_sums_are_taken_in_peer_order(found):
    rows = np.random.default_rng(3).normal(size=(PEERS, 1000)).astype(np.float32) ** 3
    total = np.zeros(1000)
    for row in rows:
        total += row
    assert np.array_equal(found["total"], total)
    assert np.array_equal(found["total in panels"], total)
    assert np.array_equal(found["total of one column"], total[:1])
    assert found["total of numbers"] == total[0]
    assert np.array_equal(found["server mean"], (total / PEERS).astype(np.float32))
    assert found["server mean"].dtype == np.float32


def test_ranks_hear_of_each_other(found):
    assert np.array_equal(found["gathered"], np.arange(PEERS))
    assert list(found["agree"]) == [False, True, True]
    assert list(found["broadcast"]) == [0, 5]


def test_the_first_rank_with_a_value_is_heard(found, request):
    size = max(1, RANKS[request.node.callspec.params["found"]])
    assert found["first"] == size // 2 + 1


def test_the_server_counts_both_ways():
    communicator = connect(5)
    communicator.server_mean(np.ones((5, 3), np.float32))
    assert (communicator.messages, communicator.bytes) == (10, 10 * 3 * 4)


def test_blocks_cover_all_peers_evenly():
    for peers in range(1, 40):
        for size in range(1, peers + 1):
            blocks = [block(peers, size, rank) for rank in range(size)]
            assert [i for b in blocks for i in b] == list(range(peers))
            lengths = [len(b) for b in blocks]
            assert lengths == sorted(lengths, reverse=True)
            assert lengths[0] - lengths[-1] <= 1


def test_blocks_go_where_they_are_placed():
    partition = Partition(6, 3, lambda size: [2, 0, 1, 0, 2, 2])
    assert [list(partition[rank]) for rank in range(3)] == [[1, 3], [2], [0, 4, 5]]
    assert [list(partition.positions(rank)) for rank in range(3)] == [[0, 1], [2], [3, 4, 5]]
    assert list(partition.lengths) == [2, 1, 3]
    assert list(partition.order[partition.position]) == list(range(6))
    assert not partition.contiguous
    assert Partition(6, 3, lambda size: [0, 0, 1, 1, 1, 2])[1] == range(2, 5)
    assert Partition(6, 1, None)[0] == range(6)
    for wrong in ([0] * 6, [0, 1, 2], [0, 1, 2, 3, 0, 1]):
        with pytest.raises(ValueError, match=r"placement gives .* each of 6 peers to one of 3 ranks"):
            Partition(6, 3, lambda size, wrong=wrong: wrong)


@pytest.mark.parametrize("name", CASES)
def test_without_scipys_inner_loop_the_sums_are_the_same(monkeypatch, name):
    monkeypatch.setattr(kernels, "_csr_matvecs", None)
    communicator, case = connect(PEERS), CASES[name]
    x = case.start()
    for W in case.steps():
        x = communicator.mix(W, x)
    assert np.array_equal(x, case.mixed())

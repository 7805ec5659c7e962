"""What one process promises of mixing: who is reached, what is refused, what is kept."""

import gc
import weakref

import networkx as nx
import numpy as np
import pytest
from scipy.sparse import coo_array, csr_array

from dfedsam.communication import SingleProcess, base, connect, kernels
from dfedsam.machine import cores, threads_per_rank
from dfedsam.rows import ThreadPool
from tests.dfedsam.communication.cases import averaging


def test_peers_that_no_path_joins_see_nothing_of_each_other():
    communicator = SingleProcess(7)
    W = averaging(nx.disjoint_union(nx.cycle_graph(4), nx.path_graph(3)))
    x = np.ones((7, 2))
    x[:4] = np.nan
    for _ in range(10):
        x = communicator.mix(W, x)
    assert np.isnan(x[:4]).all()
    assert (x[4:] == 1).all()


def test_a_stored_zero_is_no_edge():
    communicator = SingleProcess(2)
    W = csr_array(coo_array(([1.0, 0.0, 0.0, 1.0], ([0, 0, 1, 1], [0, 1, 0, 1]))))
    assert np.array_equal(communicator.mix(W, np.array([[1.0], [np.nan]])), [[1.0], [np.nan]], equal_nan=True)
    assert communicator.messages == 0


def test_columns_in_any_order_and_repeated_entries_are_taken():
    rows, columns, weights = [0, 0, 0, 1], [1, 0, 1, 0], [0.25, 0.5, 0.25, 1.0]
    W = csr_array((weights, columns, [0, 3, 4]))
    communicator = SingleProcess(2)
    assert np.array_equal(communicator.mix(W, np.array([[1.0], [3.0]])), [[2.0], [1.0]])
    assert communicator.messages == 2
    assert list(W.indices) == [1, 0, 1, 0]
    assert rows == [0, 0, 0, 1]


def test_whole_numbers_mix_with_whole_weights_only():
    communicator = SingleProcess(4)
    adjacency = csr_array(nx.to_scipy_sparse_array(nx.cycle_graph(4), dtype=float))
    assert list(communicator.mix(adjacency, np.array([[1], [2], [3], [4]]))[:, 0]) == [6, 4, 6, 4]
    with pytest.raises(ValueError, match="x has type int64: it cannot hold the weights of W"):
        communicator.mix(averaging(nx.cycle_graph(4)), np.ones((4, 1), np.int64))


def test_the_result_goes_where_it_is_asked_to():
    communicator, W = SingleProcess(5), averaging(nx.cycle_graph(5))
    x = np.random.default_rng(0).normal(size=(5, 3))
    before, out = x.copy(), np.full((5, 3), np.nan)
    assert communicator.mix(W, x, out) is out
    assert np.array_equal(out, W @ before)
    assert np.array_equal(x, before)
    for wrong in (x, x[:], np.empty((5, 4)), np.empty((5, 3), np.float32), np.empty((3, 5)).T):
        with pytest.raises(ValueError, match="out must be"):
            communicator.mix(W, x, wrong)


def test_rows_need_not_be_contiguous():
    communicator, W = SingleProcess(5), averaging(nx.cycle_graph(5))
    x = np.random.default_rng(0).normal(size=(3, 10)).T[::2]
    assert np.array_equal(communicator.mix(W, x), W @ x)
    assert communicator.mix(W, x[:, :0]).shape == (5, 0)


@pytest.mark.parametrize(("rows", "peers"), [((4, 2), 5), ((5,), 5), ((5, 2), 6)])
def test_wrong_shapes_are_named(rows, peers):
    with pytest.raises(ValueError, match="has shape"):
        SingleProcess(5).mix(averaging(nx.cycle_graph(peers)), np.ones(rows))


def test_a_matrix_is_planned_once_and_forgotten_after_many_others():
    communicator, x = SingleProcess(6), np.ones((6, 2))
    W = averaging(nx.cycle_graph(6))
    communicator.mix(W, x)
    communicator.mix(W, x)
    assert len(communicator._plans) == 1
    watch = weakref.ref(W)
    del W
    gc.collect()
    assert watch() is not None  # else another matrix could take its place in memory, and its plan
    for _ in range(100):
        communicator.mix(averaging(nx.path_graph(6)), x)
    assert len(communicator._plans) < 100
    gc.collect()
    assert watch() is None


def test_large_matrices_are_forgotten_sooner(monkeypatch):
    monkeypatch.setattr(base, "_MAX_ENTRIES", 60)
    communicator, x = SingleProcess(6), np.ones((6, 2))
    for _ in range(5):
        communicator.mix(averaging(nx.cycle_graph(6)), x)  # 18 entries each
    assert len(communicator._plans) == 3
    monkeypatch.setattr(base, "_MAX_ENTRIES", 1)
    communicator.mix(averaging(nx.path_graph(6)), x)
    assert len(communicator._plans) == 1


def test_cores_are_shared_by_the_processes_of_a_machine(monkeypatch):
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    four, eight = frozenset(range(4)), frozenset(range(8))
    assert threads_per_rank([eight, eight], eight) == 4
    assert threads_per_rank([four, eight - four], four) == 4  # bound by the launcher
    assert threads_per_rank([four] * 6, four) == 1
    assert SingleProcess(3).threads == len(cores())
    monkeypatch.setenv("OMP_NUM_THREADS", "2,1")
    assert threads_per_rank([eight, eight], eight) == 2


@pytest.mark.parametrize("threads", [1, 2, 3])
def test_threads_change_nothing(monkeypatch, threads):
    monkeypatch.setattr(kernels, "WORTH_A_THREAD", 1)
    monkeypatch.setattr(kernels, "_CACHED_BYTES", 100)
    communicator, W = SingleProcess(50), averaging(nx.erdos_renyi_graph(50, 0.2, seed=2))
    communicator.pool = ThreadPool(threads)
    x = np.random.default_rng(0).normal(size=(50, 7))
    assert np.array_equal(communicator.mix(W, x), W @ x)


def test_what_goes_wrong_in_a_thread_is_raised():
    def work(start, stop):
        if start:
            raise RuntimeError(f"rows {start} to {stop}")

    with pytest.raises(RuntimeError, match="rows 5 to 10"):
        ThreadPool(2).map_ranges(work, 10, 2)


def test_without_a_launcher_there_is_one_process(monkeypatch):
    for name in ("PMI_RANK", "PMIX_RANK", "OMPI_COMM_WORLD_RANK", "DFEDSAM_RANKS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("SLURM_PROCID", "0")
    assert isinstance(connect(3), SingleProcess)
    monkeypatch.setenv("DFEDSAM_RANKS", "4")
    with pytest.raises(ValueError, match="DFEDSAM_RANKS is 4, but no MPI launcher started this process"):
        connect(3)

"""Compiled loops against numpy's and scipy's: the same bits."""

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.sparse import csr_array, random_array

from dfedsam import (
    QSGD,
    Choco,
    Clipped,
    Float16,
    GeometricMedian,
    Krum,
    Median,
    NoCompression,
    RandomK,
    ScaledSign,
    TopK,
    TrimmedMean,
    rows as work_on_rows,
    topologies,
)
from dfedsam.communication import SingleProcess
from dfedsam.communication.kernels import WeightRows, multiply
from dfedsam.gossip.base import GossipState
from dfedsam.gossip.channel import Channel
from dfedsam.gossip.compressors import Compressor
from dfedsam.gossip.robust import RobustGossip
from dfedsam.peers import Peers
from dfedsam.random import RandomStream
from dfedsam.rows import ThreadPool, moduli, squares

pytest.importorskip("numba", reason="numba, the extra fast, is not installed")


def both_ways(work: Callable[[], NDArray], monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """The bytes of a result without compiled loops and with them."""
    results = []
    for worth in (1 << 60, 0):
        monkeypatch.setattr(work_on_rows, "WORTH_LOADING", worth)
        work_on_rows.load.cache_clear()
        if not worth:
            assert work_on_rows.load() is not None
        results.append(work().tobytes())
    return results


@pytest.mark.parametrize("peers", [range(3, 9), np.array([0, 2, 70_000])], ids=["block", "scattered"])
@pytest.mark.parametrize("key", [(0, 0, 0), (2**64 - 1, 2**40, 2**33)])
def test_random_numbers_are_the_same(peers: Peers, key: tuple[int, int, int], monkeypatch: pytest.MonkeyPatch) -> None:
    seed, round, step = key
    stream = RandomStream(seed, "gossip 1", round, step, peers)
    assert len(set(both_ways(lambda: stream.uniform((7,)), monkeypatch))) == 1


@pytest.mark.parametrize("width", [64, 67, 200, 4096])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_sums_along_rows_are_right_and_the_same_bits(dtype: str, width: int, monkeypatch: pytest.MonkeyPatch) -> None:
    x = np.random.default_rng(5).normal(size=(6, width)).astype(dtype)
    for sums, terms in ((squares, x.astype(np.longdouble) ** 2), (moduli, np.abs(x.astype(np.longdouble)))):
        assert len(set(both_ways(lambda sums=sums: sums(x), monkeypatch))) == 1
        np.testing.assert_allclose(sums(x), terms.sum(axis=1), rtol=width * np.finfo(dtype).eps)
        np.testing.assert_array_equal(sums(x)[2:4], sums(x[2:4]))  # no row depends on another


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("add", [False, True])
def test_sums_are_the_same_bits(dtype: str, add: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(3)
    rows, width = 50, 67
    pieces = []
    for seed, peers in enumerate((40, 30, 20)):  # 0 to about 15 entries a row
        W = csr_array(random_array((rows, peers), density=0.15, rng=seed, dtype=dtype))
        pieces.append((WeightRows(W.indptr, W.indices, W.data), rng.normal(size=(peers, width)).astype(dtype)))
    before = rng.normal(size=(rows, width)).astype(dtype)

    def work() -> NDArray:
        out = before.copy()
        multiply(pieces, out, ThreadPool(1), add=add)
        return out

    without, with_numba = both_ways(work, monkeypatch)
    assert without == with_numba


def test_narrow_rows_and_other_types_are_left_to_numpy() -> None:
    assert work_on_rows.loops(np.zeros((1 << 20, 2), np.float32)) is None
    assert work_on_rows.loops(np.zeros((1 << 10, 1 << 12), np.int32)) is None
    assert work_on_rows.loops(np.zeros((1 << 10, 1 << 12), np.float32)) is not None


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(
    "compressor",
    [Float16(), QSGD(), QSGD(levels=200), ScaledSign(), NoCompression(), TopK(), TopK(k=60), RandomK(k=5)],
    ids=repr,
)
def test_choco_gives_the_same_bits(compressor: Compressor, dtype: str, monkeypatch: pytest.MonkeyPatch) -> None:
    peers, topology = 10, topologies.make("ring", 10)
    x = np.random.default_rng(5).normal(size=(peers, 101)).astype(dtype)
    x[3], x[4] = 1e-30, 0  # powers of two beyond float32's, and nothing

    def work() -> NDArray:
        gossip, communicator = Choco(compressor=compressor, gamma=0.1, steps=3), SingleProcess(peers)
        state = gossip.init(np.zeros_like(x))
        stream = RandomStream(0, "gossip", 0, 0, range(peers))
        y, state = gossip(x.copy(), state, Channel(topology.weights(0), communicator, stream))
        return np.concatenate([y, state.estimate, state.correction])

    without, with_numba = both_ways(work, monkeypatch)
    assert without == with_numba


@pytest.mark.parametrize("width", [64, 515, 4100])
def test_the_largest_entries_are_those_of_a_stable_sort(width: int, monkeypatch: pytest.MonkeyPatch) -> None:
    x = np.random.default_rng(7).normal(size=(8, width)).astype(np.float32)
    x[1], x[2], x[3], x[4, 5], x[5, 9] = 0, -1, np.round(x[3]), np.inf, 1e-42  # equal ones, large and small ones
    order = np.argsort(-np.abs(x), axis=1, kind="stable")
    for k in (1, 7, width // 8, width // 2, width):
        columns = np.sort(order[:, :k], axis=1)
        stream = RandomStream(0, "", 0, 0, range(len(x)))
        for worth in (1 << 60, 0):
            monkeypatch.setattr(work_on_rows, "WORTH_LOADING", worth)
            work_on_rows.load.cache_clear()
            entries = TopK(k=k).compress_entries(x, stream)
            np.testing.assert_array_equal(entries.columns, columns)
            np.testing.assert_array_equal(entries.values, np.take_along_axis(x, columns, axis=1))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("rule", [Clipped(), Krum(), GeometricMedian(), TrimmedMean(), Median()], ids=repr)
def test_robust_rules_give_the_same_bits(rule: RobustGossip, dtype: str, monkeypatch: pytest.MonkeyPatch) -> None:
    peers, topology = 12, topologies.make("erdos_renyi", 12, p=0.5)  # of odd and even degrees
    x = np.random.default_rng(6).normal(size=(peers, 1101)).astype(dtype)
    x[3], x[4], x[5, 7] = x[2], 0, np.nan
    channel = Channel(topology.weights(0), SingleProcess(peers), RandomStream(0, "gossip", 0, 0, range(peers)))

    def work() -> NDArray:
        return rule(x.copy(), GossipState(), channel)[0]

    without, with_numba = both_ways(work, monkeypatch)
    assert without == with_numba

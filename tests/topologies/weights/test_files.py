"""Mixing matrices from files, as the weights of a graph and as whole topologies, and what is wrong with them."""

import networkx as nx
import numpy as np
import pytest
import scipy.io
import scipy.sparse as sp

from dfedsam.topologies import (
    directed_ring,
    find_rule,
    from_weights,
    make,
    metropolis,
    out_degree,
    random_out,
    ring,
    star,
    torus,
    uniform,
    verify,
    weights_from_file,
)

WRITERS = {
    ".csv": lambda path, W: np.savetxt(path, W.toarray(), delimiter=",", fmt="%.17g"),
    ".txt": lambda path, W: np.savetxt(path, W.toarray(), header="weights", fmt="%.17g"),
    ".npy": lambda path, W: np.save(path, W.toarray()),
    ".npz": lambda path, W: sp.save_npz(path, W),
    ".mtx": lambda path, W: scipy.io.mmwrite(path, W, precision=17),
}


def written(folder, W, suffix=".npy"):
    path = folder / f"w{suffix}"
    WRITERS[suffix](path, sp.csr_array(W))
    return str(path)


def changed(W, *changes):
    dense = W.toarray()
    for i, j, value in changes:
        dense[i, j] = value
    return dense


@pytest.mark.parametrize("suffix", WRITERS)
@pytest.mark.parametrize("graph", [torus(12), star(5), random_out(9, seed=2)])
def test_round_trip(suffix, graph, tmp_path):
    W = (out_degree if graph.is_directed() else metropolis)(graph)
    path = written(tmp_path, W, suffix)
    topology = make(graph, None, weights=path)
    verify(topology)
    np.testing.assert_array_equal(topology.weights(0).toarray(), W.toarray())
    assert topology.sums == ("columns" if graph.is_directed() else "both")
    again = make(topology.description, topology.n)
    np.testing.assert_array_equal(again.weights(0).toarray(), W.toarray())


@pytest.mark.parametrize("suffix", [suffix for suffix in WRITERS if suffix != ".txt"])
@pytest.mark.parametrize(
    ("graph", "rule", "sums"),
    [(star(6), metropolis, "both"), (star(6), uniform, "rows"), (random_out(9, seed=2), out_degree, "columns")],
)
def test_a_file_is_a_topology(suffix, graph, rule, sums, tmp_path):
    W = rule(graph)
    path = written(tmp_path, W, suffix)
    topology = make(path)
    assert (topology.n, topology.sums) == (len(graph), sums)
    assert topology.directed is (rule is not metropolis)
    assert topology.description["class_path"] == "from_file"
    assert topology.description["init_args"]["path"] == path
    verify(topology)
    assert set(topology.graph(0).to_directed().edges()) == set(graph.to_directed().edges())
    np.testing.assert_array_equal(topology.weights(0).toarray(), W.toarray())
    W = topology.weights(0)
    assert (W.format, W.dtype, W.indices.dtype) == ("csr", np.float64, np.int32)
    with pytest.raises(ValueError, match="has its own weights"):
        make(path, None, weights="metropolis")
    with pytest.raises(ValueError, match="peers is 4: it must be "):
        make(path, 4)


def test_negative_entries_and_lazy_rules_of_files(tmp_path):
    W = np.eye(4) * 1.4 - 0.1
    path = written(tmp_path, W)
    half = find_rule({"class_path": "lazy", "init_args": {"weights": path}})
    np.testing.assert_allclose(half(nx.complete_graph(4)).toarray(), (W + np.eye(4)) / 2, rtol=0, atol=1e-15)


R = metropolis(ring(6))


@pytest.mark.parametrize(
    ("W", "message"),
    [
        (changed(R, (2, 2, 0.4)), "must have rows that sum to 1 within 1e-12, but row 2 sums to 1.0666"),
        (changed(R, (2, 4, 0.1), (4, 2, 0.1)), "must be zero off the graph, but row 2 gives peer 4 the weight 0.1 and"),
        (changed(R, (2, 3, 0.3), (2, 2, 1 - 0.3 - 1 / 3)), "but row 2 gives peer 3 the weight 0.3 and gets 0.333"),
        (changed(R, (1, 1, np.nan)), "row 1 has the number nan"),
        (changed(R, (5, 0, np.inf)), "row 5 has the number inf"),
        (metropolis(ring(7)), "must have 6 rows, one for each of the graph's peers, but it has 7"),
    ],
)
def test_what_does_not_fit_a_graph(W, message, tmp_path):
    path = written(tmp_path, W)
    with pytest.raises(ValueError, match=message) as caught:
        weights_from_file(ring(6), path)
    assert str(caught.value).startswith(f"weights is {path}: it must")
    assert "\n" not in str(caught.value)


def test_a_directed_graph_wants_columns(tmp_path):
    graph = random_out(6, degree=2, seed=0)
    path = written(tmp_path, out_degree(graph).T)
    with pytest.raises(ValueError, match="zero off the graph"):
        weights_from_file(graph, path)
    with pytest.raises(ValueError, match=r"columns that sum to 1 .* column \d sums to .*its rows do: transpose it"):
        weights_from_file(graph, written(tmp_path, uniform(graph)))
    half = out_degree(directed_ring(6)) * 0.5
    with pytest.raises(ValueError, match=r"columns that sum to 1 .* column 0 sums to 0.5; fix it"):
        weights_from_file(directed_ring(6), written(tmp_path, half))


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("w.csv", "0.5,0.5\n0.5\n", "must hold a graph or a matrix, but: line 2 has 1 numbers, and the first 2"),
        ("w.csv", "0.5,0.5\n", "must hold a graph or a matrix, but: it is 1 × 2, and not n × n"),
        ("w.csv", "", "must hold a graph or a matrix, but: peers is 0"),
        ("w.csv", "0.5,0.4\n0.5,0.5\n", "rows that sum to 1 within 1e-12, but row 0 sums to 0.9"),
        ("w.npy", "no array", "must hold a graph or a matrix, but: it holds Python objects, or is no numpy file"),
        ("w.npz", "no archive", "must hold a graph or a matrix, but"),
        ("w.mtx", "no market", "must hold a graph or a matrix, but"),
        ("w.mtx", None, "must be a file that can be read, but: No such file"),
        ("w.csv", None, "must be a file that can be read, but: No such file"),
        ("w.npy", None, "must be a file that can be read, but: No such file"),
        ("w.npz", None, "must be a file that can be read, but: No such file"),
    ],
)
def test_bad_files(name, content, message, tmp_path):
    path = tmp_path / name
    if content is not None:
        path.write_text(content)
    with pytest.raises(ValueError, match=message) as caught:
        make(str(path))
    assert str(caught.value).startswith((f"weights is {path}: it must", f"path is {path}: it must"))
    assert "\n" not in str(caught.value)


def test_other_kinds_of_files(tmp_path):
    with pytest.raises(ValueError, match=r"w\.xlsx: it must be a file with one of the suffixes \.csv, "):
        from_weights(tmp_path / "w.xlsx")
    np.save(tmp_path / "w.npy", np.eye(3) * 1j)
    with pytest.raises(ValueError, match="its numbers are of type complex128, and not real"):
        from_weights(tmp_path / "w.npy")
    np.savez(tmp_path / "w.npz", W=np.eye(3))
    with pytest.raises(ValueError, match="must hold a matrix, but"):
        from_weights(tmp_path / "w.npz")
    np.save(tmp_path / "o.npy", np.array([[None, 1], [1, None]]))
    with pytest.raises(ValueError, match="must hold a matrix, but: it holds Python objects"):
        from_weights(tmp_path / "o.npy")


def test_single_precision_is_completed_with_a_note(tmp_path):
    W = metropolis(star(9)).toarray().astype(np.float32)
    np.save(tmp_path / "w.npy", W)
    topology = make(str(tmp_path / "w.npy"))
    verify(topology)
    assert topology.sums == "both"
    assert "single precision" in topology.notes[0]
    np.testing.assert_allclose(topology.weights(0).toarray(), W, rtol=0, atol=1e-7)


def test_a_matrix_that_diverges_is_refused_and_one_that_does_not_mix_is_said(tmp_path):
    for W in ([[3, -2], [-2, 3]], [[2.0, -1.0], [-0.5, 1.5]]):
        with pytest.raises(ValueError, match=r"W_0: .* diverge: λ is .*; it must be below 1"):
            verify(make(written(tmp_path, np.array(W))))
    still = make(written(tmp_path, np.array([[0, 1], [1, 0]])), form="weights")
    verify(still)
    assert "does not mix" in still.notes[0]
    assert make(written(tmp_path, np.array([[0.5, 0.5], [0.5, 0.5]]))).notes == ()

"""Links that fail, peers that are away, slow links: what they leave of W, for certain and on average."""

from itertools import product

import networkx as nx
import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from dfedsam.topologies import latency, link_failures, make, peer_dropout, verify
from dfedsam.topologies.schedules.failures import PeerDropout
from dfedsam.topologies.schedules.unreliable import Links

INNER = ["ring", "star", "erdos_renyi", "random_matching", "one_peer_hypercube", "matcha"]


def around(kind, inner, n, rate, seed):
    if kind == "latency":
        return latency(n, inner, periods=[1, 3], shares=[1 - rate, rate], seed=seed)
    return {"link_failures": link_failures, "peer_dropout": peer_dropout}[kind](n, inner, p=rate, seed=seed)


@st.composite
def networks(draw, most=2):
    """An unreliable network around a graph or a schedule, or some around each other."""
    n = 2 ** draw(st.integers(1, 3)) if (name := draw(st.sampled_from(INNER))) == "one_peer_hypercube" else 0
    topology = name
    n = n or draw(st.integers(2, 9))
    for _ in range(draw(st.integers(1, most))):
        kind = draw(st.sampled_from(["link_failures", "peer_dropout", "latency"]))
        topology = around(kind, topology, n, draw(st.floats(0, 1)), draw(st.integers(0, 99)))
    return topology


@settings(deadline=None, max_examples=6)
@given(topology=networks(most=1))
def test_1000_rounds_stay_doubly_stochastic_and_keep_the_mean(topology):
    verify(topology)
    n = topology.n
    x = np.random.default_rng(0).normal(size=(n, 2))
    mean, ones = x.mean(axis=0), np.ones(n)
    for t in range(1000):
        W = topology.weights(t)
        assert abs(W @ ones - 1).max() <= 1e-12
        assert abs(ones @ W - 1).max() <= 1e-12
        away = topology.participants(t)
        before, x = x, W @ x
        if away is not None:
            np.testing.assert_array_equal(x[~away], before[~away])
    np.testing.assert_allclose(x.mean(axis=0), mean, atol=1e-12)


@settings(deadline=None, max_examples=15)
@given(topology=networks())
def test_every_round_is_symmetric_thin_and_asked_for_in_any_order(topology):
    for t in (7, 0, 31, 8):
        W = topology.weights(t)
        assert (abs(W - W.T)).nnz == 0
        assert W.has_canonical_format
        assert np.all(W.data[W.indices != np.repeat(np.arange(topology.n), np.diff(W.indptr))])
        assert topology.weights(t) is W
    again = make(topology, topology.n)
    rounds = [again.weights(t).toarray() for t in range(10)]
    for t in (3, 9, 0):
        np.testing.assert_array_equal(topology.weights(t).toarray(), rounds[t])


@pytest.mark.parametrize("kind", ["link_failures", "peer_dropout", "latency"])
@pytest.mark.parametrize("inner", ["davis", "random_neighbours", "directed_exponential", "one_peer_exponential"])
def test_the_seed_alone_says_what_is_lost(kind, inner):
    one, other, third = (around(kind, inner, 32, 0.5, seed) for seed in (1, 1, 2))
    rounds = [one.weights(t).toarray() for t in range(8)]
    for t in (6, 1, 7, 0):
        np.testing.assert_array_equal(other.weights(t).toarray(), rounds[t])
    assert any((third.weights(t).toarray() != rounds[t]).any() for t in range(8))


@pytest.mark.parametrize("inner", ["ring", "one_peer_exponential", "random_matching", "directed_ring"])
def test_nothing_lost_is_the_inner_matrix_itself(inner):
    made = make(inner, 8, 3)
    for topology in (link_failures(8, made, p=0), peer_dropout(8, made, p=0), latency(8, made, periods=[1])):
        for t in (0, 1, 5):
            assert topology.weights(t) is made.weights(t)
            assert topology.participants(t) is None


@pytest.mark.parametrize("inner", ["davis", "directed_exponential", "random_matching", "base"])
def test_all_lost_is_the_identity(inner):
    for topology in (link_failures(32, inner, p=1), peer_dropout(32, inner, p=1)):
        W = topology.weights(4)
        np.testing.assert_array_equal(W.toarray(), np.eye(32))
        assert W.nnz == 32
        verify(topology)  # the links are there, though they never carry anything
    assert not topology.participants(4).any()


def test_both_ends_keep_what_they_would_have_sent():
    W = make("davis", 32).weights(0)
    links = Links(W, directed=False)
    lost = np.zeros(len(links.i), bool)
    lost[[3, 50]] = True
    expected = W.toarray()
    for i, j in zip(links.i[lost], links.j[lost], strict=True):
        expected[i, i] += expected[j, i]
        expected[j, j] += expected[i, j]
        expected[i, j] = expected[j, i] = 0
    thin = links.without(lost)
    np.testing.assert_allclose(thin.toarray(), expected, atol=1e-15)
    assert thin.nnz == W.nnz - 4
    assert (thin.data != 0).all()
    assert W.nnz == 32 + 2 * 89  # as it was


@pytest.mark.parametrize("p", [0.1, 0.5, 0.9])
def test_link_failures_contract_as_all_their_states_do(p):
    topology = make("link_failures", 6, topology={"class_path": "grid", "init_args": {"rows": 2}}, p=p)
    links = Links(make("grid", 6, rows=2).weights(0), directed=False)
    second = np.zeros((6, 6))
    for down in product([False, True], repeat=len(links.i)):
        W = links.without(np.array(down)).toarray()
        second += p ** sum(down) * (1 - p) ** (len(down) - sum(down)) * W @ W
    assert topology.contraction() == pytest.approx(np.linalg.eigvalsh(second - 1 / 6)[-1], abs=1e-13)


@pytest.mark.parametrize("p", [0.1, 0.5, 0.9])
def test_absences_contract_as_all_their_states_do(p):
    topology = peer_dropout(7, nx.lollipop_graph(4, 3), p=p)
    assert isinstance(topology, PeerDropout)
    links = Links(topology._inner.weights(0), directed=False)
    second = np.zeros((7, 7))
    for gone in product([False, True], repeat=7):
        away = np.array(gone)
        W = links.without(away[links.i] | away[links.j]).toarray()
        second += p ** sum(gone) * (1 - p) ** (7 - sum(gone)) * W @ W
    assert topology.contraction() == pytest.approx(np.linalg.eigvalsh(second - 1 / 7)[-1], abs=1e-13)


@pytest.mark.parametrize("n", [9, 1000])
def test_failures_on_a_ring_in_closed_form(n):
    """Its eigenvectors are those of every circulant: L has 2(1 - cos)/3, and Σ w_e² L_e 2(1 - cos)/9."""
    p, curve = 0.2, 2 - 2 * np.cos(2 * np.pi * np.arange(1, n) / n)
    for topology, one, two in ((link_failures(n, p=p), 0.8, 0.64), (peer_dropout(n, p=p), 0.64, 0.512)):
        left = 1 - 2 * one * curve / 3 + two * curve**2 / 9 + 2 * (one - two) * curve / 9
        assert topology.contraction() == pytest.approx(left.max(), abs=1e-10)


def test_rates_are_those_asked_for():
    links = [link_failures(500, "ring", p=0.3, seed=1).weights(t).nnz for t in range(20)]
    assert np.mean(links) == pytest.approx(500 + 1000 * 0.7, abs=5 * 2 * np.sqrt(500 * 0.21 / 20))
    there = [peer_dropout(500, "ring", p=0.3, seed=1).participants(t).sum() for t in range(20)]
    assert np.mean(there) == pytest.approx(350, abs=5 * np.sqrt(500 * 0.21 / 20))


def test_stated_absences():
    topology = make("peer_dropout", 6, absences=[[2, 1, 3], [4, 3, 3], [2, 5, 5]], seed=9)
    inner = make("ring", 6).weights(0)
    absent = {0: [], 1: [2], 2: [2], 3: [2, 4], 4: [], 5: [2], 6: []}
    for t, gone in absent.items():
        here = topology.participants(t)
        assert (here is None) == (not gone)
        if gone:
            assert np.flatnonzero(~here).tolist() == gone
        W = topology.weights(t).toarray()
        np.testing.assert_allclose(W[gone], np.eye(6)[gone], atol=0)
        stay = [i for i in range(6) if i not in gone]
        off = ~np.eye(6, dtype=bool)[np.ix_(stay, stay)]
        np.testing.assert_array_equal(W[np.ix_(stay, stay)][off], inner.toarray()[np.ix_(stay, stay)][off])
    assert topology.contraction() is None
    verify(topology)


def test_one_within_another():
    """What is away within is away without; two of a kind and a seed lose different links."""
    inner = {"class_path": "peer_dropout", "init_args": {"absences": [[0, 0, 9]]}}
    topology = make("link_failures", 8, topology=inner, p=0.5)
    both = make("peer_dropout", 8, topology=topology, absences=[[3, 2, 2]])
    assert not topology.participants(4)[0]
    assert np.flatnonzero(~both.participants(2)).tolist() == [0, 3]
    assert both.weights(4) is both.weights(4)
    np.testing.assert_array_equal(both.weights(2).toarray()[[0, 3]], np.eye(8)[[0, 3]])
    ring, once = make("ring", 400), link_failures(400, "ring", p=0.5, seed=3)
    twice = link_failures(400, once, p=0.5, seed=3)
    kept = [(topology.weights(0).nnz - 400) / 800 for topology in (once, twice)]
    assert kept == pytest.approx([0.5, 0.25], abs=0.12)
    assert twice.support().nnz == ring.support().nnz


def test_directed_ones_are_for_push_sum():
    for inner in ("directed_exponential", "directed_ring", "one_peer_exponential"):
        for topology in (link_failures(16, inner, p=0.4), peer_dropout(16, inner, p=0.4), latency(16, inner)):
            assert topology.directed
            assert topology.sums == "columns"
            verify(topology)
    both = {
        "class_path": "from_edges",
        "init_args": {"edges": [[0, 1], [1, 0]], "directed": True},
    }
    seen = {tuple(link_failures(2, both, p=0.5).weights(t).toarray().ravel()) for t in range(40)}
    assert seen == {(0.5, 0.5, 0.5, 0.5), (1, 0.5, 0, 0.5), (0.5, 0, 0.5, 1), (1, 0, 0, 1)}


def test_slow_links_carry_in_every_cth_round():
    topology = latency(200, "ring", periods=[1, 2, 4], shares=[0.25, 0.25, 0.5], seed=2)
    assert topology.period == 4
    carried = np.sum([topology.weights(t).toarray() > 0 for t in range(4)], axis=0)
    uses = np.array([carried[i, (i + 1) % 200] for i in range(200)])
    assert set(uses) == {1, 2, 4}
    assert [int((uses == count).sum()) for count in (4, 2, 1)] == pytest.approx([50, 50, 100], abs=35)
    assert topology.weights(1) is topology.weights(5)
    sent = [topology.weights(t).nnz - 200 for t in range(4)]
    assert sum(sent) == 2 * uses.sum()
    assert max(sent) < 1.5 * min(sent)  # they do not wake together
    verify(topology)
    assert latency(8, "one_peer_hypercube", periods=[2]).period == 6
    assert latency(8, "random_matching").period is None
    assert latency(8, "ring", periods=[997, 991]).period is None


def test_a_link_keeps_its_class_in_every_round_of_a_schedule():
    topology = latency(
        8, {"class_path": "round_robin", "init_args": {"topologies": ["ring", "ring"]}}, periods=[2], seed=1
    )
    carried = [topology.weights(t).toarray() > 0 for t in range(4)]
    np.testing.assert_array_equal(carried[0], carried[2])
    off = ~np.eye(8, dtype=bool)
    assert (carried[0] ^ carried[1])[off].sum() == 16


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("link_failures", {"p": 1.1}, "p is 1.1: it must be at least 0 and at most 1"),
        ("link_failures", {"p": -0.1}, "p is -0.1"),
        ("link_failures", {"p": float("nan")}, "p is nan"),
        ("link_failures", {"topology": "rign"}, "topology is rign"),
        (
            "link_failures",
            {"topology": {"class_path": "star", "init_args": {"weights": "uniform"}}},
            "must not be biased",
        ),
        ("peer_dropout", {"p": 2}, "p is 2: it must be at least 0 and at most 1"),
        ("peer_dropout", {"absences": []}, r"absences is \[\]: it must state at least one absence"),
        ("peer_dropout", {"absences": [[6, 0, 1]]}, r"absences is \[6, 0, 1\]: it must be of a peer from 0 to 5"),
        ("peer_dropout", {"absences": [[-1, 0, 1]]}, "absences is -1: it must be a whole number of at least 0"),
        ("peer_dropout", {"absences": [[1, 4, 3]]}, r"absences is \[1, 4, 3\]: it must not end before it begins"),
        ("peer_dropout", {"absences": [[1, 4]]}, r"absences is \[1, 4\]: it must be three whole numbers"),
        ("peer_dropout", {"absences": [3]}, "absences is 3: it must be three whole numbers"),
        ("latency", {"periods": []}, r"periods is \[\]: it must name at least one class"),
        ("latency", {"periods": [0]}, "periods is 0: it must be a whole number of at least 1"),
        ("latency", {"shares": [1.0]}, "must be 3 numbers, one for each class"),
    ],
)
def test_wrong_options(name, options, message):
    with pytest.raises(ValueError, match=message) as caught:
        make(name, 6, **options)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("memory", [0.0, 0.8])
def test_failures_come_in_bursts_of_the_stated_length(memory):
    p, n, rounds = 0.3, 200, 600
    topology = peer_dropout(n, "ring", p=p, memory=memory)
    assert isinstance(topology, PeerDropout)
    down = np.stack([topology.absent(t) for t in range(rounds)])
    share, begins = down.mean(), (down[1:] & ~down[:-1]).sum()
    correlation = (1 + memory) / (1 - memory)  # by which a chain's mean is less certain
    assert abs(share - p) < 5 * (p * (1 - p) * correlation / down.size) ** 0.5
    assert down[1:].sum() / begins == pytest.approx(1 / ((1 - memory) * (1 - p)), rel=0.05)
    np.testing.assert_array_equal(topology.absent(7), down[7])  # in any order
    assert (topology.contraction() is None) == (memory > 0)


def test_a_link_with_memory_must_stay():
    assert link_failures(8, "ring", memory=0.5).weights(30).nnz <= 24
    with pytest.raises(ValueError, match=r"memory is 0\.5: it must be 0 for links that change"):
        link_failures(8, "one_peer_hypercube", memory=0.5)
    with pytest.raises(ValueError, match=r"memory is 1"):
        peer_dropout(8, "ring", memory=1.0)

"""Asynchronous runs against a plain event queue, and against closed forms."""

import heapq

import numpy as np
import pytest

from dfedsam import (
    ADPSGD,
    ADSGD,
    A2CiD2,
    AsynchronousDFedSAM,
    DFedSAM,
    Exact,
    OptionError,
    Quadratic,
    TwoPoint,
    make,
    simulate,
)
from dfedsam.algorithms.pairs import parameters
from dfedsam.clock import AsynchronousTime, Clock, Constant, Daily, Exponential, PerQuery, TwoSpeeds, UniformLinks
from dfedsam.clock.asynchronous import Meetings
from dfedsam.clock.links import Edges
from dfedsam.clock.wakings import Churn, Mailboxes, Queue
from dfedsam.communication.single_process import SingleProcess
from dfedsam.context import QueryCounter, RoundContext
from dfedsam.objectives.base import ALL_ROWS
from dfedsam.random import RandomStream

INSTANT = UniformLinks(latency=0, bandwidth=1e30)
STILL = {"lr": 1e-300, "estimator": Exact()}  # no step is large enough to change x


def play(algorithm, x, topology, clock, rounds, seed=0):
    """x after each round, from a start x (n, dim) of our own."""
    n, dim = x.shape
    communicator, problem = SingleProcess(n), Quadratic(dim=dim).build(n, range(n), seed, "float64")
    W = topology.weights(0)
    queries, sends = algorithm.queries_per_waking(problem), algorithm.sends(topology)
    events = AsynchronousTime(clock, algorithm.wakes, W, seed, 8 * dim, queries, sends)
    state, counter = algorithm.init(x.copy(), problem), QueryCounter.zero(n)
    for t in range(rounds):
        stream = RandomStream(seed, "", t, 0, range(n))
        context = RoundContext(t, problem, stream, counter, communicator, W, lambda _: None, ALL_ROWS, events=events)
        state = algorithm.round(state, context)
        yield events.metrics["time"], state.x.copy()


def event_queue(table, edges, delays, wakings, presence=None):
    """What each waking reads, by a heap of wakings (kind 0) and arrivals (kind 1): (time, peer, count, versions).

    Of peers that join, the versions of all rows from which they may start, and −1.
    """
    n, counts, latest, found = edges.n, np.zeros(edges.n, int), np.zeros(len(delays), int), []
    back = lambda i, time: time if presence is None else int(presence.next(np.array([i]), np.array([time]))[0])  # noqa: E731
    heap, joins = [], np.zeros(n, bool)

    def goes_on(i, time):
        joins[i] = back(i, time) > time
        heapq.heappush(heap, (back(i, time) if joins[i] else time + int(table[counts[i], i]), 0, i, 0))

    for i in range(n):
        goes_on(i, 0)
    while len(found) < wakings:
        time, kind, which, version = heapq.heappop(heap)
        if kind:
            latest[which] = max(latest[which], version)
            continue
        sent = [e for e in np.flatnonzero(edges.receivers == which).tolist() if back(edges.senders[e], time) == time]
        reads = {e: int(latest[e]) for e in sent} | ({-1: 1} if joins[which] else {})
        found.append((time, which, int(counts[which]), reads))
        counts[which] += 1
        for e in np.flatnonzero(edges.senders == which):
            heapq.heappush(heap, (time + int(delays[e]), 1, int(e), int(counts[which])))
        goes_on(which, time)
    return found


@pytest.mark.parametrize("churn", [False, True])
@pytest.mark.parametrize("trial", range(5))
def test_waves_read_what_an_event_queue_reads(trial, churn):
    """Order, versions, no reading of what is not there yet, and nothing given up that is read later.

    With churn, nothing of who is absent, and one row where a peer joins.
    """
    rng, n, rounds = np.random.default_rng(trial), 7, 15
    receivers, senders = np.nonzero((rng.random((n, n)) < 0.5) & ~np.eye(n, dtype=bool))
    edges, delays = Edges(n, senders, receivers), rng.integers(0, 60, len(senders))
    slow = np.where(rng.random(n) < 0.3, 10, 1)
    table = slow * rng.integers(1, 9, n) + rng.integers(0, 1 + 8 * (trial % 3), (rounds * n, n))
    presence = Daily(low=0.3, high=0.7, period=2e-4, moments=8).presence(n, trial) if churn else None
    draws = Churn(presence, lambda k: rng.random(n)) if churn else None
    expected, done = event_queue(table, edges, delays, rounds * n, presence), np.zeros(n, int)
    queue = Queue(n, lambda k: table[k], None, presence)
    boxes, oldest = Mailboxes(queue, edges, delays, draws), np.zeros(n, int)
    for t in range(rounds):
        wakings, waves = boxes.next_round()
        ours = expected[t * n : (t + 1) * n]
        assert [(time, i, k) for time, i, k, _ in ours] == list(
            zip(wakings.times.tolist(), wakings.peers.tolist(), wakings.counts.tolist(), strict=True)
        )
        reads, joined = {(i, k): {} for _, i, k, _ in ours}, []
        for wave in waves:
            np.testing.assert_array_equal(wave.done, done)
            assert (wave.versions <= done[senders[wave.edges]]).all()
            assert (wave.versions >= oldest[senders[wave.edges]]).all()
            uses = np.ones(len(wave.edges), bool) if wave.uses is None else wave.uses
            for e, version in zip(wave.edges[uses].tolist(), wave.versions[uses].tolist(), strict=True):
                reads[receivers[e], done[receivers[e]]][e] = version
            for i in [] if wave.joins is None else wave.peers[wave.joins]:
                assert len(reads[i, done[i]]) <= 1
                joined.append((int(i), int(done[i])))
            done[wave.peers] += 1
            oldest = wave.oldest
        allowed = {(i, k): versions for _, i, k, versions in ours}
        for one in joined:
            versions = allowed.pop(one)
            assert versions.pop(-1) == 1
            assert reads.pop(one).items() <= versions.items()
        assert reads == allowed


@pytest.mark.parametrize("latency", [0.0, 0.35])
def test_adsgd_ends_at_the_synchronous_fixed_point_whatever_the_delays(latency):
    """X* = (I − W + ηaI)⁻¹ ηaB; a quarter of the peers is ten times slower, messages are up to four wakings late."""
    n, lr = 16, 0.2
    clock = Clock(compute=TwoSpeeds(slow=0.25), links=UniformLinks(latency=latency))
    result = simulate(
        objective=Quadratic(dim=3),
        topology="ring",
        peers=n,
        algorithm=ADSGD(lr=lr, estimator=Exact()),
        rounds=800,
        evaluate_every=1000,
        dtype="float64",
        clock=clock,
    )
    optima = Quadratic(dim=3).build(n, range(n), 0, "float64").optima
    expected = np.linalg.solve((1 + lr) * np.eye(n) - result.W.toarray(), lr * optima)
    np.testing.assert_allclose(result.x, expected, atol=1e-10)


def test_equal_speeds_give_the_rounds_that_combine_before_they_adapt():
    """x ← W x + (what the local steps add), for one gradient and for K steps of SAM."""
    n, clock = 6, Clock(compute=Constant(mean=1), links=UniformLinks(latency=0.1))
    topology, x = make("ring", n), np.random.default_rng(0).normal(size=(n, 3))
    W, optima = topology.weights(0).toarray(), Quadratic(dim=3).build(n, range(n), 0, "float64").optima
    expected = x
    for t, (time, found) in enumerate(play(ADSGD(lr=0.1, estimator=Exact()), x, topology, clock, 4)):
        expected = W @ expected - 0.1 * (expected - optima)
        np.testing.assert_allclose(found, expected, rtol=1e-12)
        assert time == t + 1
    sam = AsynchronousDFedSAM(lr=0.1, local_steps=2, rho=0.3, estimator=Exact())
    _, found = next(play(sam, x, topology, clock, 1))
    y = x
    for _ in range(2):
        g = y - optima
        y = y - 0.1 * (y + 0.3 * g / np.linalg.norm(g, axis=1, keepdims=True) - optima)
    np.testing.assert_allclose(found, W @ x + y - x, rtol=1e-6)


@pytest.mark.parametrize(("late", "rate"), [(0, 0.94925), (1, 0.96897), (3, 0.98259)])
def test_delayed_gossip_contracts_as_its_largest_root(late, rate):
    """The slowest mode of a ring, with messages τ wakings late: z^{τ+1} = w z^τ + (1−w) cos(2π/n)."""
    n = 16
    mode = np.cos(2 * np.pi * np.arange(n) / n)[:, None]
    clock = Clock(compute=Constant(mean=1), links=UniformLinks(latency=late + 0.5, bandwidth=1e30))
    norms = [np.linalg.norm(x) for _, x in play(ADSGD(**STILL), mode, make("ring", n), clock, 120)]
    assert (norms[-1] / norms[-31]) ** (1 / 30) == pytest.approx(rate, abs=2e-5)


@pytest.mark.parametrize(("slow", "factor", "gain"), [(0.1, 10, 9.1), (0.2, 5, 4.2), (0.5, 2, 1.5)])
def test_without_waiting_slow_peers_cost_only_themselves(slow, factor, gain):
    """With a share p of peers s times slower: s(1 − p) + p times the wakings of rounds in which all wait for them."""
    clock = Clock(compute=TwoSpeeds(mean=1, slow=slow, factor=factor), links=INSTANT)
    (*_, (time, _)) = play(ADSGD(**STILL), np.zeros((20, 1)), make("ring", 20), clock, 200)
    assert 200 / (time / factor) == pytest.approx(gain, rel=0.01)


def test_meetings_are_evenly_spread_over_links():
    """AD-PSGD: E W of one meeting is I − L/2m, so the consensus distance contracts by 1 − μ₂/2m: .995242 on a ring."""
    n, rounds = 16, 1500
    events = AsynchronousTime(
        Clock(compute=Exponential(mean=1), links=INSTANT), "pairs", make("ring", n).weights(0), 0, 8, 1
    )
    mean = np.zeros((n, n))
    for t in range(rounds):
        for wave in events.waves(t):
            assert isinstance(wave, Meetings)
            assert len({*wave.peers, *wave.partners}) == 2 * len(wave.peers)
            np.add.at(mean, (wave.peers, wave.partners), 0.5)
    mean += mean.T
    mean = np.diag(n * rounds - mean.sum(axis=1)) + mean
    assert np.linalg.eigvalsh(mean / (n * rounds))[-2] == pytest.approx(0.995242, abs=3e-4)


def rates_of(name, n):
    """Every peer of a regular graph takes part in one meeting a second."""
    W = make(name, n, weights="uniform").weights(0).copy()
    W.setdiag(0)
    W.eliminate_zeros()
    W.data[:] = n / W.nnz
    return W


@pytest.mark.parametrize(
    ("rates", "plain", "eta", "alpha"),
    [
        (rates_of("ring", 16), 0.0381, 0.1425, 1.872),
        (rates_of("ring", 64), 0.0024, 0.0350, None),
        (rates_of("hypercube", 16), 0.25, 0.3651, None),
        (rates_of("complete", 16), 0.5333, 0.5333, None),
    ],
)
def test_the_momentum_of_a2cid2_decays_at_the_rate_of_its_paper(rates, plain, eta, alpha):
    """The slowest decay of E x under meetings and flow, against that of meetings alone."""
    found_eta, found_alpha = parameters(rates)
    weights = rates.toarray()
    n, laplacian = len(weights), np.diag(weights.sum(axis=1)) - weights
    assert np.linalg.eigvalsh(laplacian)[1] / 2 == pytest.approx(plain, rel=0.02)
    one = found_eta * np.eye(n)
    flow = np.block([[-one - laplacian / 2, one], [one - found_alpha * laplacian, -one]])
    decays = np.sort(-np.linalg.eigvals(flow).real)  # the first is the mean, which stays
    assert decays[1] == pytest.approx(eta, rel=2e-3)
    if alpha is not None:
        assert (found_eta, found_alpha) == pytest.approx((eta, alpha), rel=1e-3)


def test_a2cid2_reaches_consensus_as_fast_as_in_simulations_of_it():
    """The slowest mode of a ring of 16: .112 without and 4.8e-3 with momentum are left, in the mean, after 30 meetings
    of every peer, which here is after 15 wakings."""
    x, clock = np.cos(2 * np.pi * np.arange(16) / 16)[:, None], Clock(compute=Exponential(mean=1), links=INSTANT)
    left = []
    for algorithm in (ADPSGD(**STILL), A2CiD2(**STILL)):
        runs = [[*play(algorithm, x, make("ring", 16), clock, 15, seed)][-1][1] for seed in range(24)]
        left.append(np.mean([np.mean((y - y.mean()) ** 2) for y in runs]) / np.mean(x**2))
        assert max(abs(y.mean()) for y in runs) < 1e-12
    assert left[0] == pytest.approx(0.112, rel=0.3)
    assert left[1] == pytest.approx(4.8e-3, rel=0.5)


def test_costs_are_counted():
    """Queries and vectors of a waking, and time per query: 2 · 4 directions of two points, twice for SAM."""
    clock = Clock(compute=PerQuery(seconds_per_query=0.01), links=INSTANT)
    options = {"objective": Quadratic(dim=4), "topology": "ring", "peers": 8, "rounds": 3, "clock": clock}
    for algorithm, queries, vectors in (
        (ADSGD(), 8, 2),
        (AsynchronousDFedSAM(local_steps=3, estimator=TwoPoint(directions=2)), 24, 2),
        (ADPSGD(), 8, 2),
    ):
        last = simulate(algorithm=algorithm, **options).rows[-1]
        assert (last["queries"], last["bytes"]) == (3 * queries, 3 * vectors * 16)
        assert last["time"] == pytest.approx(3 * 0.01 * queries)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"clock": Clock(wait="barrier")}, "clock.wait is barrier: it must be none for an asynchronous algorithm"),
        ({"topology": "one_peer_exponential"}, "algorithm is adsgd: it must have undirected links, the same at all"),
        ({"topology": "directed_ring"}, "algorithm is adsgd: it must have undirected links"),
    ],
)
def test_what_does_not_fit_is_refused(options, message):
    with pytest.raises(OptionError, match=message):
        simulate(**{"objective": Quadratic(dim=2), "topology": "ring", "algorithm": ADSGD(), **options})


def test_an_asynchronous_algorithm_brings_a_clock_and_others_none():
    options = {"objective": Quadratic(dim=2), "topology": "ring", "rounds": 1}
    assert simulate(algorithm=ADSGD(), **options).experiment.clock == Clock()
    assert simulate(algorithm=DFedSAM(), **options).experiment.clock is None

"""Peers that come and go: when they are there, what they start from, and what the others do meanwhile."""

import numpy as np
import pytest

from dfedsam import ADPSGD, ADSGD, DPSGD, A2CiD2, Exact, FedBPT, OptionError, Quadratic, make, simulate
from dfedsam.algorithms import DFedSAM
from dfedsam.callbacks.base import Callback
from dfedsam.clock import Clock, Constant, Daily, Exponential, SynchronousTime, Trace, UniformLinks
from dfedsam.clock.availability import NEVER, Presence
from dfedsam.gossip import Chebyshev, Flood
from dfedsam.privacy import Decor
from tests.dfedsam.clock.test_asynchronous import STILL, play

INSTANT = UniformLinks(latency=0, bandwidth=1e30)


@pytest.mark.parametrize("period", [None, 20])
def test_intervals_say_who_is_there_and_who_comes_back_when(period):
    """Against every interval by itself; they overlap, touch, and are missing for some peers."""
    rng, halves = np.random.default_rng(0), np.arange(0, 100)
    starts = rng.integers(0, 30, 9)
    intervals = np.stack([rng.integers(0, 6, 9), starts, np.minimum(starts + rng.integers(1, 12, 9), 40)], axis=1) / [
        1,
        2,
        2,
    ]
    presence = Presence(7, intervals, period)
    for peer in range(7):
        mine = intervals[intervals[:, 0] == peer]
        times = (halves % 40 if period else halves) / 2
        inside = (mine[:, 1, None] <= times) & (times < mine[:, 2, None])
        there = np.atleast_1d(inside.any(axis=0) | (len(mine) == 0))
        peers, moments = np.full(60, peer), halves[:60] * 500_000
        np.testing.assert_array_equal(presence.at(peers, moments), there[:60])
        expected = [next((500_000 * int(u) for u in halves[half:] if there[u]), NEVER) for half in range(60)]
        np.testing.assert_array_equal(presence.next(peers, moments), expected)


def test_the_synthetic_share_of_peers_there_follows_a_sine():
    presence, everyone = Daily().presence(100, 0), np.arange(100)
    shares = [presence.at(everyone, np.full(100, 900_000_000 * quarter)).sum() for quarter in range(6)]
    assert shares == [45, 80, 45, 10, 45, 80]


class Rows(Callback):
    """x before every round, after peers have joined."""

    def __init__(self):
        self.x = []

    def before_round(self, run):
        self.x.append(run.x.copy())


def test_who_is_absent_waits_and_who_joins_starts_from_a_neighbour(tmp_path):
    """Peer 0 is there in seconds 0 to 2.5 and from 5.5 on, and peer 1 from 3.5 on; a round takes a second."""
    (tmp_path / "trace.csv").write_text("0, 0, 2.5\n0, 5.5, inf\n# a device\n1, 3.5, inf\n")
    clock = Clock(compute=Constant(mean=1), links=INSTANT, availability=Trace(file=tmp_path / "trace.csv"))
    n, seen = 5, Rows()
    result = simulate(
        objective=Quadratic(dim=3),
        topology="ring",
        peers=n,
        algorithm=DPSGD(lr=0.1, estimator=Exact()),
        rounds=8,
        clock=clock,
        dtype="float64",
        callbacks=[seen],
    )
    x, W = np.zeros((n, 3)), make("ring", n).weights(0).toarray()
    optima, rows = Quadratic(dim=3).build(n, range(n), 0, "float64").optima, result.rows
    vectors = 0
    for t in range(8):
        present = np.array([t < 3 or t >= 6, t >= 4, True, True, True])
        for peer, round in ((0, 6), (1, 4)):
            if t == round:
                others = seen.x[t][[(peer - 1) % n, (peer + 1) % n]]
                there = present[[(peer - 1) % n, (peer + 1) % n]]
                assert (others[there] == seen.x[t][peer]).all(axis=1).any()
                x[peer], vectors = seen.x[t][peer], vectors + 1
        np.testing.assert_allclose(seen.x[t], x, atol=1e-12)
        thin = np.where(np.outer(present, present), W, 0)
        np.fill_diagonal(thin, 0)
        vectors += np.count_nonzero(thin)
        np.fill_diagonal(thin, 1 - thin.sum(axis=1))
        x = thin @ np.where(present[:, None], x - 0.1 * (x - optima), x)
        mean = x[present].mean(axis=0)
        spread = ((x[present] - mean) ** 2).sum(axis=1).mean()
        assert rows[t + 1]["consensus_distance"] == pytest.approx(spread, abs=1e-12)
        assert rows[t + 1]["time"] == pytest.approx(t + 1)
        assert rows[t + 1]["present"] == present.mean()
    assert rows[-1]["bytes"] == vectors * 3 * 8 / n


def test_where_nobody_is_ready_the_first_to_come_back_is_waited_for(tmp_path):
    """Peers 0 and 1 take turns: peer 0 stops at 0.5 s, and peer 1 begins at 0.5 s; both are ready at 0 and 1 s."""
    (tmp_path / "trace.csv").write_text("0,0,0.5\n1,0.5,0.8\n0,0.8,0.9\n1,0.9,1\n")
    time = SynchronousTime(
        Clock(compute=Constant(mean=0.85), availability=Trace(file=tmp_path / "trace.csv", period=1)), 2, seed=0
    )
    W = make("ring", 2).weights(0)
    found = []
    for t in range(4):
        found.append(time.present.tolist())
        time.joins(t, W, 8)
        time.advance(t, [], np.ones(2), time.present)
    assert found[:2] == [[True, False], [True, False]]
    assert all(sum(present) == 1 for present in found)


@pytest.mark.parametrize("algorithm", [ADSGD(**STILL), ADPSGD(**STILL), A2CiD2(**STILL)])
def test_weights_sum_to_one_among_those_there_without_rounds(algorithm):
    """Peers that agree go on to agree; others stay within the bounds of what they began with, and come together."""
    clock = Clock(compute=Exponential(), availability=Daily(low=0.3, period=3, moments=60))
    x = np.random.default_rng(0).uniform(size=(12, 2))
    topology = make("ring", 12)
    (*_, (_, ones)) = play(algorithm, np.ones((12, 2)), topology, clock, 40)
    np.testing.assert_allclose(ones, 1, rtol=1e-12)
    (*_, (_, found)) = play(algorithm, x, topology, clock, 150)
    assert np.ptp(found, axis=0).max() < 0.05
    assert (x.min(axis=0) < found).all() & (found < x.max(axis=0)).all()


@pytest.mark.parametrize(
    ("text", "period", "message"),
    [
        ("0,0,2\n1,1,3\n", None, "all are absent from second 3"),
        ("0,0,2\n1,2.5,4\n", 4, "all are absent from second 2"),
        ("0,1,inf\n1,1,inf\n", None, "all are absent from second 0"),
        ("2,0,1\n", None, "must name peers from 0 to 1, not 2 in line 1"),
        ("0,0,1\n1,3,2\n", None, "must have 0 ≤ start < end ≤ inf in every line, not 3 and 2 in line 2"),
        ("0,0,9\n", 5, "end ≤ 5 in every line, not 0 and 9"),
        ("0,1\n", None, "must have lines of peer, start, end, not 2 columns"),
    ],
)
def test_traces_that_cannot_be_are_refused(text, period, message, tmp_path):
    (tmp_path / "trace.csv").write_text(text)
    clock = Clock(availability=Trace(file=tmp_path / "trace.csv", period=period))
    with pytest.raises(OptionError, match=f"clock.availability.file is .*{message}"):
        simulate(objective=Quadratic(), topology="ring", algorithm="dfedsam", peers=2, clock=clock)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"algorithm": FedBPT()}, "clock.availability is synthetic: it must be none for the algorithm fedbpt"),
        ({"algorithm": DFedSAM(gossip=Flood())}, "must be none for the gossip flood"),
        ({"algorithm": DFedSAM(gossip=Chebyshev())}, "one symmetric W for all rounds"),
        ({"privacy": Decor(noise=0.1)}, "clock.availability is synthetic: it must be none where messages are noisy"),
        ({"topology": "directed_ring"}, "clock.availability is synthetic: it must have undirected links"),
    ],
)
def test_churn_is_refused_where_a_copy_of_x_is_not_enough(options, message):
    more = {"objective": Quadratic(), "topology": "ring", "algorithm": "dfedsam", "clock": Clock(availability=Daily())}
    with pytest.raises(OptionError, match=message):
        simulate(**more | options)

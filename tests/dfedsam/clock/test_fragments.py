"""DivShare and Epidemic Learning without rounds: what arrives, when, how often, and what it does to a row."""

import numpy as np
import pytest

from dfedsam import DivShare, EpidemicLearning, OptionError, Quadratic, make, simulate
from dfedsam.clock import Clock, Constant, Daily, UniformLinks
from dfedsam.clock.fragments import Fragments, _subsets
from dfedsam.clock.links import Edges
from dfedsam.clock.wakings import Churn, Queue
from tests.dfedsam.clock.test_asynchronous import STILL, play


@pytest.mark.parametrize("churn", [False, True])
@pytest.mark.parametrize("trial", range(4))
def test_waves_take_in_what_has_arrived_since_the_last_waking(trial, churn, monkeypatch):
    """Against a plain list of all fragments: the last to arrive of each, none while absent, no row before it exists."""
    rng, n, rounds, count, each = np.random.default_rng(trial), 7, 12, 3, 2
    edges = Edges.of(make("complete", n).weights(0))
    latency, transmission = rng.integers(0, 30, len(edges.senders)), rng.integers(1, 6, len(edges.senders))
    table = np.where(rng.random(n) < 0.3, 10, 1) * rng.integers(5, 20, n) + rng.integers(0, 9, (rounds * n, n))
    presence = Daily(low=0.3, high=0.7, period=3e-4, moments=8).presence(n, trial) if churn else None
    queue = Queue(n, lambda k: table[k], None, presence)
    draws = Churn(presence, lambda k: rng.random(n)) if churn else None
    boxes = Fragments(queue, edges, latency, transmission, (count, each), trial, draws)
    sent, plain = [], Fragments._messages

    def recorded(self, wakings):
        messages, number = plain(self, wakings)
        sent.extend(zip(*(array.tolist() for array in vars(messages).values()), strict=True))
        assert number.sum() == len(messages.senders)
        return messages, number

    monkeypatch.setattr(Fragments, "_messages", recorded)
    done, before, taken, times, joins = np.zeros(n, int), np.full(n, -1), {}, {}, set()
    for _ in range(rounds):
        wakings, waves = boxes.next_round()
        for time, peer, number, join in zip(*(array.tolist() for array in vars(wakings).values()), strict=True):
            times[peer, number] = time
            joins |= {(peer, number)} if join else set()
        for wave in waves:
            np.testing.assert_array_equal(wave.done, done)
            assert (wave.versions <= done[wave.senders]).all()
            assert (wave.versions >= wave.oldest[wave.senders]).all()
            for i, j, version, fragment in zip(
                wave.receivers, wave.senders, wave.versions, wave.fragments, strict=True
            ):
                taken.setdefault((int(i), int(done[i])), {})[int(j), int(fragment)] = int(version)
            done[wave.peers] += 1
    assert len(times) == rounds * n
    for (peer, number), time in sorted(times.items()):
        expected, got = {}, taken.get((peer, number), {})
        if (peer, number) in joins:
            assert len({j for j, _ in got}) <= 1
            assert len(got) in (0, count)
        else:
            for sender, version, fragment, receiver, arrival in sorted(sent, key=lambda one: (one[4], one[1])):
                there = presence is None or presence.at(np.array([receiver]), np.array([arrival]))[0]
                if receiver == peer and before[peer] <= arrival < time and there:
                    expected[sender, fragment] = version
            assert got == expected
        before[peer] = time


def test_subsets_are_of_different_numbers_each_equally_likely():
    below = np.repeat([3, 5], 20_000)
    sets = _subsets(below, np.random.default_rng(0).random((40_000, 1, 3)))[:, 0]
    assert (np.diff(np.sort(sets, axis=1), axis=1) > 0).all()
    assert (sets < below[:, None]).all()
    np.testing.assert_allclose(np.bincount(sets[20_000:].ravel()) / 20_000, 0.6, atol=0.02)


@pytest.mark.parametrize("fragments", [1, 3])
@pytest.mark.parametrize(("late", "rate"), [(1, 0.96897), (3, 0.98259)])
def test_sent_to_all_neighbours_of_a_ring_it_is_delayed_gossip(fragments, late, rate):
    """Weights 1/3, and rows that are τ wakings old, whatever they are cut into."""
    mode = np.cos(2 * np.pi * np.arange(16) / 16)[:, None] * [1, -2, 0.5]
    clock = Clock(compute=Constant(mean=1), links=UniformLinks(latency=late - 0.5, bandwidth=1e30))
    algorithm = DivShare(fragments=fragments, recipients=2, **STILL)
    norms = [np.linalg.norm(x) for _, x in play(algorithm, mode, make("ring", 16), clock, 120)]
    assert (norms[-1] / norms[-31]) ** (1 / 30) == pytest.approx(rate, abs=2e-5)


def test_fragments_that_have_not_left_in_time_are_given_up():
    """Of 2 · 3 fragments that take 0.3 s each, four begin to leave within a second; a round costs their bytes."""
    links = UniformLinks(latency=0.01, bandwidth=8 * 8 / 0.3)  # 2 float32 in 0.3 s
    options = {"objective": Quadratic(dim=6), "topology": "ring", "clock": Clock(compute=Constant(mean=1), links=links)}
    last = simulate(algorithm=DivShare(fragments=3), rounds=5, **options).rows[-1]
    assert last["bytes"] == 5 * 4 * 8
    assert last["time"] == 5
    whole = simulate(algorithm=EpidemicLearning(), rounds=5, **options).rows[-1]
    assert whole["bytes"] == 5 * 2 * 24  # the second begins after 0.9 s


@pytest.mark.parametrize(
    ("algorithm", "message"),
    [
        (DivShare(recipients=3), "algorithm.recipients is 3: it must be at most 2, the smallest number of neighbours"),
        (DivShare(fragments=9), "algorithm.fragments is 9: it must be at most the length of x, 8"),
    ],
)
def test_what_does_not_fit_is_refused(algorithm, message):
    with pytest.raises(OptionError, match=message):
        simulate(objective=Quadratic(dim=8), topology="ring", algorithm=algorithm)

"""Simulated time against what is known in closed form."""

import numpy as np
import pandas as pd
import pytest
from scipy.optimize import linprog

from dfedsam import ADPSGD, ADSGD, Chebyshev, DFedSAM, DFedSAMMG, Quadratic, simulate
from dfedsam.clock import (
    Clock,
    Constant,
    Exponential,
    LogNormal,
    MatrixLinks,
    Pareto,
    PerPeer,
    PerQuery,
    RateLimits,
    SynchronousTime,
    TwoSpeeds,
    UnderlayLinks,
    UniformLinks,
)
from dfedsam.clock.links import Edges, max_min_rates
from dfedsam.errors import OptionError
from dfedsam.random import RandomStream
from dfedsam.topologies import make

INSTANT = UniformLinks(latency=0, bandwidth=1e30)


def rounds(clock: Clock, topology: str, n: int, count: int, *, steps: int = 1, size: float = 0) -> SynchronousTime:
    time, weights = SynchronousTime(clock, n, seed=0), make(topology, n, seed=1).weights(0)
    for t in range(count):
        time.advance(t, [(weights, size)] * steps, np.ones(n))
    return time


@pytest.mark.parametrize("n", [16, 64])
def test_a_barrier_of_exponential_times_costs_a_harmonic_number(n):
    """E max of n Exp(1) is H_n; a barrier is the complete graph's neighbourhood."""
    harmonic = sum(1 / k for k in range(1, n + 1))
    barrier = rounds(Clock(compute=Exponential(mean=1), links=INSTANT, wait="barrier"), "ring", n, 4000)
    assert barrier.metrics["time"] / 4000 == pytest.approx(harmonic, rel=0.02)
    assert barrier.metrics["idle"] == pytest.approx(1 - 1 / harmonic, rel=0.02)
    complete = rounds(Clock(compute=Exponential(mean=1), links=INSTANT), "complete", n, 4000)
    assert complete.metrics == barrier.metrics


@pytest.mark.parametrize(("n", "seconds"), [(16, 2.29), (64, 2.35)])
def test_waiting_for_neighbours_alone_costs_a_ring_a_bounded_time(n, seconds):
    ring = rounds(Clock(compute=Exponential(mean=1), links=INSTANT), "ring", n, 4000)
    assert ring.metrics["time"] / 4000 == pytest.approx(seconds, rel=0.01)


def test_alpha_and_beta():
    """Constant times on a ring: compute + Q (α + 2 m/β), where two messages share a link; no time is lost by waiting
    for others to compute."""
    links = UniformLinks(latency=0.01, bandwidth=8e6)
    time = rounds(Clock(compute=Constant(mean=0.5), links=links), "ring", 8, 3, steps=4, size=1000)
    assert time.metrics["time"] == pytest.approx(3 * (0.5 + 4 * (0.01 + 2 * 1e-3)), rel=1e-12)
    alone = UniformLinks(latency=0.01, bandwidth=8e6, sharing="none")
    time = rounds(Clock(compute=Constant(mean=0.5), links=alone), "ring", 8, 3, steps=4, size=1000)
    assert time.metrics["time"] == pytest.approx(3 * (0.5 + 4 * (0.01 + 1e-3)), rel=1e-12)


def test_fair_shares_are_those_of_a_sequence_of_linear_programs():
    """Raise the smallest rate as far as it goes, fix whose rate cannot grow further, and so on."""
    rng = np.random.default_rng(0)
    for _ in range(5):
        capacities, routes = rng.uniform(1, 5, 6), np.array([rng.permutation(6)[:2] for _ in range(8)])
        on_link = np.zeros((6, 8))
        np.add.at(on_link, (routes.T, np.arange(8)), 1)
        bounds = [(0, None)] * 8
        while any(low != high for low, high in bounds):
            free = [i for i, (low, high) in enumerate(bounds) if low != high]
            least = np.zeros((len(free), 9))  # t ≤ rate of each that is free
            least[range(len(free)), free], least[:, 8] = -1, 1
            A, b = np.vstack([np.c_[on_link, np.zeros(6)], least]), np.r_[capacities, np.zeros(len(free))]
            t = -linprog([0] * 8 + [-1], A, b, bounds=[*bounds, (0, None)]).fun
            raised = [(low, high) if low == high else (t, None) for low, high in bounds]
            for i in free:
                goal = -np.eye(8)[i]
                most = -linprog(goal, on_link, capacities, bounds=raised).fun
                if most < t + 1e-7:
                    bounds[i] = (t, t)
        np.testing.assert_allclose(max_min_rates(capacities, routes), [low for low, _ in bounds], rtol=1e-6)


def test_nothing_is_left_over_where_every_message_has_a_busy_end():
    """On a star, a ring and a path a message is as fast as its busier end lets it be."""
    for name, busiest in (("star", 4), ("ring", 2), ("path", 2)):
        edges = Edges.of(make(name, 5).weights(0))
        fair = UniformLinks(latency=0, bandwidth=8, sharing="fair").seconds(edges, 1)
        np.testing.assert_allclose(fair, busiest, err_msg=name)


@pytest.mark.parametrize(
    "profile", [Constant(mean=2), Exponential(mean=2), LogNormal(mean=2, sigma=0.5), Pareto(mean=2, alpha=3.5)]
)
def test_the_mean_of_a_profile_is_what_it_says(profile):
    n = 200_000
    times = profile.seconds(RandomStream(0, "compute time", 0, 0, range(n)), np.ones(n))
    assert (times >= 0).all()
    assert times.mean() == pytest.approx(2, rel=0.01)


def test_a_peer_draws_its_time_wherever_it_is_played():
    everyone = Exponential().seconds(RandomStream(3, "compute time", 7, 0, range(10)), np.ones(10))
    some = Exponential().seconds(RandomStream(3, "compute time", 7, 0, range(4, 9)), np.ones(5))
    np.testing.assert_array_equal(everyone[4:9], some)


def test_slow_peers_set_the_pace_of_a_synchronous_round():
    time = rounds(Clock(compute=TwoSpeeds(mean=1, slow=0.25, factor=10), links=INSTANT), "complete", 8, 5)
    assert time.metrics["time"] == pytest.approx(50)
    assert time.metrics["idle"] == pytest.approx(0.75 * 0.9)


def test_profiles_from_files_and_per_query(tmp_path):
    (tmp_path / "times.csv").write_text("1\n2\n4\n")
    stream = RandomStream(0, "compute time", 0, 0, range(3))
    np.testing.assert_array_equal(PerPeer(file=tmp_path / "times.csv").seconds(stream, np.ones(3)), [1, 2, 4])
    asked = np.array([8.0, 0.0, 4.0])
    np.testing.assert_allclose(PerQuery(seconds_per_query=0.5).seconds(stream, asked), asked / 2)
    np.savetxt(tmp_path / "latency.csv", np.arange(9).reshape(3, 3), delimiter=",")
    np.savetxt(tmp_path / "bandwidth.csv", np.full((3, 3), 8.0), delimiter=",")
    links = MatrixLinks(latency=tmp_path / "latency.csv", bandwidth=tmp_path / "bandwidth.csv")
    time = rounds(Clock(compute=Constant(mean=0), links=links), "path", 3, 1, size=1)
    np.testing.assert_allclose(time.now, [3 + 1, 7 + 1, 5 + 1])  # peer 1 sends at 1 → 0: 3, 2 → 1: 7, 1 → 2: 5


@pytest.mark.parametrize("shared", [False, True])
def test_token_buckets_against_one_query_after_another(shared):
    """Buckets of requests and tokens fill while a peer pauses; each query waits until both hold enough."""
    rng, peers = np.random.default_rng(0), 3 if shared else 1
    limits = RateLimits(
        requests_per_minute=120 * peers,
        burst=5 * peers,
        tokens_per_minute=60_000 * peers,
        tokens_per_query=900,
        seconds_per_query=0.2,
        shared=shared,
    )
    now, debts, last, levels = 0.0, np.zeros((1, 2)), 0.0, np.array([5, 2.5 / 0.9])
    for _ in range(30):
        queries, start = int(rng.integers(0, 9)), now
        for _ in range(queries):
            levels = np.minimum(levels + (now - last) * np.array([2, 1 / 0.9]), [5, 2.5 / 0.9])
            wait = ((1 - levels) / [2, 1 / 0.9]).max().clip(0)
            levels, last = levels + wait * np.array([2, 1 / 0.9]) - 1, now + wait
            levels = np.minimum(levels, np.array([5, 2.5 / 0.9]) - 1)
            now += wait + 0.2
        delay = limits.delays(peers, np.array([start]), np.array([float(queries)]), debts)
        assert start + 0.2 * queries + delay[0] == pytest.approx(now, abs=1e-9)
        now += rng.exponential(2)


@pytest.mark.parametrize("algorithm", [DFedSAM(lr=0.1), ADSGD(lr=0.1), ADPSGD(lr=0.1)])
def test_an_endpoint_that_limits_queries_sets_the_pace(algorithm):
    """Beyond the burst, a run of q queries a peer takes (q − b)/r seconds and that of the last answer."""
    limits = RateLimits(requests_per_minute=600, burst=40, seconds_per_query=0.01)
    last = quadratic(rounds=30, algorithm=algorithm, clock=Clock(compute=limits, links=INSTANT)).rows[-1]
    assert last["time"] == pytest.approx((last["queries"] - 40) / 10 + 0.01, rel=1e-6)


@pytest.mark.parametrize(
    ("clock", "message"),
    [
        (lambda folder: UnderlayLinks(file="gaia"), "file is gaia: it must have a site for each of 16 peers.*11"),
        (lambda folder: PerPeer(file=folder / "three.csv"), "must have a line for each of 16 peers, but it has 3"),
        (lambda folder: PerPeer(file=folder / "none.csv"), "must be readable"),
        (
            lambda folder: MatrixLinks(latency=folder / "three.csv", bandwidth=folder / "three.csv"),
            "must be 16 × 16, a row per peer, but it is 3 × 1",
        ),
    ],
)
def test_what_does_not_fit_the_network_is_refused(clock, message, tmp_path):
    (tmp_path / "three.csv").write_text("1\n2\n3\n")
    profile = clock(tmp_path)
    options = {"compute": profile} if isinstance(profile, PerPeer) else {"links": profile}
    with pytest.raises(OptionError, match=message):
        Clock(**options).check(make("complete", 16), asynchronous=False)


@pytest.mark.parametrize(
    "make_profile",
    [
        lambda: UniformLinks(bandwidth=0),
        lambda: UniformLinks(latency=-1),
        lambda: UnderlayLinks(access=-1e9),
        lambda: Exponential(mean=0),
        lambda: Pareto(alpha=1),
        lambda: TwoSpeeds(slow=1.5),
    ],
)
def test_numbers_out_of_range_are_refused(make_profile):
    with pytest.raises(OptionError):
        make_profile()


def quadratic(rounds=6, algorithm=None, topology="complete", **options):
    """A short run on a quadratic."""
    algorithm = algorithm or DFedSAM(lr=0.1)
    return simulate(
        objective=Quadratic(dim=4), topology=topology, peers=6, algorithm=algorithm, rounds=rounds, **options
    )


def numbers(**options):
    """All evaluations of such a run."""
    return pd.DataFrame(quadratic(**options).rows)


def test_a_clock_that_loses_no_message_changes_no_number():
    """But for the time that waiting takes, runs with any such clock and without one are the same."""
    plain, found = numbers().drop(columns="seconds"), []
    for wait in ("neighbourhood", "barrier"):
        metrics = numbers(clock=Clock(compute=Exponential(), wait=wait))
        found.append(metrics["time_mean"].iloc[-1])
        np.testing.assert_array_equal(metrics[plain.columns], plain)
    assert found[0] < found[1]


def test_waiting_for_the_fastest_keeps_the_weight_of_late_messages_at_both_ends():
    clock = Clock(compute=TwoSpeeds(mean=1, slow=0.2, factor=50), links=INSTANT, wait="fastest_m", m=3)
    time, W = SynchronousTime(clock, 5, seed=0), make("complete", 5).weights(0)
    (slow,) = np.flatnonzero(clock.compute.seconds(RandomStream(0, "compute time", 0, 0, range(5)), np.ones(5)) > 1)
    left = time.weights(0, W, 8).toarray()
    np.testing.assert_allclose(left, left.T)
    np.testing.assert_allclose(left.sum(axis=1), 1)
    others = np.delete(np.arange(5), slow)
    np.testing.assert_allclose(left[slow], np.eye(5)[slow])
    np.testing.assert_allclose(left[np.ix_(others, others)], 0.2 * (1 + np.eye(4)))
    assert time.late == 8
    time.advance(0, [(W, 8)], np.ones(5))
    np.testing.assert_allclose(time.now, np.where(np.arange(5) == slow, 50, 1), rtol=1e-6)


def test_late_messages_are_sent_all_the_same():
    """Bytes are those of the whole graph, and with m all neighbours no number changes."""
    slow = TwoSpeeds(slow=0.2)
    whole = numbers(clock=Clock(compute=slow, wait="fastest_m", m=5)).drop(columns="seconds")
    neighbourhood = numbers(clock=Clock(compute=slow))
    np.testing.assert_array_equal(whole, neighbourhood[whole.columns])
    some = numbers(clock=Clock(compute=slow, wait="fastest_m", m=2))
    np.testing.assert_array_equal(some["bytes"], whole["bytes"])
    assert some["time_mean"].iloc[-1] < whole["time_mean"].iloc[-1]
    assert some["consensus_distance"].iloc[-1] > whole["consensus_distance"].iloc[-1]


def test_a_server_costs_the_way_up_and_down():
    links = UniformLinks(latency=0.01, bandwidth=8e6, sharing="none")
    time = SynchronousTime(Clock(compute=Constant(mean=0.5), links=links), 4, seed=0)
    time.advance(0, [("up", 1000), ("down", 2000)], np.ones(4))
    np.testing.assert_allclose(sorted(time.now), [0.511, 0.523, 0.523, 0.523])


def test_a_run_ends_once_its_simulated_time_is_over(tmp_path):
    clock = Clock(compute=Constant(mean=1), links=INSTANT)
    result = quadratic(rounds=9, clock=clock, until=2.5, evaluate_every=4, out=tmp_path / "run")
    assert [row["time"] for row in result.rows] == pytest.approx([0, 3])
    assert result.stopped is None
    later = quadratic(rounds=9, clock=clock, until=4.5, evaluate_every=4, out=tmp_path / "run", resume=True)
    assert [row["time"] for row in later.rows] == pytest.approx([0, 3, 4, 5])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"wait": "none"}, "clock.wait is none: it belongs to asynchronous"),
        ({"wait": "fastest_m", "m": 6}, "clock.m is 6: it must be at most 5, the smallest number of neighbours"),
    ],
)
def test_a_waiting_rule_that_does_not_fit_is_refused(options, message):
    with pytest.raises(OptionError, match=message):
        quadratic(clock=Clock(**options))


def test_fewer_messages_than_gossip_needs_are_refused():
    with pytest.raises(OptionError, match="one symmetric W for all rounds"):
        quadratic(algorithm=DFedSAMMG(gossip=Chebyshev()), clock=Clock(wait="fastest_m", m=1))

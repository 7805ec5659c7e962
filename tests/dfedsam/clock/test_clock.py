"""Simulated time against what is known in closed form."""

import numpy as np
import pytest

from dfedsam.clock import (
    Clock,
    Constant,
    Exponential,
    FromFile,
    LogNormal,
    MatrixLinks,
    Pareto,
    PerQuery,
    SynchronousTime,
    TwoPoint,
    UnderlayLinks,
    UniformLinks,
)
from dfedsam.errors import OptionError
from dfedsam.random import RandomStream
from dfedsam.topologies import make

INSTANT = UniformLinks(latency=0, bandwidth=1e30)


def rounds(clock: Clock, topology: str, n: int, count: int, *, steps: int = 1, size: float = 0) -> SynchronousTime:
    time, weights = SynchronousTime(clock, n, seed=0), make(topology, n, seed=1).weights(0)
    for t in range(count):
        time.advance(t, weights, steps=steps, size=size, queries=np.ones(n))
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
    time = rounds(Clock(compute=TwoPoint(mean=1, slow=0.25, factor=10), links=INSTANT), "complete", 8, 5)
    assert time.metrics["time"] == pytest.approx(50)
    assert time.metrics["idle"] == pytest.approx(0.75 * 0.9)


def test_profiles_from_files_and_per_query(tmp_path):
    (tmp_path / "times.csv").write_text("1\n2\n4\n")
    stream = RandomStream(0, "compute time", 0, 0, range(3))
    np.testing.assert_array_equal(FromFile(file=tmp_path / "times.csv").seconds(stream, np.ones(3)), [1, 2, 4])
    asked = np.array([8.0, 0.0, 4.0])
    np.testing.assert_allclose(PerQuery(seconds_per_query=0.5).seconds(stream, asked), asked / 2)
    np.savetxt(tmp_path / "latency.csv", np.arange(9).reshape(3, 3), delimiter=",")
    np.savetxt(tmp_path / "bandwidth.csv", np.full((3, 3), 8.0), delimiter=",")
    links = MatrixLinks(latency=tmp_path / "latency.csv", bandwidth=tmp_path / "bandwidth.csv")
    time = rounds(Clock(compute=Constant(mean=0), links=links), "path", 3, 1, size=1)
    np.testing.assert_allclose(time.now, [3 + 1, 7 + 1, 5 + 1])  # peer 1 sends at 1 → 0: 3, 2 → 1: 7, 1 → 2: 5


@pytest.mark.parametrize(
    ("clock", "message"),
    [
        (lambda folder: UnderlayLinks(file="gaia"), "file is gaia: it must have a site for each of 16 peers.*11"),
        (lambda folder: FromFile(file=folder / "three.csv"), "must have a line for each of 16 peers, but it has 3"),
        (lambda folder: FromFile(file=folder / "none.csv"), "must be readable"),
        (
            lambda folder: MatrixLinks(latency=folder / "three.csv", bandwidth=folder / "three.csv"),
            "must be 16 × 16, a row per peer, but it is 3 × 1",
        ),
    ],
)
def test_what_does_not_fit_the_network_is_refused(clock, message, tmp_path):
    (tmp_path / "three.csv").write_text("1\n2\n3\n")
    profile = clock(tmp_path)
    options = {"compute": profile} if isinstance(profile, FromFile) else {"links": profile}
    with pytest.raises(OptionError, match=message):
        Clock(**options).check(16)


@pytest.mark.parametrize(
    "make_profile",
    [
        lambda: UniformLinks(bandwidth=0),
        lambda: UniformLinks(latency=-1),
        lambda: UnderlayLinks(access=-1e9),
        lambda: Exponential(mean=0),
        lambda: Pareto(alpha=1),
        lambda: TwoPoint(slow=1.5),
    ],
)
def test_numbers_out_of_range_are_refused(make_profile):
    with pytest.raises(OptionError):
        make_profile()

"""CECA: exact for every number of peers, in as many exchanges as can be."""

import numpy as np
import pytest

from dfedsam.topologies import ceca, spectrum, verify
from dfedsam.topologies.schedules.one_peer import ceca_exchanges


@pytest.mark.parametrize("n", range(2, 200))
def test_exact_mean(n):
    x = np.random.default_rng(n).standard_normal((n, 3))
    others = np.zeros_like(x)
    exchanges = ceca_exchanges(n)
    assert len(exchanges) == (n - 1).bit_length()
    for offset, adds_own in exchanges:
        others = others + np.roll(others + x if adds_own else others, offset, axis=0)
    np.testing.assert_allclose((others + x) / n, np.broadcast_to(x.mean(axis=0), x.shape), atol=1e-14)


@pytest.mark.parametrize(("n", "exchanges"), [(25, 5), (100, 7), (64, 6)])
def test_fewer_exchanges_than_base(n, exchanges):
    assert len(ceca_exchanges(n)) == exchanges


@pytest.mark.parametrize("n", [2, 3, 4, 12, 25, 100])
def test_its_links(n):
    topology = ceca(n)
    verify(topology)
    numbers = spectrum(topology)
    offsets = {exchange.offset for exchange in ceca_exchanges(n)}
    assert numbers["degree_min"] == numbers["degree_max"] == len(offsets)
    assert len(offsets) == (n - 1).bit_length() - f"{n - 1:b}".startswith("10")
    assert numbers["vectors_per_round"] == n * len(offsets)
    assert set(topology.graph(0).edges()) == {(i, (i + offset) % n) for i in range(n) for offset in offsets}


def test_a_power_of_two_is_the_exponential_graph():
    assert [exchange.offset for exchange in ceca_exchanges(32)] == [1, 2, 4, 8, 16]


def test_two_peers_at_least():
    with pytest.raises(ValueError, match="peers is 1: it must be a whole number of at least 2"):
        ceca(1)

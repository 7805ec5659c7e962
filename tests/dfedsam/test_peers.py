import numpy as np
import pytest
from hypothesis import given, strategies as st

from dfedsam.peers import format_peers, segments


@given(peers=st.sets(st.integers(0, 5000), max_size=2000), gap=st.floats(0, 300))
def test_stretches_cover_each_peer_once_and_leap_over_wide_gaps(peers, gap):
    own = np.array(sorted(peers), dtype=int)
    found = []
    for some, rows, places in segments(own, gap):
        reached = np.arange(some.start, some.stop)
        found.extend(reached if places is None else reached[places])
        assert list(own[rows]) == found[rows.start :]
        assert (np.diff(own[rows]) <= gap + 1).all()
    assert found == list(own)


def test_neighbours_are_one_stretch_and_many_are_cut():
    assert list(segments(range(3, 3000), 0)) == [(range(3, 3000), slice(0, 2997), None)]
    lengths = [len(some) for some, _, _ in segments(np.arange(0, 5000, 2), 1)]
    assert len(lengths) > 1
    assert max(lengths) < 2100


@pytest.mark.parametrize(
    ("peers", "words"),
    [
        (range(4, 10), "peers 4 to 9"),
        (range(4, 5), "peer 4"),
        (np.array([7]), "peer 7"),
        (np.array([1, 5]), "peers 1, 5"),
        (np.arange(0, 20, 2), "peers 0, 2, 4, 6, 8, 10, 12, 14 and 2 more"),
    ],
)
def test_peers_are_named(peers, words):
    assert format_peers(peers) == words

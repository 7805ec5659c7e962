"""Small numbers in bytes: nothing is lost, and no bit is wasted within a message."""

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from dfedsam.gossip.compressors.packing import pack, packed, unpack


@pytest.mark.parametrize("bits", range(33))
def test_round_trip(bits):
    @settings(deadline=None, max_examples=8)
    @given(rows=st.integers(0, 3), count=st.integers(1, 50), seed=st.integers(0, 100))
    def test(rows, count, seed):
        kind = np.uint8 if bits <= 8 else np.uint32
        numbers = np.random.default_rng(seed).integers(0, 2**bits, (rows, count)).astype(kind)
        numbers[:, 0] = 2**bits - 1
        messages = pack(numbers, bits)
        assert messages.shape == (rows, packed(count, bits))
        np.testing.assert_array_equal(unpack(messages, bits, count), numbers)

    test()


@pytest.mark.parametrize(
    ("count", "bits", "size"), [(10, 10, 13), (8, 1, 1), (9, 1, 2), (3, 4, 2), (5, 0, 0), (2, 32, 8)]
)
def test_only_the_message_is_rounded_up(count, bits, size):
    assert packed(count, bits) == size

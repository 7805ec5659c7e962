"""A state to be saved and loaded, in the tests and on the ranks they start."""

import numpy as np

PEERS = 10
META = {"round": 3, "seconds": 0.1, "who": "König", "none": None}


def state(shift=0):
    """The state of ten peers, of several types and shapes."""
    rng = np.random.default_rng(5)
    return {
        "x": rng.normal(size=(PEERS, 7)).astype(np.float32) + shift,
        "gossip.sent": rng.normal(size=(PEERS, 2, 3)),
        "count": np.arange(PEERS) + 2**40,
        "flag": np.arange(PEERS) % 2 == 0,
        "message": rng.integers(0, 255, (PEERS, 5)).astype(np.uint8),
        "nothing": np.zeros((PEERS, 0), np.float32),
    }


def same(found, expected):
    return found.keys() == expected.keys() and all(
        np.array_equal(found[k], v) and found[k].dtype == v.dtype for k, v in expected.items()
    )

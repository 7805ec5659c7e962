"""Played on several ranks by test_checkpoint.

Arguments: what to do, the checkpoint, and when to be killed or "drawn", for peers that are scattered over the ranks.
"""

import os
import signal
import sys
from functools import partial

import numpy as np
import pytest

from dfedsam import checkpoint
from dfedsam.network import connect
from tests.dfedsam.network.cases import drawn
from tests.dfedsam.states import META, PEERS, same, state

what, path, *moment = sys.argv[1:]
pwrite = os.pwrite
network = connect(PEERS, partial(drawn, PEERS) if moment == ["drawn"] else None)


def mine(arrays):
    return {name: rows[np.asarray(network.block)] for name, rows in arrays.items()}


def killed(*arguments):
    if moment == ["pwrite"]:
        pwrite(arguments[0], arguments[1][:9], arguments[2])
    os.kill(os.getpid(), signal.SIGKILL)


def full(*_):
    raise OSError(28, "No space left on device")


if what == "save":
    checkpoint.save(path, mine(state()), META, network)
elif what == "load":
    arrays, meta = checkpoint.load(path, network)
    assert same(arrays, mine(state()))
    assert meta == META
elif what == "killed":
    if network.rank == (0 if moment == ["replace"] else 1):
        setattr(os, moment[0], killed)
    checkpoint.save(path, mine(state(shift=1)), META, network)
    print("lived on")
elif what == "full disk":
    if network.rank == 1:
        os.pwrite = full
    with pytest.raises(OSError, match="No space left on device"):
        checkpoint.save(path, mine(state(shift=1)), META, network)
assert np.all(network.gather(np.ones(len(network.block))) == 1)

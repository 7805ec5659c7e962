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
from dfedsam.communication import connect
from tests.dfedsam.communication.cases import drawn
from tests.dfedsam.states import META, PEERS, same, state

what, path, *moment = sys.argv[1:]
pwrite = os.pwrite
communicator = connect(PEERS, partial(drawn, PEERS) if moment == ["drawn"] else None)


def mine(arrays):
    return {name: rows[np.asarray(communicator.block)] for name, rows in arrays.items()}


def killed(*arguments):
    if moment == ["pwrite"]:
        pwrite(arguments[0], arguments[1][:9], arguments[2])
    os.kill(os.getpid(), signal.SIGKILL)


def full(*_):
    raise OSError(28, "No space left on device")


if what == "save":
    checkpoint.save(path, mine(state()), META, communicator)
elif what == "load":
    arrays, meta = checkpoint.load(path, communicator)
    assert same(arrays, mine(state()))
    assert meta == META
elif what == "killed":
    if communicator.rank == (0 if moment == ["replace"] else 1):
        setattr(os, moment[0], killed)
    checkpoint.save(path, mine(state(shift=1)), META, communicator)
    print("lived on")
elif what == "full disk":
    if communicator.rank == 1:
        os.pwrite = full
    with pytest.raises(OSError, match="No space left on device"):
        checkpoint.save(path, mine(state(shift=1)), META, communicator)
assert np.all(communicator.gather(np.ones(len(communicator.block))) == 1)

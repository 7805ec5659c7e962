"""Played on several ranks: mixes every case and writes what came of it.

Arguments: the file to write, and the placement: contiguous or drawn.
"""

import sys
from functools import partial

import numpy as np

from dfedsam.communication import connect, halo, mpi
from tests.dfedsam.communication.cases import CASES, PEERS, drawn, few

PANEL_BYTES = halo._PANEL_BYTES
communicator = connect(PEERS, partial(drawn, PEERS) if sys.argv[2] == "drawn" else None)
mine = np.asarray(communicator.block)
found = {}
for name, case in CASES.items():
    halo._PANEL_BYTES = case.panel_bytes or PANEL_BYTES
    messages, sent = communicator.messages, communicator.bytes
    x = case.start()[mine]
    for W in case.steps():
        x = communicator.mix(W, x)
    found[name] = communicator.gather(x)
    found[f"{name}: counts"] = np.array([communicator.messages - messages, communicator.bytes - sent])
    x, messages, sent = case.start()[mine], communicator.messages, communicator.bytes
    for W in case.steps():  # the same, encoded: backwards, between two bytes that say nothing
        encoded = np.pad(x.view(np.uint8)[:, ::-1], ((0, 0), (1, 1)))
        sums, done = np.zeros_like(x), np.zeros(len(x), int)
        decode = lambda m, like=x: m[:, -2:0:-1].copy().view(like.dtype)  # noqa: E731
        communicator.add_encoded(W, encoded, x, decode, sums, lambda rows, done=done: np.add.at(done, rows, 1))
        assert (done == 1).all()
        x = sums
    found[f"{name}: encoded"] = communicator.gather(x)
    found[f"{name}: encoded counts"] = np.array([communicator.messages - messages, communicator.bytes - sent])
    x, messages, sent = case.start()[mine], communicator.messages, communicator.bytes
    for W in case.steps():
        sums, done = np.zeros_like(x), np.zeros(len(x), int)
        decode = lambda m, like=x: few(m.view(like.dtype))  # noqa: E731
        communicator.add_encoded(
            W, x.view(np.uint8), few(x), decode, sums, lambda rows, done=done: np.add.at(done, rows, 1)
        )
        assert (done == 1).all()
        x = sums
    found[f"{name}: few"] = communicator.gather(x)
    found[f"{name}: few counts"] = np.array([communicator.messages - messages, communicator.bytes - sent])
rows = np.random.default_rng(3).normal(size=(PEERS, 1000)).astype(np.float32) ** 3
found["total"] = communicator.total(rows[mine])
mpi._PANEL_BYTES = 10_000  # a few columns at a time
found["total in panels"] = communicator.total(rows[mine])
found["total of one column"] = communicator.total(rows[mine, :1])
found["total of numbers"] = communicator.total(rows[mine, 0])
found["server mean"] = communicator.server_mean(rows[mine])
found["gathered"] = communicator.gather(np.arange(PEERS)[mine])
found["agree"] = np.array(
    [
        communicator.agree(False),
        communicator.agree(communicator.rank == communicator.size - 1),
        communicator.agree(True),
    ]
)
found["broadcast"] = np.array(communicator.broadcast([communicator.rank, 5]))
found["first"] = np.array(
    communicator.first(communicator.rank + 1 if communicator.rank >= communicator.size // 2 else None)
)
assert communicator.first(None) is None
everywhere = communicator.gather(np.full(len(communicator.block), float(sum(np.abs(a).sum() for a in found.values()))))
assert np.all(everywhere == everywhere[0]), "the ranks do not hold the same results"
communicator.agree(False)
if communicator.is_root:
    np.savez(sys.argv[1], **found)

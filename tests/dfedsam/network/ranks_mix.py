"""Played on several ranks: mixes every case and writes what came of it.

Arguments: the file to write, and the placement: contiguous or drawn.
"""

import sys
from functools import partial

import numpy as np

from dfedsam.network import connect, exchange, mpi
from tests.dfedsam.network.cases import CASES, PEERS, drawn, few

PANEL_BYTES = exchange._PANEL_BYTES
network = connect(PEERS, partial(drawn, PEERS) if sys.argv[2] == "drawn" else None)
mine = np.asarray(network.block)
found = {}
for name, case in CASES.items():
    exchange._PANEL_BYTES = case.panel_bytes or PANEL_BYTES
    messages, sent = network.messages, network.bytes
    x = case.start()[mine]
    for W in case.steps():
        x = network.mix(W, x)
    found[name] = network.gather(x)
    found[f"{name}: counts"] = np.array([network.messages - messages, network.bytes - sent])
    x, messages, sent = case.start()[mine], network.messages, network.bytes
    for W in case.steps():  # the same, encoded: backwards, between two bytes that say nothing
        encoded = np.pad(x.view(np.uint8)[:, ::-1], ((0, 0), (1, 1)))
        sums, done = np.zeros_like(x), np.zeros(len(x), int)
        decode = lambda m, like=x: m[:, -2:0:-1].copy().view(like.dtype)  # noqa: E731
        network.add_encoded(W, encoded, x, decode, sums, lambda rows, done=done: np.add.at(done, rows, 1))
        assert (done == 1).all()
        x = sums
    found[f"{name}: encoded"] = network.gather(x)
    found[f"{name}: encoded counts"] = np.array([network.messages - messages, network.bytes - sent])
    x, messages, sent = case.start()[mine], network.messages, network.bytes
    for W in case.steps():
        sums, done = np.zeros_like(x), np.zeros(len(x), int)
        decode = lambda m, like=x: few(m.view(like.dtype))  # noqa: E731
        network.add_encoded(W, x.view(np.uint8), few(x), decode, sums, lambda rows, done=done: np.add.at(done, rows, 1))
        assert (done == 1).all()
        x = sums
    found[f"{name}: few"] = network.gather(x)
    found[f"{name}: few counts"] = np.array([network.messages - messages, network.bytes - sent])
rows = np.random.default_rng(3).normal(size=(PEERS, 1000)).astype(np.float32) ** 3
found["total"] = network.total(rows[mine])
mpi._STRIPED_BYTES = 10_000  # a few columns at a time
found["total in panels"] = network.total(rows[mine])
found["total of one column"] = network.total(rows[mine, :1])
found["total of numbers"] = network.total(rows[mine, 0])
found["server mean"] = network.server_mean(rows[mine])
found["gathered"] = network.gather(np.arange(PEERS)[mine])
found["agree"] = np.array([network.agree(False), network.agree(network.rank == network.size - 1), network.agree(True)])
found["broadcast"] = np.array(network.broadcast([network.rank, 5]))
found["first"] = np.array(network.first(network.rank + 1 if network.rank >= network.size // 2 else None))
assert network.first(None) is None
everywhere = network.gather(np.full(len(network.block), float(sum(np.abs(a).sum() for a in found.values()))))
assert np.all(everywhere == everywhere[0]), "the ranks do not hold the same results"
network.barrier()
if network.is_root:
    np.savez(sys.argv[1], **found)

"""
The exact mean of any number of peers in ⌈log₂ n⌉ rounds
========================================================

Ding, Jin, Ying, Yuan and Yin (2023), "DSGD-CECA: decentralized SGD with communication-optimal exact consensus
algorithm": consensus against the one-peer exponential and the Base-2 graph.

The one-peer exponential graph needs a power of two. Base-2 takes any n, in more rounds. CECA takes ⌈log₂ n⌉, with one
vector sent and received a round, because a peer keeps two: its own, and the sum of the k peers before it.
"""

import matplotlib.pyplot as plt
import numpy as np

from dfedsam import Ceca, make
from dfedsam.communication import SingleProcess
from dfedsam.gossip.channel import Channel
from dfedsam.random import RandomStream

DERIVED = {25: (5, 9), 100: (7, 11)}  # rounds of CECA and of Base-2


def ceca(n):
    """The largest error after one phase of the gossip `ceca`, and the messages that a peer sent."""
    topology = make("ceca", n)
    x = np.random.default_rng(n).standard_normal((n, 3))
    mean, gossip = x.mean(axis=0), Ceca()
    communicator = SingleProcess(n)
    channel = Channel(topology.weights(0), communicator, RandomStream(0, "gossip", 0, 0, range(n)))
    mixed, _ = gossip(x, gossip.init(x), channel)
    return np.abs(mixed - mean).max(), communicator.messages // n


# %%
sizes = [*range(2, 40), 50, 64, 77, 99, 100, 128, 150, 199]
found = {n: ceca(n) for n in sizes}
worst = max(error for error, _ in found.values())
print(f"largest error over {len(sizes)} sizes from 2 to 199: {worst:.1e}")
rounds = {n: (found[n][1], make("base", n, degree=1).period) for n in sizes}
for n, derived in DERIVED.items():
    print(f"n = {n:3}: rounds of CECA and Base-2 derived {derived}, ours {rounds[n]}")

# %%
# Consensus of 25 peers, as in the paper: only CECA is exact after five rounds.
n, x = 25, np.random.default_rng(0).standard_normal(25)
for name, options in (("one_peer_exponential", {}), ("base", {"degree": 1})):
    topology, y = make(name, n, **options), x - x.mean()
    errors = [np.linalg.norm(y)]
    for t in range(12):
        y = topology.weights(t) @ y
        errors.append(np.linalg.norm(y))
    plt.semilogy(np.maximum(errors, 1e-16), "o-", label=name)
y, before, k, errors = x - x.mean(), np.zeros(n), 0, [np.linalg.norm(x - x.mean())]
for digit in (int(bit) for bit in f"{n - 1:b}"):  # the algorithm itself, as it stops early
    before = before + np.roll(before if digit == 0 else before + y, k if digit == 0 else k + 1)
    k = 2 * k + digit
    errors.append(np.linalg.norm((before + y) / (k + 1)))
plt.semilogy(np.maximum(errors, 1e-16), "s-", label="ceca")
plt.xlabel("rounds, one vector a peer in each")
plt.ylabel("‖x − x̄‖, n = 25")
plt.legend()
plt.show()

assert worst < 1e-13
assert all(rounds[n] == derived for n, derived in DERIVED.items())
assert all(needed == int(np.ceil(np.log2(n))) for n, (needed, _) in rounds.items())
assert errors[5] < 1e-13

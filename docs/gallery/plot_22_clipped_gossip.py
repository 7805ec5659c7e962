"""
Clipping keeps a chain together where the median cuts it
========================================================

He, Karimireddy and Jaggi (2022), "Byzantine-robust decentralized learning via ClippedGossip", figure 3: four honest
peers 0, 0, 200, 200 on a chain, an attacker of weight δ beside each of the two in the middle.

The median and the trimmed mean ignore whatever is alone: the two halves of the chain never hear of each other.
Clipping lets a bounded part of every message through.
"""

import matplotlib.pyplot as plt
import networkx as nx
import numpy as np
import scipy.sparse as sp

from dfedsam import Clipped, Dissensus, Median, Static, TrimmedMean
from dfedsam.adversary import Attackers
from dfedsam.communication import SingleProcess
from dfedsam.gossip.channel import Channel
from dfedsam.random import RandomStream

DERIVED = {0.05: 0.01, 0.1: 0.02, 0.2: 1.0, 0.3: 5.99}  # error by δ with the middle link's weight β = 0.08
STEPS = 100


def chain(beta, delta):
    """0 – 1 – 2 – 3 with weights 1/3, β, 1/3, and attackers 4 and 5."""
    W = np.zeros((6, 6))
    for i, j, weight in ((0, 1, 1 / 3), (1, 2, beta), (2, 3, 1 / 3), (4, 1, delta), (5, 2, delta)):
        W[i, j] = W[j, i] = weight
    graph = nx.from_numpy_array(W)
    np.fill_diagonal(W, 1 - W.sum(axis=1))
    return Static(graph, sp.csr_array(W), sums="rows")


def error(rule, beta, delta):
    """Mean squared distance of the honest peers from their mean of 100."""
    topology, attack = chain(beta, delta), Dissensus(peers=[4, 5], scale=0.05)
    x = np.array([0.0, 0, 200, 200, 100, 100])[:, None]
    team = Attackers(attack, attack.attackers(topology, 0), topology)
    for t in range(STEPS):
        stream = RandomStream(0, "gossip", t, 0, range(6))
        x, _ = rule(x, None, Channel(topology.weights(t), SingleProcess(6), stream, None, team))
    return np.square(x[:4] - 100).mean()


# %%
oracle = Clipped(radius="oracle")
ours = {delta: error(oracle, 0.08, delta) for delta in DERIVED}
for delta, derived in DERIVED.items():
    print(f"δ = {delta}: clipping, derived {derived}, ours {ours[delta]:.3f}")
cut = {type(rule).__name__: float(error(rule, 0.08, 0.05)) for rule in (Median(), TrimmedMean())}
print("median and trimmed mean: derived 10,000 always, ours", cut)

# %%
betas = np.array([0.02, 0.04, 0.06, 0.08, 0.1, 0.12, 0.16])
for delta in DERIVED:
    plt.semilogy(betas, [max(error(oracle, beta, delta), 1e-6) for beta in betas], "o-", label=f"clipping, δ = {delta}")
plt.axhline(10_000, color="grey", linestyle="--", label="median, trimmed mean")
plt.xlabel("β, weight of the middle link")
plt.ylabel("squared error after 100 steps")
plt.legend()
plt.show()

assert all(abs(ours[delta] - derived) < 0.01 for delta, derived in DERIVED.items())
assert set(cut.values()) == {10_000.0}
assert max(error(oracle, 0.12, delta) for delta in DERIVED) < 0.02

"""
Who learns how much: privacy that grows with distance
=====================================================

Cyffers, Even, Bellet and Massoulié (2022), "Muffliato: peer-to-peer privacy amplification for decentralized
optimization and averaging", figure 1a: peers add noise once and gossip. What a peer learns about another one, from its
neighbours' messages alone, falls with the distance between them. Where gossip is fast it ends below what the noise
reveals to somebody who sees the noisy value itself (the local loss, 1 here); a grid needs so many steps that the bound
is of no use at this size.

The paper has 2,048 peers; here a hypercube, a random graph and a grid have 256, and T gossip steps are as many as the
paper's formula T = ⌈log(n)/(1 − λ₂)⌉ gives for unit noise.
"""

import matplotlib.pyplot as plt
import numpy as np

from dfedsam import make
from dfedsam.privacy.accounting import by_distance, pairwise_losses
from dfedsam.topologies import spectrum_ends

N = 256

# %%
curves = {}
for name, graph in (
    ("hypercube", make("hypercube", N)),
    ("Erdős–Rényi", make("erdos_renyi", N, 0, p=0.04)),
    ("grid 16 × 16", make("grid", N)),
):
    W = graph.weights(0)
    steps = int(np.ceil(np.log(N) / (1 - spectrum_ends(W)[1])))
    curves[name] = by_distance(W, pairwise_losses(W, steps))[0]
    print(f"{name}: T = {steps}, loss at distance 1 {curves[name][1]:.3g}, at the diameter {curves[name][-1]:.3g}")
    plt.semilogy(np.arange(1, len(curves[name])), curves[name][1:], "o-", label=f"{name}, T = {steps}")
plt.axhline(1, color="grey", linestyle=":", label="local loss")
plt.xlabel("distance in links")
plt.ylabel("pairwise loss, in local losses")
plt.legend()
plt.show()

# %%
# The sums for small graphs are known exactly: ring of 16 after five steps.
W = make("ring", 16).weights(0)
ours = by_distance(W, pairwise_losses(W, 5))[0][:6]
derived = [2.061, 2.687, 1.052, 0.2077, 0.0215, 0.0009]
print("ring 16, T = 5: derived", derived, "ours", ours.round(4))
assert np.abs(ours - derived).max() < 6e-4
assert all(curve[1] > curve[-1] for curve in curves.values())
assert max(curves["hypercube"][-1], curves["Erdős–Rényi"][-1]) < 1 < curves["grid 16 × 16"][-1]

"""
Compressed gossip that reaches the exact mean
=============================================

Koloskova, Stich and Jaggi (2019), "Decentralized stochastic optimization and gossip algorithms with compressed
communication", figures 2 and 3: consensus of 25 peers on a ring with quantised and sparsified messages.

Peers that average what they decode stall at the compressor's error or diverge. CHOCO sends compressed differences to a
copy that all neighbours hold, and converges linearly with any of them.
"""

import matplotlib.pyplot as plt
import numpy as np

from dfedsam import QSGD, Choco, Plain, RandomK, TopK, make
from dfedsam.communication import SingleProcess
from dfedsam.gossip.channel import Channel
from dfedsam.random import RandomStream

N, DIM, ROUNDS = 25, 200, 4000
ring, communicator = make("ring", N), SingleProcess(N)
W = ring.weights(0)
start = np.random.default_rng(0).standard_normal((N, DIM))
mean = start.mean(axis=0)


def stream(t):
    return RandomStream(0, "gossip", t, 0, range(N))


def course(gossip, rounds=ROUNDS):
    """(1/n) Σ ‖x_i − x̄₀‖² after every round; CHOCO's estimates start at zero, as in the paper."""
    x, state, found = start.copy(), gossip.init(np.zeros_like(start)), []
    for t in range(rounds):
        found.append(np.square(x - mean).sum() / N)
        x, state = gossip(x, state, Channel(W, communicator, stream(t)))
    return np.array(found)


def naive(compressor, rounds=ROUNDS):
    """x ← x + γ (W − I) C(x), the scheme without estimates, at CHOCO's γ."""
    x, found = start.copy(), []
    for t in range(rounds):
        found.append(np.square(x - mean).sum() / N)
        decoded = compressor.decode(compressor.encode(x, stream(t)), DIM, x.dtype, stream(t))
        x = x + 0.3 * (W @ decoded - decoded)
        if found[-1] > 1e6:
            break
    return np.array(found)


# %%
# γ is fixed by hand for each compressor, as in the paper. Ours keeps 5 % of the numbers where the paper keeps 1 %, as
# the rounds to a given error grow as the inverse of that share; order and shape of the curves are the same.
choco = {
    "QSGD, 8 bits": Choco(compressor=QSGD(levels=127), gamma=1.0),
    "top 5 %": Choco(compressor=TopK(fraction=0.05), gamma=0.2),
    "random 5 %": Choco(compressor=RandomK(fraction=0.05), gamma=0.05),
}
courses = {"plain, no compression": course(Plain(), 1200)} | {
    f"CHOCO, {name}": course(one) for name, one in choco.items()
}
courses |= {f"without estimates, {name}": naive(one.compressor) for name, one in choco.items()}
for name, errors in courses.items():
    print(f"{name:35} error {errors[0]:.0f} → {errors[-1]:.1e} after {len(errors)} rounds")
    plt.semilogy(np.maximum(errors, 1e-28), "--" if "without" in name else "-", label=name)
plt.ylim(1e-20, 1e5)
plt.xlabel("rounds")
plt.ylabel("(1/n) Σ ‖x_i − x̄₀‖²")
plt.legend(fontsize="small")
plt.show()

assert courses["CHOCO, QSGD, 8 bits"][-1] < 1e-20
assert courses["CHOCO, top 5 %"][-1] < 1e-3 * courses["CHOCO, top 5 %"][0]
assert courses["CHOCO, random 5 %"][-1] < 0.1 * courses["CHOCO, random 5 %"][0]
assert min(courses[f"without estimates, {name}"][-1] for name in choco) > 1e-3

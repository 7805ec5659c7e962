"""
Base-(k+1): the exact mean for every number of peers
====================================================

Takezawa, Sato, Bao, Niwa and Yamada (2023), "Beyond exponential graph: communication-efficient topologies for
decentralized learning via finite-time convergence", figure 1: consensus of 25 peers from N(0, 1).
"""

import matplotlib.pyplot as plt
import numpy as np

from dfedsam import make

N, ROUNDS = 25, 30
LENGTHS = {
    5: 5,
    6: 4,
    7: 5,
    10: 6,
    12: 5,
    24: 6,
    25: 9,
    33: 11,
    50: 10,
    100: 11,
}  # rounds of Base-2, by its construction


def course(topology):
    """(1/n) Σ (x_i − x̄)², mean over 20 starts."""
    x = np.random.default_rng(0).standard_normal((N, 20))
    x -= x.mean(axis=0)
    found = [np.mean(x**2)]
    for t in range(ROUNDS):
        x = topology.weights(t) @ x
        found.append(np.mean(x**2))
    return np.array(found)


# %%
# The most messages a peer sends in a round are in brackets.
graphs = {
    "ring (2)": make("ring", N),
    "torus (4)": make("torus", N),
    "exponential (5)": make("directed_exponential", N),
    "one-peer exponential (1)": make("one_peer_exponential", N),
    **{f"Base-{k + 1} ({k})": make("base", N, degree=k) for k in (1, 2, 3, 4)},
}
exact = {}
for name, topology in graphs.items():
    errors = course(topology)
    zero = np.flatnonzero(errors < 1e-25)
    exact[name] = int(zero[0]) if len(zero) else None
    print(f"{name:26} error after 9 rounds {errors[9]:.1e}, exact after {exact[name] or 'no number of'} rounds")
    plt.semilogy(np.maximum(errors, 1e-32), label=name)
plt.xlabel("rounds")
plt.ylabel("(1/n) Σ (x_i − x̄)²")
plt.legend(fontsize="small")
plt.show()

# %%
# The paper proves a length of at most 2 log_{k+1} n + 2. All sizes to 130 are exact within it:
lengths, worst = {}, 0.0
for n in range(2, 131):
    topology = make("base", n, degree=1)
    lengths[n], x = topology.period, np.random.default_rng(n).standard_normal(n)
    y = x
    for t in range(lengths[n]):
        y = topology.weights(t) @ y
    worst = max(worst, np.abs(y - x.mean()).max())
    assert lengths[n] <= 2 * np.log2(n) + 2
print(f"rounds of Base-2: published {LENGTHS}, ours {[lengths[n] for n in LENGTHS]}; largest error {worst:.1e}")

assert all(lengths[n] == length for n, length in LENGTHS.items())
assert worst < 1e-13
assert exact["Base-2 (1)"] == 9 and exact["Base-5 (4)"] == 2
assert all(exact[name] is None for name in ("ring (2)", "torus (4)", "exponential (5)", "one-peer exponential (1)"))

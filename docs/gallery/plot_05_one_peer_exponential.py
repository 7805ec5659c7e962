"""
One neighbour a round can give the exact mean
=============================================

Ying, Yuan, Chen, Hu, Pan and Yin (2021), "Exponential graph is provably efficient for decentralized deep training",
theorem 1 and lemma 1, and their figure of consensus.

In round t of the one-peer exponential graph, peer i averages with the one peer 2^(t mod τ) before it, τ = ⌈log₂ n⌉. For
n a power of two the mean is exact after τ rounds, in this order or any other order of the offsets that uses each once;
for other n, or with offsets drawn at random with replacement, it is not.
"""

import matplotlib.pyplot as plt
import numpy as np

from dfedsam import make, spectrum

ROUNDS = 12


def errors(topology, order):
    """‖x − x̄‖ over that at the start, round by round."""
    x = np.random.default_rng(0).standard_normal((topology.n, 10))
    mean = x.mean(axis=0)
    found = [np.linalg.norm(x - mean)]
    for t in order:
        x = topology.weights(t) @ x
        found.append(np.linalg.norm(x - mean))
    return np.array(found) / found[0]


# %%
courses = {}
for n in (12, 33, 64):
    courses[f"n = {n}"] = errors(make("one_peer_exponential", n), range(ROUNDS))
rng = np.random.default_rng(1)
courses["n = 64, any order"] = errors(make("one_peer_exponential", 64), [3, 0, 5, 1, 4, 2] * 2)
courses["n = 64, drawn anew"] = errors(make("one_peer_exponential", 64), rng.integers(6, size=ROUNDS))
for name, course in courses.items():
    print(f"{name:20} error after 6 rounds {course[6]:.1e}, after 12 {course[12]:.1e}")
    plt.semilogy(np.maximum(course, 1e-17), marker="o", markersize=3, label=name)
plt.xlabel("rounds")
plt.ylabel("‖x − x̄‖ / ‖x₀ − x̄‖")
plt.legend()
plt.show()

# %%
# The static exponential graph sends to all these peers in every round: τ messages in place of one. For even n its gap
# is 2/(τ + 1), as the paper proves.
gaps = {}
for n in (6, 8, 10, 16, 32, 50, 64, 100, 300):
    tau = int(np.ceil(np.log2(n)))
    gaps[n] = spectrum(make("directed_exponential", n))["gap"], 2 / (tau + 1)
    print(f"n = {n:3}: gap published {gaps[n][1]:.6f}, ours {gaps[n][0]:.6f}")

assert courses["n = 64"][6] < 1e-14 and courses["n = 64, any order"][6] < 1e-14
assert min(courses[name][6] for name in ("n = 12", "n = 33", "n = 64, drawn anew")) > 1e-4
assert all(abs(ours - published) < 1e-9 for ours, published in gaps.values())

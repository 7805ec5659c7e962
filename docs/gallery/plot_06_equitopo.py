"""
EquiTopo: consensus at a rate that does not depend on n
=======================================================

Song, Li, Jin, Shi, Yan, Yin and Yuan (2022), "Communication-efficient topologies for decentralized learning with O(1)
consensus rate", figures of consensus: 300 peers, and one to five thousand with M = ⌊5 ln n⌋ neighbours.

OD-EquiDyn draws one offset u a round, and every peer averages with the one u before it.
"""

import matplotlib.pyplot as plt
import numpy as np

from dfedsam import make, spectrum

N, ROUNDS, SEEDS = 300, 130, 5
REFERENCE = {"ring": 3.49, "one_peer_exponential": 1.2e-5, "od_equidyn": 1.6e-11}  # error at round 60, other seeds


def course(name, seed):
    """‖x − x̄‖ from x of unit variance, one number a peer."""
    topology = make(name, N, seed)
    x = np.random.default_rng(seed).standard_normal(N)
    x -= x.mean()
    found = [np.linalg.norm(x)]
    for t in range(ROUNDS):
        x = topology.weights(t) @ x
        found.append(np.linalg.norm(x))
    return found


courses = {}
for name in ("ring", "grid", "directed_exponential", "one_peer_exponential", "od_equidyn"):
    courses[name] = np.mean([course(name, seed) for seed in range(SEEDS)], axis=0)
    reference = f", reference {REFERENCE[name]}" if name in REFERENCE else ""
    print(f"{name:22} error after 60 rounds {courses[name][60]:.2g}{reference}")
    plt.semilogy(np.maximum(courses[name], 1e-13), label=name)
plt.xlabel("rounds")
plt.ylabel("‖x − x̄‖, mean over seeds")
plt.legend()
plt.show()


# %%
# With b = η(n − 1)/n and a = 1 − b, the expected share of ‖x − x̄‖² left after a round is a² + b² − 2ab/(n − 1)
# exactly. The mean of ‖x − x̄‖ itself falls faster, since it is no mean of squares: compare squares with squares.
def formula(n, eta=0.5):
    b = eta * (n - 1) / n
    return (1 - b) ** 2 + b**2 - 2 * (1 - b) * b / (n - 1)


shares = {n: make("od_equidyn", n, 0).contraction() for n in (16, 300)}
for n, share in shares.items():
    print(f"OD-EquiDyn, n = {n}: share left, formula {formula(n):.6f}, ours {share:.6f}")

# %%
# The static variant with M = ⌊5 ln n⌋ offsets has nearly the same rate for any number of peers.
rates = {n: spectrum(make("u_equistatic", n, 0, offsets=int(5 * np.log(n))))["lambda"] for n in (1000, 2000, 5000)}
print("U-EquiStatic, λ:", {n: round(rate, 3) for n, rate in rates.items()})
exponential = 1 - spectrum(make("directed_exponential", N))["gap"]
print(f"static exponential, n = 300: λ published 0.8, ours {exponential:.6f}")

ring, one_peer, equitopo = (courses[name][60] for name in REFERENCE)
assert equitopo < 1e-3 * one_peer < 1e-6 * ring
assert all(abs(share - formula(n)) < 1e-12 for n, share in shares.items())
assert abs(exponential - 0.8) < 1e-9
assert max(rates.values()) < 0.6

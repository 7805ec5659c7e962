"""
Momentum for pairwise averaging
===============================

Nabli, Belilovsky and Oyallon (2023), "A²CiD²: accelerating asynchronous communication in decentralized deep learning":
the rate of consensus on rings, a hypercube and a complete graph, one averaging a gradient.

Pairs of peers meet at random times. A second copy of each vector, mixed in continuously, turns the rate 1/χ₁ into
1/√(χ₁χ₂): χ₁ is the inverse connectivity of the meetings, χ₂ half the largest resistance of an edge.
"""

import matplotlib.pyplot as plt
import numpy as np

from dfedsam import make

DERIVED = {  # χ₁, decay of E x without and with momentum
    ("ring", 16): (13.137, 0.0381, 0.1425),
    ("ring", 64): (207.67, 0.0024, 0.0350),
    ("hypercube", 16): (2.0, 0.25, 0.3651),
    ("complete", 16): (None, 0.5333, 0.5333),
}


def constants(name, n):
    """χ₁, χ₂, and the slowest decays of the expected vectors, from the meetings' Laplacian."""
    adjacency = (make(name, n).weights(0).toarray() > 0) & ~np.eye(n, dtype=bool)
    degree = adjacency.sum(axis=1)[0]
    L = np.eye(n) - adjacency / degree  # every peer averages once a unit of time
    inverse = np.linalg.pinv(L)
    resistance = inverse.diagonal()[:, None] + inverse.diagonal() - 2 * inverse
    chi1, chi2 = 1 / np.linalg.eigvalsh(L)[1], resistance[adjacency].max() / 2
    eta, alpha = 0.5 / np.sqrt(chi1 * chi2), 0.5 * np.sqrt(chi1 / chi2)
    drift = eta * np.eye(n)
    flow = np.block([[drift + L / 2, -drift], [alpha * L - drift, drift]])
    accelerated = np.sort(np.linalg.eigvals(flow).real)[1]  # the first, 0, is the mean
    return chi1, chi2, 0.5 / chi1, accelerated


# %%
found = {}
for (name, n), (chi1, plain, accelerated) in DERIVED.items():
    found[name, n] = constants(name, n)
    ours = found[name, n]
    print(f"{name} of {n}: χ₁ derived {chi1 or '–'}, ours {ours[0]:.3f};  χ₂ {ours[1]:.4f};  "
          f"decay derived {plain} → {accelerated}, ours {ours[2]:.4f} → {ours[3]:.4f}")  # fmt: skip

# %%
# As published, the gain is largest on sparse graphs, and none on the complete graph. In a ring χ₁ = 1/(1 − cos 2π/n).
sizes = [8, 16, 32, 64, 128]
rings = np.array([constants("ring", n) for n in sizes])
plt.loglog(sizes, rings[:, 2], "o-", label="pairwise averaging: 1/(2χ₁)")
plt.loglog(sizes, rings[:, 3], "s-", label="A²CiD²: 1/(2√(χ₁χ₂))")
plt.xlabel("peers in a ring")
plt.ylabel("decay of the slowest mode a unit of time")
plt.legend()
plt.show()

for key, (chi1, plain, accelerated) in DERIVED.items():
    assert chi1 is None or abs(found[key][0] / chi1 - 1) < 1e-3
    assert abs(found[key][2] / plain - 1) < 0.02
    assert abs(found[key][3] / accelerated - 1) < 2e-3
assert np.allclose(rings[:, 0], 1 / (1 - np.cos(2 * np.pi / np.array(sizes))))

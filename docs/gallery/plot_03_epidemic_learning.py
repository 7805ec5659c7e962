"""
Epidemic Learning mixes better the more peers it reaches
========================================================

De Vos, Farhadkhani, Guerraoui, Kermarrec, Pires and Sharma (2023), "Epidemic learning: boosting decentralized learning
with randomized communication".

In every round each peer sends its vector to s others drawn at random. With an oracle every peer also receives s;
without one, numbers of messages vary. The share of E‖x − x̄‖² that is left after a round has a closed form for both.
"""

import matplotlib.pyplot as plt
import numpy as np

from dfedsam import make

DRAWS = 400
DERIVED = {(16, 2): (0.2889, 0.3827), (32, 5): (0.1398, 0.1670), (100, 7): (0.1162, 0.1327)}  # oracle, local


def closed_forms(n, s):
    oracle = (1 - s / (n - 1)) / (s + 1)
    local = (1 - (1 - s / (n - 1)) ** n) / s - 1 / (n - 1)
    return oracle, local


def measured(name, n, s):
    """The mean share over fresh Gaussian starts, against the mean of the start."""
    topology = make(name, n, seed=0, degree=s)
    rng = np.random.default_rng(1)
    left = total = 0.0
    for t in range(DRAWS):
        x = rng.standard_normal((n, 20))
        x -= x.mean(axis=0)
        left += np.square(topology.weights(t) @ x).sum()
        total += np.square(x).sum()
    return left / total


# %%
shares = {}
for (n, s), derived in DERIVED.items():
    shares[n, s] = [
        (form, measured(name, n, s)) for name, form in zip(("el_oracle", "el_local"), closed_forms(n, s), strict=True)
    ]
    (oracle, run_oracle), (local, run_local) = shares[n, s]
    print(f"n = {n:3}, s = {s}: oracle derived {derived[0]:.4f}, formula {oracle:.4f}, drawn {run_oracle:.4f};  "
          f"local {derived[1]:.4f}, {local:.4f}, {run_local:.4f}")  # fmt: skip

# %%
# The local variant pays for the chance that some peers hear of nobody. Both approach 1/(s + 1) in large networks,
# whatever n is.
s = np.arange(1, 16)
for k, (name, colour) in enumerate((("el_oracle", "C0"), ("el_local", "C1"))):
    plt.semilogy(s, [closed_forms(16, value)[k] for value in s], colour, label=name)
    plt.plot([1, 2, 4, 8], [measured(name, 16, value) for value in (1, 2, 4, 8)], "o", color=colour)
plt.xlabel("s, peers that each sends to (n = 16)")
plt.ylabel("share of E‖x − x̄‖² left after a round")
plt.legend()
plt.show()

for key, derived in DERIVED.items():
    for (form, drawn), value in zip(shares[key], derived, strict=True):
        assert abs(form - value) < 5e-5
        assert abs(drawn / form - 1) < 0.05

"""
Teleportation: an error that does not grow with the number of peers
===================================================================

Takezawa and Stich (2025), "Scalable decentralized learning with Teleportation", the experiment on synthetic quadratics:
only k of n peers are active in a round. Each fetches the vector of one that was active before, takes a step on its own
data, and gossips on a small graph of the k active peers. In a run this is `--topology teleportation`.

Peer i has f_i(x) = ½‖x − b_i‖² with gradient noise of variance σ² a coordinate and b_i of variance ζ². The k vectors
then follow D-PSGD on a graph of k peers, and differences between peers act as noise of variance ζ², so that the error
has a closed form. In it n occurs as (n − k)/(n − 1) and n/(n − 1) alone, which are close to 1.
"""

import matplotlib.pyplot as plt
import numpy as np

from dfedsam import make

DIM, ETA, SIGMA, ZETA, ACTIVE, STEPS = 20, 0.05, 0.5, 0.5, 8, 4000


def measured(n, k):
    """Mean of ‖x_i − x*‖² over the last five sixths of a run; k = n is D-PSGD, where every peer keeps its place."""
    rng = np.random.default_rng(n)
    b = rng.standard_normal((n, DIM))
    b = ZETA * (b - b.mean(axis=0)) / b.std(axis=0)  # the optimum is 0, the variance exactly ζ²
    W, x, total = make("ring", k).weights(0), np.zeros((k, DIM)), 0.0
    active = make("teleportation", n, participants=k).holders
    for step in range(STEPS):
        peers = np.arange(n) if k == n else active(step)
        x = W @ (x - ETA * (x - b[peers] + SIGMA * rng.standard_normal((k, DIM))))
        total += np.square(x).sum(axis=1).mean() if step >= STEPS // 6 else 0.0
    return total / (STEPS - STEPS // 6)


def teleportation(n, k):
    """Its closed form: noise σ² + ζ² n/(n − 1) where peers differ, and σ² + ζ² (n − k)/(n − 1) in their mean."""
    m = np.linalg.eigvalsh(make("ring", k).weights(0).toarray())[:-1]
    mean = ETA / (k * (2 - ETA)) * (SIGMA**2 + ZETA**2 * (n - k) / (n - 1))
    apart = ETA**2 * (m**2 / (1 - (1 - ETA) ** 2 * m**2)).mean() * (k - 1) / k * (SIGMA**2 + ZETA**2 * n / (n - 1))
    return DIM * (mean + apart)


def dpsgd(n):
    """The same of D-PSGD on a ring of n, with random b."""
    m = np.linalg.eigvalsh(make("ring", n).weights(0).toarray())[:-1]
    noise = ETA**2 * SIGMA**2 * (m**2 / (1 - (1 - ETA) ** 2 * m**2)).sum() / n
    bias = ZETA**2 * ((ETA * m / (1 - (1 - ETA) * m)) ** 2).mean()
    return DIM * (ETA * SIGMA**2 / (n * (2 - ETA)) + noise + bias)


# %%
sizes = (16, 32, 64, 128, 256)
flat, growing = (np.array([measured(n, k or n) for n in sizes]) for k in (ACTIVE, None))
derived = np.array([teleportation(n, ACTIVE) for n in sizes]), np.array([dpsgd(n) for n in sizes])
for name, errors, theory in zip(("Teleportation, 8 active", "D-PSGD on a ring"), (flat, growing), derived, strict=True):
    print(f"{name:24} derived {theory.round(3)}, ours {errors.round(3)}")
    line = plt.semilogx(sizes, errors, "o", base=2, label=name)[0]
    plt.semilogx(sizes, theory, "--", base=2, color=line.get_color())
plt.xlabel("peers n")
plt.ylabel("(1/k) Σ ‖x_i − x*‖²")
plt.legend()
plt.show()

# %%
# As published, the error of Teleportation stays where it is as n grows; with so few peers that k is a good part of n
# it is lower still. D-PSGD's grows with the ring, whose gap falls as 1/n².
assert np.allclose(flat, derived[0], rtol=0.05)
assert np.allclose(growing, derived[1], rtol=0.2)  # theory is for the mean over draws of b
assert np.ptp(flat[1:]) < 0.15 * flat[1:].mean()
assert growing[-1] > 2 * growing[0]

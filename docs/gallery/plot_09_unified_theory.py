"""
Where D-PSGD stops: noise, heterogeneity and the graph
======================================================

Koloskova, Loizou, Boreiri, Jaggi and Stich (2020), "A unified theory of decentralized SGD with changing topology and
local updates", the figures on quadratics: a ring of 25, with noise σ² of gradients and heterogeneity ζ² of peers.

At a constant rate the error falls linearly and then stays at a plateau. Where all peers have the Hessian a I, the
plateau has a closed form in all eigenvalues λ_k of W, with b̂_k the optima along its eigenvectors: a bias (1/n) Σ_k
(ηaλ_k/(1 − (1 − ηa)λ_k))² ‖b̂_k‖² and a variance (d/n) Σ_k η²σ²λ_k²/(1 − (1 − ηa)²λ_k²).
"""

import matplotlib.pyplot as plt
import numpy as np

from dfedsam import DPSGD, Exact, Quadratic, make, simulate
from dfedsam.topologies import eigenvalues

N, DIM, ETA, ROUNDS = 25, 10, 0.05, 400
ring = make("ring", N)
modes = np.sort(eigenvalues(ring.weights(0)))[:-1]


def plateau(zeta, sigma):
    """In expectation over the optima, whose squared norm along each eigenvector is ζ² d; without the mean's mode."""
    bias = np.sum((ETA * modes / (1 - (1 - ETA) * modes)) ** 2) * zeta**2 * DIM / N
    variance = np.sum(ETA**2 * modes**2 / (1 - (1 - ETA) ** 2 * modes**2)) * sigma**2 * DIM / N
    return bias, variance


# %%
# The distance of the peers from their mean, over five seeds and the last half of each run:
ratios = {}
for zeta, sigma in ((1, 0), (0, 1), (1, 1), (3, 1)):
    objective = Quadratic(dim=DIM, heterogeneity=zeta, noise=sigma)
    runs = [
        simulate(objective=objective, topology=ring, algorithm=DPSGD(lr=ETA, estimator=Exact()), rounds=ROUNDS,
                 seed=seed, dtype="float64")["consensus_distance"]
        for seed in range(5)
    ]  # fmt: skip
    course = np.mean(runs, axis=0)
    bias, variance = plateau(zeta, sigma)
    ratios[zeta, sigma] = course[ROUNDS // 2 :].mean() / (bias + variance)
    print(f"ζ = {zeta}, σ = {sigma}: derived {bias + variance:.4f} (bias {bias:.4f}, variance {variance:.4f}), "
          f"measured {course[ROUNDS // 2 :].mean():.4f}")  # fmt: skip
    (line,) = plt.semilogy(course[1:], label=f"ζ = {zeta}, σ = {sigma}")
    plt.axhline(bias + variance, color=line.get_color(), linestyle=":")
plt.xlabel("rounds")
plt.ylabel("(1/n) Σ ‖x_i − x̄‖² (dotted: closed form)")
plt.legend()
plt.show()

# %%
# Two things scale as in the paper's theorem. Without heterogeneity a plateau is proportional to η (here η²/(1 − (1 −
# η)²) in each mode); with it, on a ring, the bias grows as 1/gap², so that it soon outweighs the noise.
assert all(abs(ratio - 1) < 0.12 for ratio in ratios.values())

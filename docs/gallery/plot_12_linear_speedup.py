"""
Linear speed-up: n peers average the noise of n
===============================================

Lian, Zhang, Zhang, Hsieh, Zhang and Liu (2017), "Can decentralized algorithms outperform centralized algorithms?",
corollary 2: at a fixed rate, the mean model's error falls as 1/n on any connected graph.

Where all peers have the Hessian a I, gossip does not enter the mean at all: E‖x̄ − x*‖² = η σ² d/(n a (2 − ηa))
exactly.
"""

import matplotlib.pyplot as plt
import numpy as np

from dfedsam import DPSGD, Exact, Quadratic, make, simulate

DIM, ETA, SIGMA, ROUNDS, BURN = 100, 0.2, 1.0, 240, 40


def error(name, n):
    """The steady error of the mean model, over the rounds of one run in 100 dimensions."""
    run = simulate(objective=Quadratic(dim=DIM, noise=SIGMA), topology=make(name, n), rounds=ROUNDS, seed=n,
                   algorithm=DPSGD(lr=ETA, estimator=Exact()), evaluate_local=False, dtype="float64")  # fmt: skip
    return run["error"].iloc[BURN:].mean()


# %%
sizes = [4, 8, 16, 32, 64]
measured = {name: [error(name, n) for n in sizes] for name in ("ring", "complete")}
formula = [ETA * SIGMA**2 * DIM / (n * (2 - ETA)) for n in sizes]
for k, n in enumerate(sizes):
    print(
        f"n = {n:2}: formula {formula[k]:.4f}, ring {measured['ring'][k]:.4f}, complete {measured['complete'][k]:.4f}"
    )
slope = np.polyfit(np.log(sizes), np.log(measured["ring"]), 1)[0]
print(f"slope on the ring: published −1, ours {slope:.3f}")

# %%
# The graph matters only to how far peers are from their mean, and, where Hessians differ, to how soon the 1/n sets in.
plt.loglog(sizes, formula, "k--", label="η σ² d / (n a (2 − ηa))")
for name, errors in measured.items():
    plt.loglog(sizes, errors, "o", label=name)
plt.xlabel("peers")
plt.ylabel("E‖x̄ − x*‖²")
plt.legend()
plt.show()

assert abs(slope + 1) < 0.05
for errors in measured.values():
    assert np.allclose(errors, formula, rtol=0.12)

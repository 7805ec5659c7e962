"""
Noise that neighbours share lies between local and central privacy
==================================================================

Allouah, Koloskova, El Firdoussi, Jaggi and Guerraoui (2024), "The privacy power of correlated noise in decentralized
learning" (DECOR), the synthetic experiment: a ring of 64 peers with f_i(x) = ½‖A_i x − b_i‖², A_i = (i/√n) I and
b_i ~ N(0, 1/i²). All methods are equally private to an observer of all messages.

Local privacy adds independent noise to each message. DECOR adds little noise of a peer's own, and much that neighbours
share with opposite signs, so that it cancels in the mean. Central privacy trusts a server, which adds noise once.
"""

import matplotlib.pyplot as plt
import numpy as np

from dfedsam import make
from dfedsam.communication import SingleProcess
from dfedsam.privacy.accounting import correlated_leak
from dfedsam.privacy.mechanisms import shared_noise
from dfedsam.random import RandomStream

N, DIM, LR, ROUNDS = 64, 10, 0.001, 1500
OWN, SHARED = 5.14, 19.14  # σ and σ_c of the paper's constants
W = make("ring", N).weights(0)
local = correlated_leak(W, OWN, SHARED).max() ** -0.5
print(f"(σ, σ_c) = ({OWN}, {SHARED}) is as private as independent noise of {local:.2f}; published 14.09")

# %%
A = np.arange(1, N + 1)[:, None] / N**0.5
b = np.random.default_rng(0).normal(size=(N, DIM)) / np.arange(1, N + 1)[:, None]
optimum = (A * b).sum(axis=0) / (A**2).sum()


def noise(method, t):
    """The noise of round t, of shape (N, DIM); on a server it is one vector for all."""
    stream = RandomStream(0, "noise", t, 0, range(N))
    own = stream.normal((DIM,), np.float64)
    if method == "local":
        return local * own
    if method == "central":
        return local / N * own[:1]
    return OWN * own + SHARED * shared_noise(DIM, W, SingleProcess(N), stream)


def error(method):
    """Squared distance of the peers' mean from the optimum, by round."""
    x, found = np.zeros((N, DIM)), []
    for t in range(ROUNDS):
        x = x - LR * (A * (A * x - b) + noise(method, t))
        x = W @ x if method != "central" else x * 0 + x.mean(axis=0)
        found.append(((x.mean(axis=0) - optimum) ** 2).sum())
    return np.array(found)


steady = {}
for method in ("local", "decor", "central"):
    errors = error(method)
    steady[method] = errors[ROUNDS // 2 :].mean()
    plt.semilogy(errors, label=f"{method}: {steady[method]:.2g} in the end")

plt.xlabel("round")
plt.ylabel("squared distance of the mean from the optimum")
plt.legend()
plt.show()

assert abs(local - 14.09) < 0.006
print(f"local against DECOR: {steady['local'] / steady['decor']:.1f} ×, (σ_ldp/σ)² = {(local / OWN) ** 2:.1f}")
assert steady["central"] < steady["decor"] < steady["local"] / 4

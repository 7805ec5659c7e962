"""
Communication and computation, both accelerated
===============================================

Scaman, Bach, Bubeck, Lee and Massoulié (2017), "Optimal algorithms for smooth and strongly convex distributed
optimization in networks": MSDA takes the time O(√κ (1 + τ/√γ) log 1/ε), and no method can better it. A gradient takes
time 1 and a message τ; κ is the condition number of the peers' functions, and γ the ratio λ₂/λₙ of I − W.

100 peers on a grid and on a random graph minimise ill-conditioned quadratics. SSDA exchanges once a step, MSDA ⌊1/√γ⌋
times, along Chebyshev's polynomial, so that its number of gradients no longer depends on the graph.
"""

import matplotlib.pyplot as plt
import numpy as np

from dfedsam import make

N, DIM, KAPPA, EPSILON = 100, 10, 1000, 1e-5
rng = np.random.default_rng(0)
h = np.sort(np.exp(rng.uniform(0, np.log(KAPPA), (N, DIM))), axis=1)  # diagonal Hessians with curvatures from 1 to κ
h[:, [0, -1]] = 1, KAPPA
b = h * rng.standard_normal((N, DIM))
optimum = b.sum(axis=0) / h.sum(axis=0)


def chebyshev(L, K):
    """I − T_K(c₂ (I − c₃ L))/T_K(c₂), which is zero for the mean and close to the identity for all else."""
    low, high = np.linalg.eigvalsh(L)[[1, -1]]
    c2, c3 = (high + low) / (high - low), 2 / (high + low)
    old, new, t, u = np.eye(N), c2 * (np.eye(N) - c3 * L), 1.0, c2
    for _ in range(K - 1):
        old, new, t, u = new, 2 * c2 * (new - c3 * L @ new) - old, u, 2 * c2 * u - t
    return np.eye(N) - new / u


def dual(P):
    """x_i − x* in accelerated gradient ascent on the dual, with gossip P."""
    low, high = np.linalg.eigvalsh(P)[[1, -1]]
    root, x, y = np.sqrt(KAPPA * high / low), np.zeros_like(b), np.zeros_like(b)
    while True:
        yield (x + b) / h - optimum
        y, old = x - P @ ((x + b) / h) / high, y
        x = y + (root - 1) / (root + 1) * (y - old)


def extra(W):
    x, correction = np.zeros_like(b), 0.0
    while True:
        yield x - optimum
        x, correction = W @ x - (h * x - b) / (2 * KAPPA) + correction, correction + (W @ x - x) / 2


def steps(errors):
    return next(step for step, error in enumerate(errors) if np.square(error).sum(axis=1).mean() < EPSILON)


# %%
# The number of gradients at each peer until ε, and of exchanges for each gradient:
found, taus = {}, np.geomspace(0.01, 100, 30)
figure, axes = plt.subplots(1, 2, figsize=(9, 3.5), sharey=True, layout="constrained")
for name, axis in zip(("grid", "erdos_renyi"), axes, strict=True):
    L = np.eye(N) - make(name, N, 0).weights(0).toarray()
    low, high = np.linalg.eigvalsh(L)[[1, -1]]
    K = int(np.sqrt(high / low))
    methods = {"MSDA": (dual(chebyshev(L, K)), K), "SSDA": (dual(L), 1), "EXTRA": (extra(np.eye(N) - L), 1)}
    found[name] = {method: (steps(errors), exchanges) for method, (errors, exchanges) in methods.items()}
    print(f"{name:12} published √κ log 1/ε = {np.sqrt(KAPPA) * np.log(1 / EPSILON):.0f}, ours {found[name]}")
    for method, (gradients, exchanges) in found[name].items():
        axis.loglog(taus, gradients * (1 + exchanges * taus), label=method)
    axis.set(title=f"{name}, κ = 1000, 1/√γ = {np.sqrt(high / low):.1f}", xlabel="time τ of a message, in gradients")
axes[0].set_ylabel("time to 1e-5")
axes[0].legend()
plt.show()

# %%
# As published: MSDA takes as many gradients on the grid as on the random graph, and the order is MSDA, SSDA, EXTRA. On
# the random graph ⌊1/√γ⌋ = 1, and MSDA is SSDA.
assert abs(found["grid"]["MSDA"][0] / found["erdos_renyi"]["MSDA"][0] - 1) < 0.05
times = [gradients * (1 + 0.1 * exchanges) for gradients, exchanges in found["grid"].values()]
assert 3 * times[0] < times[1] < times[2] / 3

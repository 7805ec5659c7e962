"""
Network-DANE: Newton-like steps where peers are alike
=====================================================

Li, Cen, Chen and Chi (2020), "Communication-efficient distributed optimization in networks with gradient tracking and
variance reduction", the figure on linear regression: 20 peers on a random graph with edge probability 0.3, 1,000 rows
of 40 features each, condition numbers 10 and 10⁴. Published: about 10 rounds for Network-DANE, and 200 for gradient
tracking at the better condition.

Network-DANE tracks the mean gradient, and each peer minimises its own function, tilted so that its gradient is the
tracked one, instead of taking a step. With n rows a peer, local Hessians differ from their mean by about √(d/rows).
"""

from itertools import product

import matplotlib.pyplot as plt
import numpy as np

from dfedsam import make

N, ROWS, DIM, ROUNDS = 20, 1000, 40, 200


def problem(kappa):
    rng = np.random.default_rng(0)
    scale = np.sqrt(np.geomspace(1, 1 / kappa, DIM))
    A = rng.standard_normal((N, ROWS, DIM)) * scale
    y = A @ rng.standard_normal(DIM) + rng.standard_normal((N, ROWS))
    H, b = np.einsum("nrd,nre->nde", A, A) / ROWS, np.einsum("nrd,nr->nd", A, y) / ROWS
    return H, b


def course(H, b, W, move):
    """(f(x̄) − f*)/f* of x̄ after each round of: y = W x, s ← W s + change of the gradients at y, x = y − move(s)."""
    best, hessian = np.linalg.solve(H.mean(axis=0), b.mean(axis=0)), H.mean(axis=0)
    x, s, old, gaps = np.zeros_like(b), np.zeros_like(b), np.zeros_like(b), []
    for _ in range(ROUNDS):
        x = W @ x
        new = np.einsum("nde,ne->nd", H, x) - b
        s, old = W @ s + new - old, new
        x = x - move(s)
        error = x.mean(axis=0) - best
        gaps.append(error @ hessian @ error / (best @ hessian @ best))
    return np.array(gaps)


# %%
# With one gossip step a round, and with eight, after which the graph is no limit.
W, rounds = make("erdos_renyi", N, 1, p=0.3).weights(0).toarray(), {}
figure, axes = plt.subplots(1, 2, figsize=(9, 3.5), sharey=True, layout="constrained")
for kappa, axis in zip((10, 10_000), axes, strict=True):
    H, b = problem(kappa)
    inverse, largest = np.linalg.inv(H), np.linalg.eigvalsh(H).max()
    moves = {
        "gradient tracking": lambda s, largest=largest: s / largest,
        "Network-DANE": lambda s, inverse=inverse: np.einsum("nde,ne->nd", inverse, s),
    }
    for (name, move), steps in product(moves.items(), (1, 8)):
        gaps = course(H, b, np.linalg.matrix_power(W, steps), move)
        rounds[kappa, name, steps] = int(np.argmax(gaps < 1e-6)) if gaps.min() < 1e-6 else np.inf
        print(f"κ = {kappa:6}, {name:17}, {steps} gossip steps: {rounds[kappa, name, steps]} rounds to 1e-6")
        axis.semilogy(gaps, label=f"{name}, Q = {steps}")
    axis.set(title=f"κ = {kappa:,}", xlabel="rounds", ylim=(1e-14, 10))
axes[0].set_ylabel("relative gap of f(x̄)")
axes[1].legend(fontsize="small")
plt.show()

# %%
# As published, Network-DANE does not feel the condition number: 18 and 20 rounds with one gossip step, which the graph
# limits, and 3 with eight. Gradient tracking at 1/L needs 56 rounds at the better condition, and at the worse one more
# than we ran. The paper's counts are for its own graph and accuracy; the order and the ratio are what carries over.
assert rounds[10_000, "Network-DANE", 1] <= 1.25 * rounds[10, "Network-DANE", 1] <= 25
assert max(rounds[kappa, "Network-DANE", 8] for kappa in (10, 10_000)) <= 5
assert rounds[10, "gradient tracking", 8] > 40
assert rounds[10_000, "gradient tracking", 8] == np.inf

"""
A topology computed from the data
=================================

Le Bars, Bellet, Tommasi, Lavoie and Kermarrec (2023), "Refined convergence and topology learning for decentralized SGD
with heterogeneous data", mean estimation: 100 peers in ten groups, whose means lie evenly between −m and m.

STL-FW joins peers of different groups: with budget k each peer hears k others. Against it, random k-regular graphs. As
published, the more the groups differ the more the learned graph is worth, and after K − 1 = 9 steps of Frank–Wolfe it
leaves no bias at all.
"""

import matplotlib.pyplot as plt
import numpy as np

from dfedsam import make

N, K, STEPS, SIGMA, START = 100, 10, 150, 1.0, 10.0
groups = np.repeat(np.arange(K), N // K)
proportions = np.eye(K)[groups]
RATES = np.geomspace(1e-3, 1, 13)


def error(W, m, repeats=3):
    """Mean of (x_i − x*)² after 150 steps, at the best rate."""
    means = np.linspace(-m, m, K)[groups][:, None, None]
    rng = np.random.default_rng(0)
    x = np.full((N, len(RATES), repeats), START)
    for _ in range(STEPS):
        x = x - RATES[:, None] * (x - means - SIGMA * rng.standard_normal((N, 1, repeats)))
        x = np.einsum("ij,jkr->ikr", W, x)
    return np.square(x).mean(axis=(0, 2)).min()


# %%
budgets, differences = (2, 3, 5, 9), (1, 10, 100)
learned = {
    k: make("stl_fw", N, class_proportions=proportions, degree=k, mixing=0.1).weights(0).toarray() for k in budgets
}
drawn = {k: make("random_regular", N, 0, degree=k).weights(0).toarray() for k in budgets if k > 2}
drawn[2] = make("ring", N).weights(0).toarray()
errors = {(m, k): (error(learned[k], m), error(drawn[k], m)) for m in differences for k in budgets}
for (m, k), (ours, random) in errors.items():
    print(f"m = {m:3}, {k} neighbours: STL-FW {ours:9.4f}, random regular {random:9.4f}, ratio {random / ours:6.1f}")

# %%
bias = {k: np.square((W - 1 / N) @ proportions).sum() / N for k, W in learned.items()}
print("bias ‖(W − J)Π‖²/n that is left, 1/(1 + k) − 1/10 derived:", {k: round(float(b), 6) for k, b in bias.items()})

figure, axes = plt.subplots(1, len(differences), figsize=(9, 3.4))
for axis, m in zip(axes, differences, strict=True):
    axis.semilogy(budgets, [errors[m, k][0] for k in budgets], "o-", label="STL-FW")
    axis.semilogy(budgets, [errors[m, k][1] for k in budgets], "s-", label="random regular")
    axis.set(title=f"m = {m}", xlabel="neighbours")
axes[0].set_ylabel("error after 150 steps, best rate")
axes[0].legend()
plt.show()


# %%
# Ours differs from the paper at three neighbours, where random graphs win. The reason: STL-FW bounds the bias within
# each neighbourhood, 0.15 against 0.22 here, but of equally good permutations it took some that join the groups like a
# ring. The groups' own mixing matrix then has λ₂ = 0.89 against 0.47, and over 150 steps that costs more than it gains.
def between_groups(W):
    mean = np.array([[W[np.ix_(groups == a, groups == b)].sum() for b in range(K)] for a in range(K)]) * K / N
    return np.sort(np.abs(np.linalg.eigvals(mean)))[-2]


print(
    f"λ₂ between groups, 3 neighbours: STL-FW {between_groups(learned[3]):.2f}, random {between_groups(drawn[3]):.2f}"
)

assert between_groups(learned[3]) > 1.5 * between_groups(drawn[3])
assert all(abs(bias[k] - (1 / (1 + k) - 1 / K)) < 1e-12 for k in budgets)
assert errors[100, 9][1] > 50 * errors[100, 9][0]
assert errors[100, 9][1] / errors[100, 9][0] > errors[1, 9][1] / errors[1, 9][0]

"""
Alike Hessians shorten the transient
====================================

The paper arXiv 2409.04092 (2024) studies how alike data must be for the transient time of D-PSGD to be short: the
rounds until it is as good as SGD with a server. Where the peers' Hessians are similar, O(√n/ρ) rounds are enough for
strongly convex functions, ρ the spectral gap.

25 peers on a ring fit least squares with noisy gradients and a falling rate. Their optima differ in any case; the
Hessians are a mixture of a common one and of the peers' own.
"""

import matplotlib.pyplot as plt
import numpy as np

from dfedsam import make

N, DIM, STEPS, SEEDS = 25, 5, 3000, 4
ring, server = make("ring", N).weights(0).toarray(), make("complete", N).weights(0).toarray()


def errors(spread):
    """‖x̄ − x*‖² of the mean model on the ring and with a server, with the same noise, mean over seeds."""
    total = np.zeros((2, STEPS))
    for seed in range(SEEDS):
        rng = np.random.default_rng(seed)
        own = rng.standard_normal((N, DIM, 2 * DIM))
        H = (1 - spread) * np.eye(DIM) + spread * np.einsum("nij,nkj->nik", own, own) / (2 * DIM)
        optima = rng.standard_normal((N, DIM))
        target = np.einsum("nij,nj->ni", H, optima)
        best = np.linalg.solve(H.mean(axis=0), target.mean(axis=0))
        x = np.zeros((2, N, DIM))
        for t in range(STEPS):
            gradient = np.einsum("nij,gnj->gni", H, x) - target + rng.standard_normal((N, DIM))
            x = np.stack([ring, server]) @ (x - 4 / (t + 20) * gradient)
            total[:, t] += np.square(x.mean(axis=1) - best).sum(axis=1) / SEEDS
    return total


# %%
# Both errors are averaged over 50 rounds before their ratio is taken.
ratios, window = {}, np.full(50, 1 / 50)
for spread in (0.0, 0.2, 0.5, 1.0):
    on_ring, central = (np.convolve(course, window, "valid") for course in errors(spread))
    ratios[spread] = on_ring / central
    early, late = ratios[spread][200], ratios[spread][-1]
    print(f"Hessians' own share {spread}: error over the server's {early:.2f} after 200 rounds, {late:.2f} at the end")
    plt.semilogx(np.arange(1, len(ratios[spread]) + 1), ratios[spread], label=f"Hessians' own share {spread}")
plt.axhline(1, color="grey", linestyle=":")
plt.xlabel("rounds")
plt.ylabel("error on the ring / error with a server")
plt.legend()
plt.show()

# %%
# With equal Hessians there is no transient here at all: on quadratics the mean model of D-PSGD is that of central SGD,
# whatever the graph and however different the optima. The more the Hessians differ, the longer the ring lags behind.
early = [ratio[200] for ratio in ratios.values()]
assert np.allclose(ratios[0.0], 1)
assert early == sorted(early) and early[-1] > 2
assert ratios[1.0][-1] < 0.7 * early[-1]

"""
LEAD: two bits a number, and still the optimum
==============================================

Liu, Li, Wang, Tang and Yan (2021), "Linear convergent decentralized optimization with compression", figure 1: eight
peers on a ring fit ‖A_i x − b_i‖² + ‖x‖²/10 in 200 dimensions, with exact gradients and messages of the 2-bit ∞-norm
quantiser. Published: LEAD falls linearly, round for round with NIDS, which sends floats; the others stall.

The paper gives no scale of A_i: here entries have variance 1/200. γ and the step size are the best of the paper's grid.
"""

from dataclasses import dataclass

import matplotlib.pyplot as plt
import numpy as np

from dfedsam import DPSGD, NIDS, BlockQuantizer, Choco, DeepSqueeze, Exact, Lead, Objective, make, simulate
from dfedsam.objectives import Problem

N, DIM, ETA, rng = 8, 200, 0.1, np.random.default_rng(0)
A = rng.standard_normal((N, DIM, DIM)) / DIM**0.5
b = A @ rng.standard_normal(DIM) + 0.1 * rng.standard_normal((N, DIM))
H, c = 2 * np.einsum("nki,nkj->nij", A, A) + 0.2 * np.eye(DIM), 2 * np.einsum("nki,nk->ni", A, b)
best = np.linalg.solve(H.mean(axis=0), c.mean(axis=0))


class Regression(Problem):
    has_gradients, dim, dtype, losses = True, DIM, np.dtype(float), None  # gradients are exact
    start = staticmethod(lambda: np.zeros(DIM))
    minibatch = staticmethod(lambda stream, rows=slice(None): np.empty((len(stream.peers), 0)))

    def gradients(self, x, batch, rows=slice(None)):
        return np.einsum("nij,nj->ni", H[rows], x) - c[rows]

    def evaluate(self, x):
        return {"loss": np.square(x - best).sum(axis=1)}


@dataclass(frozen=True, kw_only=True)
class LinearRegression(Objective):
    build = staticmethod(lambda peers, block, seed, dtype: Regression())


@dataclass(frozen=True, kw_only=True)
class Quantizer(BlockQuantizer):
    """The paper runs CHOCO and DeepSqueeze with it too, though in the worst case it does not contract."""

    delta = staticmethod(lambda dim: 0.5)


exact = {"estimator": Exact(), "lr": ETA}
methods = {
    "NIDS, no compression": NIDS(**exact),
    "LEAD": Lead(**exact, compressor=BlockQuantizer(bits=2, block=512), gamma=1.0, alpha=0.5),
    "D-PSGD, no compression": DPSGD(**exact),
    "CHOCO": DPSGD(**exact, gossip=Choco(compressor=Quantizer(), gamma=0.8)),
    "DeepSqueeze": DPSGD(**exact, gossip=DeepSqueeze(compressor=Quantizer(), gamma=0.1)),
}

# %%
# What stalls does so at a fixed point, x = M (x − η ∇f(x)), which solves a linear system: M is W for D-PSGD, and
# I + γ (W − I) for CHOCO, whose compression error vanishes. γ < 1, not the two bits, keeps it above D-PSGD.
W, last = make("ring", N).weights(0).toarray(), {}
for name, algorithm in methods.items():
    run = simulate(objective=LinearRegression(), topology=make("ring", N), algorithm=algorithm, rounds=400,
                   dtype="float64", evaluate_every=10, evaluate_local=False)  # fmt: skip
    distance = (N * (run["loss"] + run["consensus_distance"])) ** 0.5
    last[name] = distance.iloc[-1]
    print(f"{name:24} ‖X − X*‖ = {last[name]:.2e} after 400 rounds and {run['bytes'].iloc[-1] / 1e3:.0f} kB a peer")
    plt.semilogy(run["round"], distance, label=name)
plt.gca().set(xlabel="rounds", ylabel="‖X − X*‖")
plt.legend()
plt.show()

for name, M in (("D-PSGD, no compression", W), ("CHOCO", 0.2 * np.eye(N) + 0.8 * W)):
    system = np.eye(N * DIM) - np.kron(M, np.eye(DIM)) + ETA * np.einsum("ij,jde->idje", M, H).reshape(N * DIM, -1)
    stall = np.linalg.norm(np.linalg.solve(system, ETA * (M @ c).ravel()).reshape(N, DIM) - best)
    print(f"{name} stalls at {stall:.2e} in closed form")
    assert abs(last[name] / stall - 1) < 1e-9
assert last["LEAD"] < 1e-11 < 3 * last["CHOCO"] < last["DeepSqueeze"]

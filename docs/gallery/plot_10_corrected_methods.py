"""
D-PSGD is biased; tracking, EXTRA and D² are not
================================================

Shi, Ling, Wu and Yin (2015), "EXTRA"; Tang, Lian, Yan, Zhang and Liu (2018), "D²"; Nedić, Olshevsky and Shi (2017),
gradient tracking: convergence on a ring of peers with different Hessians.

Peers minimise f_i(x) = ½ a_i ‖x − b_i‖² with a_i = (i/n)² on a ring of 16. At a constant rate D-PSGD comes to rest
where gossip and the peers' own gradients balance. The others carry a correction of the gradients and reach the optimum.
"""

from dataclasses import dataclass

import matplotlib.pyplot as plt
import numpy as np

from dfedsam import D2, DPSGD, Exact, Extra, GradientTracking, Objective, make, simulate
from dfedsam.objectives import Problem

N, DIM, ETA, ROUNDS = 16, 5, 0.3, 3000


@dataclass(frozen=True)
class Uneven(Objective):
    """Quadratics whose curvature differs from peer to peer."""

    def build(self, peers, block, seed, dtype):
        return UnevenProblem(peers, block, seed, dtype)


class UnevenProblem(Problem):
    has_gradients = True

    def __init__(self, peers, block, seed, dtype):
        rng = np.random.default_rng(seed)
        all_optima, all_a = rng.standard_normal((peers, DIM)), (np.arange(1, peers + 1) / peers) ** 2
        self.dim, self.optimum = DIM, all_a @ all_optima / all_a.sum()
        self.a, self.optima, self.dtype = all_a[list(block)].astype(dtype), all_optima[list(block)].astype(dtype), dtype

    def start(self):
        return np.zeros(DIM, self.dtype)

    def minibatch(self, stream, rows=slice(None)):
        return np.empty((len(stream.peers), 0))

    def losses(self, x, batch, rows=slice(None)):
        return 0.5 * self.a[rows, None] * np.square(x - self.optima[rows, None]).sum(axis=2)

    def gradients(self, x, batch, rows=slice(None)):
        return self.a[rows, None] * (x - self.optima[rows])

    def evaluate(self, x):
        return {"loss": np.square(x - self.optimum).sum(axis=1)}  # ‖x − x*‖² in place of the loss


# %%
# ``loss_local`` is the mean of ‖x_i − x*‖² over the peers.
EXACT = {"lr": ETA, "estimator": Exact()}
methods = {
    "D-PSGD": DPSGD(**EXACT),
    "gradient tracking": GradientTracking(**EXACT),
    "EXTRA": Extra(**EXACT),
    "D²": D2(**EXACT),
}
last = {}
for name, algorithm in methods.items():
    run = simulate(objective=Uneven(), topology=make("ring", N), algorithm=algorithm, rounds=ROUNDS, dtype="float64",
                   evaluate_every=50)  # fmt: skip
    last[name] = run["loss_local"].iloc[-1]
    print(f"{name:18} published: {'a plateau' if name == 'D-PSGD' else 'exact':9}   ours {last[name]:.1e}")
    plt.semilogy(run["round"], np.maximum(run["loss_local"], 1e-32), label=name)
plt.xlabel("rounds")
plt.ylabel("mean of ‖x_i − x*‖²")
plt.legend()
plt.show()

assert last["D-PSGD"] > 1e-2
assert max(error for name, error in last.items() if name != "D-PSGD") < 1e-18

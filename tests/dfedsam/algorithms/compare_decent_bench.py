"""By hand: the paths of our methods against decent-bench's, on the same quadratics, W and start.

    python3.13 -m venv other && other/bin/pip install decent-bench==0.3.0
    python tests/dfedsam/algorithms/compare_decent_bench.py other/bin/python

decent-bench needs Python 3.13; this file is run by both: by ours, which compares, and by the other, which writes paths.
GT-VR is random: both sides take the same coins, and the examples in turn, on least squares.
"""

import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

PEERS, DIM, ROUNDS, LR, EXAMPLES, P = (
    15,
    5,
    60,
    0.05,
    4,
    0.3,
)  # a ring of odd length: λ_min > −1/3, so that no W is made lazy


def quadratics():
    """Hessians (peers, dim, dim) of largest eigenvalue one, and linear terms b (peers, dim)."""
    rng = np.random.default_rng(0)
    factors = rng.standard_normal((PEERS, DIM, DIM))
    hessians = factors @ factors.swapaxes(1, 2) / DIM + 0.15 * np.eye(DIM)
    return hessians / np.linalg.eigvalsh(hessians).max(), rng.standard_normal((PEERS, DIM))


def least_squares():
    """Features (peers, examples, dim) and targets (peers, examples)."""
    rng = np.random.default_rng(1)
    return rng.standard_normal((PEERS, EXAMPLES, DIM)), rng.standard_normal((PEERS, EXAMPLES))


def theirs(out):
    from types import SimpleNamespace

    import networkx as nx
    from decent_array import Array, interoperability  # pyright: ignore[reportMissingImports]
    from decent_bench.agents import Agent  # pyright: ignore[reportMissingImports]
    from decent_bench.algorithms import p2p  # pyright: ignore[reportMissingImports]
    from decent_bench.algorithms.p2p import _gt_vr  # pyright: ignore[reportMissingImports]
    from decent_bench.costs import LinearRegressionCost, QuadraticCost  # pyright: ignore[reportMissingImports]
    from decent_bench.networks import P2PNetwork  # pyright: ignore[reportMissingImports]

    interoperability.set_backend("numpy")
    received = Agent.messages  # 0.3.0 adds up neighbours' vectors in the first one's memory, in DLM and DiNNO
    Agent.messages = lambda self, *some: {j: interoperability.copy(x) for j, x in received(self, *some).items()}
    local = {"step_size": LR / 2, "num_local_steps": 3}
    algorithms = {
        "atc": p2p.ATC(step_size=LR),
        "gradient_tracking": p2p.ATC_Tracking(step_size=LR),
        "aug_dgm": p2p.AugDGM(step_size=LR),
        "extra": p2p.EXTRA(step_size=LR),
        "exact_diffusion": p2p.ED(step_size=LR),
        "nids": p2p.NIDS(step_size=LR),
        "wang_elia": p2p.WangElia(step_size=LR),
        "prox_skip": p2p.ProxSkip(step_size=LR, aux_step_size=1.0, comm_probability=1.0),
        "k_gt": p2p.KGT(**local, aux_step_size=0.7),
        "led": p2p.LED(**local, aux_step_size=0.3),
        "dlm": p2p.DLM(step_size=LR, penalty=0.2),
        "dinno": p2p.DiNNO(**local, penalty=0.2),
        "admm": p2p.ADMM(penalty=0.4),
        "lt_admm": p2p.LT_ADMM(**local, aux_step_size=0.02, penalty=0.4),
    }

    class InTurn(LinearRegressionCost):
        """Takes the next two examples, where it would draw them."""

        turn = 0

        def _sample_batch_indices(self, indices="batch"):
            if indices != "batch":
                return super()._sample_batch_indices(indices)
            self.turn += 1
            self._last_batch_used = [self.turn % EXAMPLES, (self.turn + 1) % EXAMPLES]
            return self._last_batch_used

    def in_turn(features, targets):
        return InTurn([(Array(a), Array(np.array([b]))) for a, b in zip(features, targets, strict=True)], 2)

    paths, coins = {}, iter(np.load(Path(out).with_name("coins.npy"))[1:].ravel())
    _gt_vr.random = SimpleNamespace(random=lambda: next(coins))
    algorithms["gt_vr"] = p2p.GT_VR(step_size=LR / 2, snapshot_prob=P)
    for name, algorithm in algorithms.items():
        costs = map(QuadraticCost, *(map(Array, part) for part in quadratics()))
        agents = list(map(Agent, map(in_turn, *least_squares()) if name == "gt_vr" else costs))
        network = P2PNetwork(nx.cycle_graph(PEERS), agents)
        algorithm.initialize(network)
        path = []
        for step in range(ROUNDS + 1):
            algorithm.step(network, step)
            path.append([agent.x.numpy.copy() for agent in agents])
        paths[name] = path[1:] if name == "dlm" else path[:-1]  # its first step only sends
        paths["W"] = network.weights.numpy
    np.savez(out, **paths)


def ours(python):
    import dfedsam
    from dfedsam import Exact
    from dfedsam.objectives.base import ALL_ROWS, Rows
    from dfedsam.random import RandomStream
    from tests.dfedsam.algorithms import own_hessians as cases

    hessians, b = quadratics()

    class Objective:
        def build(self, peers, block, seed, dtype):
            optima = np.linalg.solve(hessians, -b[:, :, None])[:, :, 0]
            return cases.OwnHessiansProblem(hessians, optima, range(PEERS), dtype)

    class LeastSquares:
        def build(self, peers, block, seed, dtype):
            return LeastSquaresProblem(hessians, b, range(PEERS), dtype)

    class LeastSquaresProblem(cases.OwnHessiansProblem):
        gives_example_losses = True

        def minibatch(self, stream, rows: Rows = ALL_ROWS):
            return np.tile([stream.round % EXAMPLES, (stream.round + 1) % EXAMPLES], (len(stream.peers), 1))

        def example_indices(self, rows: Rows = ALL_ROWS):
            return np.tile(np.arange(EXAMPLES), (PEERS, 1))[rows]

        def gradients(self, x, batch, rows: Rows = ALL_ROWS):
            features, targets = (part[np.arange(PEERS)[rows][:, None], batch] for part in least_squares())
            return np.einsum("pmd,pm->pd", features, np.einsum("pmd,pd->pm", features, x) - targets) / batch.shape[1]

    cases.OwnHessiansProblem.dim = DIM
    cases.OwnHessiansProblem.start = lambda self: np.zeros(DIM)
    options, local = {"estimator": Exact(), "lr": LR}, {"estimator": Exact(), "lr": LR / 2, "local_steps": 3}
    algorithms = {
        "atc": dfedsam.DPSGD(**options),
        "gradient_tracking": dfedsam.GradientTracking(**options),
        "aug_dgm": dfedsam.AugDGM(**options),
        "extra": dfedsam.Extra(**options),
        "exact_diffusion": dfedsam.ProxSkip(**options, probability=1.0),  # D2, with (I + W)/2 in any case
        "nids": dfedsam.NIDS(**options),
        "wang_elia": dfedsam.WangElia(**options),
        "prox_skip": dfedsam.ProxSkip(**options, probability=1.0),
        "k_gt": dfedsam.KGT(**local, outer_lr=0.7),
        "led": dfedsam.LED(**local, dual_lr=0.3),
        "dlm": dfedsam.DLM(**options, penalty=0.6),  # the weight of an edge is 1/3
        "dinno": dfedsam.DiNNO(**local, penalty=0.6),
        "admm": dfedsam.ADMM(penalty=0.6),  # half of ρ, times three
        "lt_admm": dfedsam.LTADMM(**local, dual_lr=0.02, penalty=0.6),
        "gt_vr": dfedsam.AugDGM(estimator=dfedsam.SVRG(probability=P), lr=LR / 2),
    }
    streams = [RandomStream(0, "descent, anchor", t, 0, range(PEERS)) for t in range(ROUNDS + 2)]
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder, "paths.npz")
        np.save(out.with_name("coins.npy"), [stream.uniform(()) for stream in streams])
        subprocess.run([python, __file__, "theirs", out], check=True)
        paths = dict(np.load(out))
    ring = dfedsam.make("ring", PEERS).weights(0)
    print(f"W differs by {np.abs(ring.toarray() - paths['W']).max():.1e}")
    worst = 0.0
    for name, algorithm in algorithms.items():
        found = []
        objective = LeastSquares() if name == "gt_vr" else Objective()
        cases.play(
            algorithm, ROUNDS, objective=objective, weights=ring, seen=lambda state, f=found: f.append(state.x.copy())
        )
        difference = np.abs(np.array(found) - paths[name]).max()
        print(f"{name:20} {difference:.1e}   of {np.abs(found).max():.2f}")
        worst = max(worst, difference)
    return worst < 1e-12


if __name__ == "__main__":
    if sys.argv[1] == "theirs":
        theirs(sys.argv[2])
    else:
        sys.path.insert(0, str(Path(__file__).parents[3]))
        sys.exit(not ours(sys.argv[1]))

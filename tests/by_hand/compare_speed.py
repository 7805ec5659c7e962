r"""By hand: CPU time of a round of decentralised SGD here and in other packages, on the same logistic regression.

    python3.13 -m venv decent && decent/bin/pip install decent-bench==0.3.0
    python3.11 -m venv gossipy && gossipy/bin/pip install gossipy-dfl==0.0.1
    python3.11 -m venv flower && flower/bin/pip install 'flwr[simulation]==1.42.0'
    python tests/by_hand/compare_speed.py \
        decent_bench=decent/bin/python gossipy=gossipy/bin/python flower=flower/bin/python

Every peer has 64 examples of 20 features in two classes, and makes one step on a minibatch of 32 a round. decent-bench
then averages over a ring (ATC, which is D-PSGD); in gossipy a peer sends its model to one neighbour on the ring, which
averages the two; Flower averages at a server (FedAvg). No round is evaluated. This file is run by every Python.
"""

import argparse
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

FEATURES, EXAMPLES, BATCH, LR = 20, 64, 32, 0.1
PEERS = 16, 256


def data(peers: int) -> tuple[np.ndarray, np.ndarray]:
    """Features (peers, examples, features), float32, and classes (peers, examples)."""
    rng = np.random.default_rng(0)
    classes = rng.integers(2, size=(peers, EXAMPLES))
    centres = rng.normal(size=(2, FEATURES))
    return (centres[classes] + rng.normal(size=(peers, EXAMPLES, FEATURES))).astype(np.float32), classes


def timed(rounds: Callable[[int], object], count: int) -> float:
    """CPU milliseconds of a round."""
    rounds(2)
    began = time.process_time()
    rounds(count)
    return 1e3 * (time.process_time() - began) / count


def dfedsam(peers: int) -> float:
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent.parent))
    from dfedsam import DPSGD, Exact, LogisticRegression, topologies
    from dfedsam.data.split import IID
    from tests.benchmarks import rounds as benchmark

    benchmark.PEERS = peers
    objective = LogisticRegression(features=FEATURES, classes=2, examples=EXAMPLES, batch_size=BATCH, split=IID())
    algorithm = DPSGD(local_steps=1, lr=LR, estimator=Exact())
    return timed(benchmark.ours(objective, algorithm, topologies.make("ring", peers))[0], 500)


def decent_bench(peers: int) -> float:
    import networkx as nx
    from decent_array import interoperability  # pyright: ignore[reportMissingImports]
    from decent_bench.agents import Agent  # pyright: ignore[reportMissingImports]
    from decent_bench.algorithms.p2p import ATC  # pyright: ignore[reportMissingImports]
    from decent_bench.costs import LogisticRegressionCost  # pyright: ignore[reportMissingImports]
    from decent_bench.networks import P2PNetwork  # pyright: ignore[reportMissingImports]

    interoperability.set_backend("numpy")
    array = interoperability.asarray if hasattr(interoperability, "asarray") else interoperability.to_array
    agents = [
        Agent(LogisticRegressionCost([(array(a), array(np.array([b], np.float32))) for a, b in own], BATCH))
        for own in (zip(*one, strict=True) for one in zip(*data(peers), strict=True))
    ]
    network, algorithm = P2PNetwork(nx.cycle_graph(peers), agents), ATC(step_size=LR)
    algorithm.initialize(network)
    return timed(lambda count: [algorithm.step(network, k) for k in range(count)], 20)


def gossipy(peers: int) -> float:
    from unittest.mock import MagicMock

    sys.modules["torchvision"] = MagicMock()  # only for images, and not among its requirements
    import networkx as nx
    import torch
    from gossipy.core import (  # pyright: ignore[reportMissingImports]
        AntiEntropyProtocol,
        CreateModelMode,
        StaticP2PNetwork,
    )
    from gossipy.data import DataDispatcher  # pyright: ignore[reportMissingImports]
    from gossipy.data.handler import ClassificationDataHandler  # pyright: ignore[reportMissingImports]
    from gossipy.model.handler import TorchModelHandler  # pyright: ignore[reportMissingImports]
    from gossipy.model.nn import LogisticRegression  # pyright: ignore[reportMissingImports]
    from gossipy.node import GossipNode  # pyright: ignore[reportMissingImports]
    from gossipy.simul import GossipSimulator  # pyright: ignore[reportMissingImports]

    torch.set_num_threads(1)
    features, classes = (torch.from_numpy(whole.reshape(-1, *whole.shape[2:])) for whole in data(peers))
    examples = ClassificationDataHandler(features, classes, test_size=0.0)
    dispatcher = DataDispatcher(examples, n=peers, eval_on_user=False)
    dispatcher.has_test = lambda: False
    handler = TorchModelHandler(
        LogisticRegression(FEATURES, 2), torch.optim.SGD, {"lr": LR}, torch.nn.CrossEntropyLoss(), local_epochs=0,
        batch_size=BATCH, create_model_mode=CreateModelMode.MERGE_UPDATE,
    )  # fmt: skip
    ring = StaticP2PNetwork(peers, nx.to_numpy_array(nx.cycle_graph(peers)))
    nodes = GossipNode.generate(dispatcher, ring, handler, round_len=10, sync=True)
    simulator = GossipSimulator(nodes, dispatcher, delta=10, protocol=AntiEntropyProtocol.PUSH)
    simulator.init_nodes(seed=0)
    return timed(simulator.start, 20)


def flower(peers: int) -> float:
    from flwr.client import ClientApp, NumPyClient  # pyright: ignore[reportMissingImports]
    from flwr.common import ndarrays_to_parameters  # pyright: ignore[reportMissingImports]
    from flwr.server import ServerApp, ServerAppComponents, ServerConfig  # pyright: ignore[reportMissingImports]
    from flwr.server.strategy import FedAvg  # pyright: ignore[reportMissingImports]
    from flwr.simulation import run_simulation  # pyright: ignore[reportMissingImports]

    features, classes = data(peers)
    clocks = []

    class Client(NumPyClient):
        def __init__(self, peer: int) -> None:
            self.peer = peer

        def fit(self, parameters, config):
            x, some = parameters[0], np.random.default_rng().integers(EXAMPLES, size=BATCH)
            a, b = features[self.peer][some], classes[self.peer][some]
            return [x - LR * a.T @ (1 / (1 + np.exp(-(a @ x))) - b) / BATCH], EXAMPLES, {}

    def evaluate(server_round, parameters, config):  # at the end of every round
        clocks.append(cpu_of_all())

    def server(context):
        strategy = FedAvg(
            fraction_evaluate=0,
            min_available_clients=peers,
            initial_parameters=ndarrays_to_parameters([np.zeros(FEATURES, np.float32)]),
            evaluate_fn=evaluate,
        )
        return ServerAppComponents(strategy=strategy, config=ServerConfig(num_rounds=6))

    run_simulation(
        server_app=ServerApp(server_fn=server),
        client_app=ClientApp(client_fn=lambda context: Client(int(context.node_config["partition-id"])).to_client()),
        num_supernodes=peers,
        backend_config={"client_resources": {"num_cpus": 1}},
    )
    return 1e3 * (clocks[-1] - clocks[2]) / (len(clocks) - 3)


def cpu_of_all() -> float:
    """CPU seconds so far of this process and all that it has started, by a mark in their environment."""
    ticks, mark = 0, f"COMPARE_SPEED={os.environ['COMPARE_SPEED']}".encode()
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if mark in (process / "environ").read_bytes():
                ticks += sum(map(int, (process / "stat").read_text().rpartition(")")[2].split()[11:13]))
        except OSError:  # it has ended
            continue
    return ticks / os.sysconf("SC_CLK_TCK")


def main() -> None:
    """A table: CPU milliseconds a round, and how many times ours."""
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("others", nargs="*", metavar="PACKAGE=PYTHON")
    pythons = {"dfedsam": sys.executable} | dict(other.split("=", 1) for other in asked.parse_args().others)
    for peers in PEERS:
        ours = 0.0
        for name, python in pythons.items():
            environment = os.environ | {"OMP_NUM_THREADS": "1", "COMPARE_SPEED": f"{os.getpid()}-{name}-{peers}"}
            command = [python, __file__, "--play", name, str(peers)]
            job = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=1200)
            if job.returncode:
                print(f"{name}, {peers} peers: failed\n{job.stderr[-2000:]}")
                continue
            took = float(job.stdout.split()[-1])
            ours = ours or took
            print(f"{name}, {peers} peers: {took:.2f} ms of CPU a round, {took / ours:.1f} × ours", flush=True)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--play"]:
        print(globals()[sys.argv[2]](int(sys.argv[3])))
    else:
        main()

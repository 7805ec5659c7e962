"""Prompt tuning of the real model: queries a second against the bare model, and two ranks against one."""

import time

import numpy as np

from dfedsam import DFedSAMMG, topologies
from dfedsam.communication import connect
from dfedsam.context import QueryCounter, RoundContext
from dfedsam.objectives import PromptTuning
from dfedsam.random import RandomStream
from tests.benchmarks import Row, on_ranks, seconds

PEERS = 16


class Rounds:
    """Rounds of the demo's kind, played one by one."""

    def __init__(self) -> None:
        self.topology, self.communicator = topologies.make("ring", PEERS), connect(PEERS)
        self.algorithm, block = DFedSAMMG(local_steps=1), self.communicator.block
        self.problem = PromptTuning().build(PEERS, block, 0, "float32")
        x = np.tile(self.problem.start().astype("float32"), (len(block), 1))
        self.state, self.counter = self.algorithm.init(x, self.problem), QueryCounter.zero(len(block))
        self.done = 0

    def play(self) -> None:
        """One round."""
        key = RandomStream(0, "", self.done, 0, self.communicator.block)
        whole = slice(0, len(self.communicator.block))
        weights = self.topology.weights(0)
        play = RoundContext(
            self.done, self.problem, key, self.counter, self.communicator, weights, lambda x: None, whole
        )
        self.state = self.algorithm.round(self.state, play)
        self.done += 1


def against_the_bare_model() -> Row:
    """The model alone on tensors of the shapes that a round gives it, the same threads."""
    import torch

    rounds = Rounds()
    model = rounds.problem.black_box.loaded.model  # pyright: ignore[reportAttributeAccessIssue]
    shapes: list[torch.Size] = []
    hook = model.embeddings.register_forward_pre_hook(  # sentence-transformers calls `forward`, which has no hooks
        lambda module, args, kwargs: shapes.append(kwargs["inputs_embeds"].shape), with_kwargs=True
    )
    rounds.play()
    hook.remove()
    assert shapes
    inputs = [torch.randn(shape) for shape in shapes]

    def bare() -> None:
        with torch.inference_mode():
            for tensor in inputs:
                model(inputs_embeds=tensor)

    took = seconds({"round": rounds.play, "bare": bare}, repeats=5)
    queries = PEERS * int(rounds.counter.queries[0]) / rounds.done
    return Row(
        what=f"queries of prompt tuning, 16 peers, one process, {torch.get_num_threads()} threads",
        floor="a bare loop of the model, same shapes and threads",
        ratio=took["bare"] / took["round"],
        target=0.9,
        figures=f"{queries / took['round']:.0f} against {queries / took['bare']:.0f} a second",
    )


def on_two_ranks() -> list[Row]:
    """Rounds a second on two ranks over those on one, one thread each, in turn and twice."""
    took = on_ranks(__file__, timeout=300)
    if took is None:
        return []
    return [
        Row(
            what="prompt tuning, 16 peers, two ranks of one thread",
            floor="one rank of one thread",
            ratio=took[1] / took[2],
            target=1.7,
            figures=f"{took[2]:.2f} against {took[1]:.2f} s a round",
        )
    ]


def run() -> list[Row]:
    """Both."""
    return [against_the_bare_model(), *on_two_ranks()]


if __name__ == "__main__":
    played = Rounds()
    played.play()
    shortest = float("inf")
    for _ in range(5):
        played.communicator.agree(False)
        began = time.perf_counter()
        played.play()
        played.communicator.agree(False)
        shortest = min(shortest, time.perf_counter() - began)
    if played.communicator.is_root:
        print(shortest)

"""Tunes a prompt for a small encoder; run by a test in one process and as an MPI job.

python -m tests.dfedsam.prompt_cases MODEL DATA OUT.json PLACEMENT
"""

import json
import sys
from functools import partial
from pathlib import Path

from dfedsam import DFedSAMMG, Experiment, ScoreSketch, run, topologies
from dfedsam.blackbox import DualEncoderConfig
from dfedsam.communication import connect
from dfedsam.objectives import PromptTuning, RandomProjection
from tests.dfedsam.communication.cases import drawn
from tests.results import without_clock

CASES = {
    "words, cut at peers": {"cut_at_peers": True},
    "text, cut at peers": {
        "cut_at_peers": True,
        "blackbox": DualEncoderConfig(mode="text"),
        "batch_size": 4,
        "parameters": RandomProjection(dim=9),
    },
    "words": {},
    "text": {"blackbox": DualEncoderConfig(mode="text"), "batch_size": 4},
    "score sketch": {},
}
CASES |= {f"{case}, cut at peers": {**options, "cut_at_peers": True} for case, options in CASES.items()}


def play(model: str, data: str, placement: str) -> dict[str, list[dict]]:
    """The rows of each case without the clock."""
    import torch

    torch.set_num_threads(1)
    everything = {}
    place = partial(drawn, 5) if placement == "drawn" else None
    for case, options in CASES.items():
        experiment = Experiment(
            objective=PromptTuning(data=data, words="bad, good", model=model, prompt="a film", **options),
            topology=topologies.make("ring", 5),
            algorithm=DFedSAMMG(local_steps=2, lr=0.05, **({"estimator": ScoreSketch()} if "sketch" in case else {})),
            rounds=3,
        )
        rows = run(experiment, communicator=connect(5, place)).rows
        everything[case] = without_clock(rows)
    return everything


if __name__ == "__main__":
    _, model, data, _, placement = sys.argv[:5]
    found = play(model, data, placement)
    if connect(5).is_root:
        Path(sys.argv[3]).write_text(json.dumps(found))

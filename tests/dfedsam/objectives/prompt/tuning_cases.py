"""What test_tuning.py and test_tuning_data.py share."""

import numpy as np

from dfedsam.blackbox import DualEncoderConfig
from dfedsam.objectives.prompt.parameters import FullPrompt, PromptParameters, RandomProjection
from dfedsam.objectives.prompt.problem import PromptProblem
from dfedsam.objectives.prompt.tuning import PromptTuning
from dfedsam.random import RandomStream

PEERS = 4


PARAMETERS: tuple[PromptParameters, ...] = (
    FullPrompt(),
    RandomProjection(dim=7),
    RandomProjection(dim=7, distribution="uniform", scale=3.0, sigma=0.5),
    RandomProjection(dim=7, distribution="orthonormal"),
)


def build(options: dict, block: range = range(PEERS), dtype: type = np.float64, **more) -> PromptProblem:
    box = DualEncoderConfig(**{name: more.pop(name) for name in ("mode", "scale") if name in more})
    problem = PromptTuning(**{**options, "blackbox": box, **more}).build(PEERS, block, 0, dtype)
    assert isinstance(problem, PromptProblem)
    return problem


def draws(block: range = range(PEERS), step: int = 0) -> RandomStream:
    return RandomStream(0, "minibatch", 0, step, block)


def near_start(problem: PromptProblem, *shape: int, seed: int = 0) -> np.ndarray:
    """Random points near the start, shape (*shape, dim)."""
    noise = np.random.default_rng(seed).normal(size=(*shape, problem.dim))
    return (problem.start() + 0.1 * problem.map.unit * noise).astype(problem.start().dtype)

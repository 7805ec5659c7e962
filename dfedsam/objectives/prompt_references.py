"""The reference that a black-box run is set beside: exact gradients on the pooled data, on the same parameters."""

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from dfedsam.random import generator

if TYPE_CHECKING:
    from dfedsam.objectives.prompt_problem import PromptProblem

STEPS = {"words": 150, "text": 40}
TEXT_BATCH = 32  # with the prompt at the texts every example is a pass forward and back
RATE, DECAYS = 0.01, (0.9, 0.999)


def first_order(problem: "PromptProblem") -> NDArray:
    """Adam (Kingma and Ba, 2015) with a linearly falling rate on the pooled training data, shape (dim,).

    The rate is in units of the prompt's own numbers, so that a projection's scale does not matter.
    """
    steps, rate = STEPS["text" if problem.box.reads_texts else "words"], RATE * problem.map.unit
    random = generator(problem.seed, "first-order reference")
    x = problem.map.start().astype(np.float64)
    first, second = np.zeros_like(x), np.zeros_like(x)
    for step in range(1, steps + 1):
        examples = problem.train
        if problem.box.reads_texts:
            examples = np.sort(random.permutation(examples)[:TEXT_BATCH])
        prompt = problem.map.prompts(x.astype(problem.dtype)[None])
        _, gradient = problem.box.gradients(prompt, [examples], [problem.labels[examples]])
        gradient = problem.map.back(gradient)[0].astype(np.float64)
        first = DECAYS[0] * first + (1 - DECAYS[0]) * gradient
        second = DECAYS[1] * second + (1 - DECAYS[1]) * gradient**2
        mean, spread = first / (1 - DECAYS[0] ** step), second / (1 - DECAYS[1] ** step)
        x -= rate * (1 - (step - 1) / steps) * mean / (np.sqrt(spread) + 1e-12)
    return x.astype(problem.dtype)

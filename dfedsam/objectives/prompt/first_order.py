"""The first-order reference of a black-box run."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from dfedsam.blackbox.base import BlackBox
from dfedsam.objectives.prompt.parameters import PromptMap
from dfedsam.phases import track
from dfedsam.random import generator

_STEPS, _TEXT_STEPS, _TEXT_BATCH = 150, 40, 32  # a text is a forward and backward pass
_LR = 0.01


def first_order(
    black_box: BlackBox,
    prompt_map: PromptMap,
    examples: NDArray[np.int64],
    labels: NDArray[np.int64],
    seed: int,
    dtype: np.dtype,
) -> NDArray:
    """Minimise the loss on the pooled training data by exact gradients, on the same parameters.

    Adam (Kingma and Ba, 2015) with a linearly falling learning rate, in units of the prompt's own numbers, so that a
    projection's scale does not matter.

    Args:
        black_box: one that gives gradients.
        prompt_map: the map from a vector to the prompt.
        examples: indices of the training examples, shape (n,).
        labels: classes by index.
        seed: the run's seed.
        dtype: type of the vector.

    Returns:
        The vector, shape (dim,).
    """
    import torch

    steps = _TEXT_STEPS if black_box.reads_texts else _STEPS
    rng, x = generator(seed, "first-order reference"), torch.from_numpy(prompt_map.start().astype(np.float64))
    adam = torch.optim.Adam([x], lr=_LR * prompt_map.unit, eps=1e-12)
    falling = torch.optim.lr_scheduler.LambdaLR(adam, lambda step: 1 - step / steps)
    for _ in track("first-order reference", range(steps)):
        batch = np.sort(rng.permutation(examples)[:_TEXT_BATCH]) if black_box.reads_texts else examples
        prompt = prompt_map.prompts(x.numpy().astype(dtype)[None])
        _, gradient = black_box.gradients(prompt, batch[None], labels[batch][None])
        x.grad = torch.from_numpy(prompt_map.pull_back(gradient)[0].astype(np.float64))
        adam.step()
        falling.step()
    return x.numpy().astype(dtype)

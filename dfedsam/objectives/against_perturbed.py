"""FedBPT's objective: losses on examples, each divided by that on a perturbed form of it."""

import numpy as np
from numpy.typing import NDArray
from scipy.special import log_softmax

_LEAST = 1e-6  # of a loss that another is divided by


def ratios(scores: NDArray, labels: NDArray) -> NDArray[np.float64]:
    """Mean over examples of the cross-entropy on the example divided by that on its perturbed form.

    Source: Sun et al. (2024), "FedBPT: efficient federated black-box prompt tuning for large language models". A prompt
    that makes some class likely whatever the text says gains nothing by it.

    Args:
        scores: of q prompts on b examples and then on their perturbed forms, shape (q, 2b, classes).
        labels: the examples' classes, shape (b,).

    Returns:
        Shape (q,).
    """
    own = np.tile(labels, 2)[None, :, None]
    losses = -np.take_along_axis(log_softmax(scores.astype(np.float64), axis=-1), own, axis=-1)[..., 0]
    given, perturbed = np.split(losses, 2, axis=-1)
    return (given / np.maximum(perturbed, _LEAST)).mean(axis=-1)

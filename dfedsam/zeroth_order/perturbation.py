"""The perturbation of sharpness-aware minimisation (Foret et al., 2021, equation 2), each row by itself."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def perturb(x: NDArray, direction: NDArray, rho: float) -> NDArray:
    """Take SAM's step, x + ρ v/‖v‖₂, row by row; a row whose v is zero stays where it is.

    Args:
        x: models, shape (peers, dim).
        direction: v, the gradient or a substitute, shape (peers, dim); overwritten.
        rho: ρ ≥ 0, the length of the perturbation, in units of x.

    Returns:
        The perturbed models, shape (peers, dim), in the memory of `direction`.
    """
    norms = np.sqrt(np.einsum("pd,pd->p", direction, direction))
    direction *= (rho / np.where(norms > 0, norms, 1))[:, None].astype(direction.dtype)
    direction += x
    return direction

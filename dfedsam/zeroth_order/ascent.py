"""The ascent of sharpness-aware minimisation (Foret et al., 2021, equation 2), each row by itself."""

import numpy as np
from numpy.typing import NDArray


def ascend(x: NDArray, g: NDArray, rho: float) -> NDArray:
    """x + ρ g/‖g‖₂ row by row; a row whose g is zero stays where it is.

    Args:
        x: where, shape (peers, dim).
        g: the gradient or its estimate there, shape (peers, dim); overwritten.
        rho: ρ ≥ 0, the length of the step, in units of x.

    Returns:
        The perturbed points, shape (peers, dim), in the memory of g.
    """
    norms = np.sqrt(np.einsum("pd,pd->p", g, g))
    g *= (rho / np.where(norms > 0, norms, 1))[:, None].astype(g.dtype)
    g += x
    return g

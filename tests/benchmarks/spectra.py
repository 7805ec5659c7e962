"""All figures of a topology of 100,000 peers, against scipy's `eigsh` on its W alone."""

import time
from collections.abc import Callable
from typing import TypeVar

import numpy as np
from scipy.sparse.linalg import eigsh

from dfedsam import topologies
from dfedsam.topologies.spectra.extremes import RESIDUAL
from tests.benchmarks import Row

PEERS = 100_000
T = TypeVar("T")


def timed(function: Callable[[], T]) -> tuple[float, T]:
    """Seconds of one call, and what it gave."""
    began = time.perf_counter()
    found = function()
    return time.perf_counter() - began, found


def run() -> list[Row]:
    """A random 4-regular graph, and a ring, on which no Lanczos method ends in reasonable time without an inverse.

    `eigsh` is asked for λ_min, λ₂ and the 1 that it cannot leave out (k = 3, both ends), to the same residual. All
    of `spectrum` is measured.
    """
    regular = topologies.make("random_regular", PEERS, seed=0)
    took, figures = min((timed(lambda: topologies.spectrum(regular)) for _ in range(3)), key=lambda pair: pair[0])
    options = {"which": "BE", "tol": RESIDUAL * figures["gap"], "return_eigenvectors": False}
    floor, values = timed(lambda: eigsh(regular.weights(0), k=3, **options))
    np.testing.assert_allclose(
        [float(figures["lambda_min"]), float(figures["lambda_2"])], np.sort(values)[:2], atol=1e-7
    )
    ring = topologies.make("ring", PEERS)
    took_ring, figures = min((timed(lambda: topologies.spectrum(ring)) for _ in range(3)), key=lambda pair: pair[0])
    np.testing.assert_allclose(float(figures["gap"]), 4 / 3 * np.sin(np.pi / PEERS) ** 2, rtol=1e-6)
    return [
        Row(
            what=f"spectrum of a 4-regular graph, {PEERS:,} peers",
            floor="scipy's eigsh on the same W, alone",
            ratio=took / floor,
            target=1.3,
            at_most=True,
            figures=f"{took:.2f} against {floor:.2f} s",
        ),
        Row(
            what=f"spectrum of a ring, {PEERS:,} peers",
            floor="one second",
            ratio=took_ring,
            target=10,
            at_most=True,
            figures=f"{took_ring:.2f} s",
        ),
    ]

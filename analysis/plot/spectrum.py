"""Drawing of the spectrum of W: eigenvalues by rank if W is symmetric, otherwise in the complex plane."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import Circle
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from dfedsam.analysis.plot import style


def draw_real(ax: Axes, values: NDArray[np.float64] | None, figures: Mapping[str, Any]) -> None:
    """Draw the eigenvalues of a symmetric W by rank, with the gap shaded.

    Args:
        ax: axes to draw on.
        values: all eigenvalues, falling, shape (n,); None: only the first, the second and the last are drawn.
        figures: metrics of `topologies.spectrum`.
    """
    n, modulus, gap = figures["n"], figures["lambda"], figures["gap"]
    what = "eigenvalues of W"
    if values is None:
        what = "first, second and last eigenvalue of W"
        ranks, values = np.array([1, 2, n]), np.array([1, figures["lambda_2"], figures["lambda_min"]])
    else:
        ranks = np.arange(1, n + 1)
    ax.axhspan(modulus, 1, color=style.COLOURS[1], alpha=0.3, linewidth=0)
    right: dict[str, Any] = {"xycoords": ax.get_yaxis_transform(), "ha": "left", "va": "center", "fontsize": 7}
    for level, letter in ((modulus, "λ"), (-modulus, "−λ" if modulus > 0.05 else "")):  # clear of each other
        ax.axhline(level, color=style.COLOURS[4], linewidth=0.8, linestyle=(0, (4, 2)), zorder=1)
        ax.annotate(letter, (1.01, level), color=style.COLOURS[4], **right)
    if gap > 0.1:
        ax.annotate("gap", (0.94, 1 - gap / 2), **right)
    slowest = 1 if abs(values[1]) >= abs(values[-1]) else len(values) - 1
    rest = np.delete(np.arange(1, len(values)), slowest - 1)
    size = float(np.clip(900 / len(values), 2, 20))
    ax.scatter(ranks[rest], values[rest], s=size, color=style.COLOURS[0], linewidths=0, zorder=3)
    slow: dict[str, Any] = {"marker": "D", "color": style.COLOURS[4], "label": "slowest mode"}
    ax.scatter(ranks[slowest], values[slowest], s=max(1.6 * size, 18), linewidths=0, zorder=4, **slow)
    ax.scatter(1, 1, s=max(size, 14), **_MEAN)
    low = min(figures["lambda_min"], -modulus, 0)
    ax.set_ylim(low - 0.24 * (1 - low), 1 + 0.06 * (1 - low))  # room for the legend below
    ax.legend(loc="lower left", ncols=2, handlelength=1, columnspacing=1.2, borderaxespad=0.1)
    ticks = MaxNLocator(integer=True).tick_values(1, n)
    ax.set_xticks([1, *ticks[(ticks > 1) & (ticks <= n)]])  # there is no rank 0
    ax.set_xlabel("rank")
    ax.set_ylabel(what)
    about = "about " if "effective_neighbours" in figures["approximate"] else ""
    size_of = f"{modulus:.4g}" if gap > 1e-3 or gap <= 0 else f"1 − {gap:.3g}"
    ax.set_title(
        f"λ = {size_of}, gap {gap:.3g}, smallest eigenvalue {signed(figures['lambda_min'])}\n"
        f"effective neighbours {about}{figures['effective_neighbours']:.3g}"
    )


def draw_complex(ax: Axes, values: NDArray[np.complex128], figures: Mapping[str, Any]) -> None:
    """Draw the eigenvalues of any W in the complex plane, within the unit circle and that of radius ρ.

    Args:
        ax: axes to draw on.
        values: all eigenvalues, shape (n,), the 1 of the mean among them.
        figures: metrics of `topologies.spectrum`.
    """
    first = int(np.argmin(np.abs(values - 1)))
    real, imaginary, modulus = (np.delete(part, first) for part in (values.real, values.imag, np.abs(values)))
    rho = float(modulus.max())
    turn = np.linspace(0, 2 * np.pi, 200)
    ax.plot(np.cos(turn), np.sin(turn), color=style.GREY, linewidth=0.6, zorder=1)
    ax.add_patch(Circle((0, 0), 1, facecolor=style.COLOURS[1], alpha=0.3, linewidth=0, zorder=0))
    ax.add_patch(Circle((0, 0), rho, facecolor="white", edgecolor="none", zorder=0.5))
    dashes: dict[str, Any] = {"color": style.COLOURS[4], "linewidth": 0.8, "linestyle": (0, (4, 2))}
    ax.plot(rho * np.cos(turn), rho * np.sin(turn), zorder=1, **dashes)
    slow = modulus >= rho - 1e-9
    size = float(np.clip(900 / len(values), 2, 20))
    ax.scatter(real[~slow], imaginary[~slow], s=size, color=style.COLOURS[0], linewidths=0, zorder=3)
    label = "slowest modes" if slow.sum() > 1 else "slowest mode"
    mark: dict[str, Any] = {"marker": "D", "color": style.COLOURS[4], "label": f"{label}, ρ = {rho:.3g}"}
    ax.scatter(real[slow], imaginary[slow], s=max(1.6 * size, 18), linewidths=0, zorder=4, **mark)
    agreed = {"label": "where peers agree, not their mean"} if figures["biased"] else {}
    ax.scatter(1, 0, s=max(size, 14), **{**_MEAN, **agreed})
    ax.set_aspect("equal")
    ax.set_xlim(-1.1, 1.1)
    ax.set_ylim(-1.1, 1.1)
    ax.set_xlabel("real part of the eigenvalues of W")
    ax.set_ylabel("imaginary part")
    ax.legend(loc="upper center", bbox_to_anchor=(0.5, -0.17), ncols=2, handlelength=1, columnspacing=1.2)
    gap = "" if figures["gap"] is None else f", gap {figures['gap']:.3g}"
    note = _NOTES.get(figures["sums"], "")
    ax.set_title(f"ρ = {rho:.4g}, σ₂ = {figures['sigma_2']:.4g}{gap}" + (f"\n{note}" if note else ""))


def signed(value: float) -> str:
    """Format with three digits, rounding errors as zero, and a true minus."""
    return f"{0.0 if abs(value) < 1e-12 else value:.3g}".replace("-", "−")


_NOTES = {"rows": "biased: only rows sum to one", "columns": "only columns sum to one: for push-sum"}
_MEAN: dict[str, Any] = {
    "marker": "s",
    "facecolors": "white",
    "edgecolors": "black",
    "label": "the mean, which gossip preserves",
    "linewidths": 0.8,
    "zorder": 3,
}

"""Drawing of a topology: its graph and the spectrum of W, or its first rounds and the speed of consensus."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import networkx as nx
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure, SubFigure
from matplotlib.patches import Circle
from matplotlib.ticker import MaxNLocator
from numpy.typing import ArrayLike, NDArray

from dfedsam.analysis.plot import style
from dfedsam.analysis.plot.consensus import EXACT, ROUNDING, gossip_errors
from dfedsam.analysis.plot.graph import draw_graph, layout
from dfedsam.topologies import Topology, eigenvalues, spectrum
from dfedsam.topologies.make import make

ALL = 2000  # peers up to which every eigenvalue is drawn; above, only the ends of the spectrum
_ROUNDS = 8  # maximum of rounds drawn of a schedule
_MANY = 100  # peers above which fewer rounds are drawn
_NOTES = {"rows": "biased: only rows sum to one", "columns": "only columns sum to one: for push-sum"}
_MEAN: dict[str, Any] = {"marker": "s", "facecolors": "white", "edgecolors": "black", "linewidths": 0.8, "zorder": 3}
_MEAN["label"] = "the mean, which gossip preserves"


def draw_topology(topology: Topology) -> Figure:
    """Draw a topology, as wide as a page.

    A static topology is shown by its graph and the eigenvalues of W, by rank or, if W is not symmetric, in the complex
    plane. A schedule is shown by the graphs of its first rounds and the remaining distance from the mean after t
    rounds.

    Raises:
        ValueError: if W is not symmetric and has more than ALL peers, since all eigenvalues would take too long.
    """
    figures = spectrum(topology)
    if topology.period != 1:
        return _draw_schedule(topology, figures)
    W, values = topology.weights(0), None
    if figures["lambda_min"] is None:
        if topology.n > ALL:
            rule = (
                f"to draw the eigenvalues of a W that is not symmetric it must have at most {ALL}; draw a smaller one"
            )
            raise ValueError(f"topology has {topology.n} peers: {rule}")
        values = np.linalg.eigvals(W.toarray())
    elif topology.n <= ALL:
        values = eigenvalues(W)
    return draw_static(topology.graph(0), figures, values, name=name(topology))


def draw_static(
    graph: nx.Graph, figures: Mapping[str, Any], values: ArrayLike | None, *, name: str = "topology"
) -> Figure:
    """Draw a graph and the spectrum of its W.

    Args:
        graph: peers 0..n-1.
        figures: as `topologies.spectrum` gives them, or "spectrum" of topology.json.
        values: eigenvalues of W, shape (n,): falling, or complex if W is not symmetric; None: only the first two and
            the last are drawn.
        name: name in the title.
    """
    with style.rc_context():
        figure = style.new_figure(style.PAGE, 3.1)
        left, right = figure.subplots(1, 2, width_ratios=(1, 1.1))
        draw_graph(left, graph)
        far = "" if figures["diameter"] is None else f", diameter {figures['diameter']}"
        count = f"{len(graph)} peers, {graph.number_of_edges()} edges"
        left.set_title(f"{style.plain(name)}: {count}\n{_degrees(graph)}{far}")
        if figures["lambda_min"] is None:
            _draw_complex(right, np.asarray(values, dtype=np.complex128), figures)
        else:
            _draw_real(right, None if values is None else np.asarray(values, dtype=np.float64), figures)
    return figure


def _draw_real(ax: Axes, values: NDArray[np.float64] | None, figures: Mapping[str, Any]) -> None:
    """Draw the eigenvalues of a symmetric W by rank, with the gap shaded; without values the first two and the last."""
    n, modulus, gap = figures["n"], figures["lambda"], figures["gap"]
    ranks, what = np.arange(1, n + 1), "eigenvalues of W"
    if values is None:
        ranks, what = np.array([1, 2, n]), "first, second and last eigenvalue of W"
        values = np.array([1, figures["lambda_2"], figures["lambda_min"]])
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
    ticks = np.asarray(MaxNLocator(integer=True).tick_values(1, n))
    ax.set_xticks([1, *ticks[(ticks > 1) & (ticks <= n)]])  # there is no rank 0
    ax.set_xlabel("rank")
    ax.set_ylabel(what)
    about = "about " if "effective_neighbours" in figures["approximate"] else ""
    size_of = f"{modulus:.4g}" if gap > 1e-3 or gap <= 0 else f"1 − {gap:.3g}"
    smallest = f"{round(figures['lambda_min'], 12) + 0.0:.3g}".replace("-", "−")
    neighbours = f"effective neighbours {about}{figures['effective_neighbours']:.3g}"
    ax.set_title(f"λ = {size_of}, gap {gap:.3g}, smallest eigenvalue {smallest}\n{neighbours}")


def _draw_complex(ax: Axes, values: NDArray[np.complex128], figures: Mapping[str, Any]) -> None:
    """Draw the eigenvalues of any W in the complex plane, within the unit circle and that of radius ρ."""
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


def name(topology: Topology) -> str:
    """The name of a topology: that of its graph or, without one, of its builder."""
    known = topology.graph(0).graph.get("name") if topology.period == 1 else None
    built = (topology.description or {}).get("class_path", "topology").rpartition(".")[2]
    return str(known or built).replace("_", " ")


def _degrees(graph: nx.Graph) -> str:
    if isinstance(graph, nx.DiGraph):
        out, into = ({degree for _, degree in degrees} for degrees in (graph.out_degree(), graph.in_degree()))
        return f"each sends to {_range(out)}, receives from {_range(into)}"
    degrees = {degree for _, degree in graph.degree()}
    return f"degree{'s' if len(degrees) > 1 else ''} {_range(degrees)}"


def _range(values: set[int]) -> str:
    low, high = min(values), max(values)
    return f"{low}" if low == high else f"{low} to {high}"


def _draw_schedule(topology: Topology, figures: Mapping[str, Any]) -> Figure:
    with style.rc_context():
        figure = style.new_figure(style.PAGE, 3.1)
        ((left, right),) = figure.subfigures(1, 2, width_ratios=(1.15, 1), squeeze=False)
        _draw_rounds(left, topology, _schedule_title(topology, figures))
        _draw_errors(right.subplots(), topology, figures)
    return figure


def _schedule_title(topology: Topology, figures: Mapping[str, Any]) -> str:
    sent = figures["degree_round_mean"]
    when = "W redrawn in each round" if topology.period is None else f"period {topology.period}"
    if (topology.period or 0) > _ROUNDS and topology.n <= _MANY:
        when += f", the first {_ROUNDS} shown"
    messages = f"{sent:.3g} message{'' if sent == 1 else 's'} per peer and round"
    return f"{style.plain(name(topology))}: {topology.n} peers, {when}\n{messages}"


def _draw_rounds(figure: Figure | SubFigure, topology: Topology, title: str) -> None:
    """Draw the graphs of the first rounds, at most a period and _ROUNDS, with peers at the same positions.

    Above _MANY peers four rounds are drawn, spread over the period, by the places of their W's entries.
    """
    if topology.n > _MANY:
        _draw_matrices(figure, topology, title)
        return
    whole = _whole(topology)
    points = layout(whole)
    count = min(topology.period or _ROUNDS, _ROUNDS)
    columns = count if count <= 3 else (count + 1) // 2
    rows = -(-count // columns)
    panels = figure.subplots(rows, columns, squeeze=False).ravel()
    for ax in panels[count:]:
        ax.axis("off")
    for t, ax in zip(range(count), panels, strict=False):
        graph, present = topology.graph(t).copy(), topology.participants(t)
        graph.graph.update(whole.graph)
        absent: NDArray[np.bool_] | None = None if present is None else ~present
        draw_graph(ax, graph, points, absent=absent, scale=1.3 / max(rows, columns, 1.3))
        ax.set_title(f"t = {t}", fontsize=7, pad=2)
    figure.suptitle(title, fontsize=8)


def _draw_matrices(figure: Figure | SubFigure, topology: Topology, title: str) -> None:
    """Draw who receives from whom in four rounds spread over the period, with how far around the ring that is."""
    n = topology.n
    last = (topology.period or 4) - 1
    rounds = np.unique(np.linspace(0, last, 4).astype(int))
    panels = figure.subplots(2, 2, sharex=True, sharey=True, squeeze=False)
    for ax in panels.ravel()[len(rounds) :]:
        ax.axis("off")
    for t, ax in zip(rounds.tolist(), panels.ravel(), strict=False):
        W = topology.weights(t).tocoo()
        sent = (W.row != W.col) & (W.data != 0)
        receivers, senders = W.row[sent], W.col[sent]
        ax.scatter(senders, receivers, s=0.5, color=style.COLOURS[0], linewidths=0, rasterized=len(senders) > 10_000)
        around = np.abs(receivers - senders)
        hops = np.unique(np.minimum(around, n - around))
        distance = "" if not len(hops) else f", distance {_range(set(hops.tolist()))}"
        ax.set_title(f"t = {t}{distance}", fontsize=style.scaled(7), pad=2)
        ax.set(xlim=(-0.5, n - 0.5), ylim=(n - 0.5, -0.5), aspect="equal", xticks=[], yticks=[])
        ax.spines[:].set_visible(True)
    for ax in panels[-1]:
        ax.set_xlabel("sender")
    for ax in panels[:, 0]:
        ax.set_ylabel("receiver")
    figure.suptitle(title, fontsize=style.scaled(8))


def _whole(topology: Topology) -> nx.Graph:
    """A graph whose layout suits all rounds: the underlying graph of a schedule, or a ring."""
    options = (topology.description or {}).get("init_args", {})
    if "topology" in options:
        inner = make(options["topology"], topology.n, options.get("seed"))
        return inner.graph(0) if inner.period == 1 else _whole(inner)
    return nx.cycle_graph(topology.n)


def _draw_errors(ax: Axes, topology: Topology, figures: Mapping[str, Any]) -> None:
    """Draw the remaining distance from the mean after t rounds, and the slope that theory predicts."""
    errors, worst = gossip_errors(topology), topology.n <= EXACT
    last, exact = len(errors) - 1, errors[-1] < ROUNDING
    label = "$\\|W_{t-1} \\cdots W_0 - J\\|$" if worst else "random starts, root mean square"
    if topology.sums == "columns":
        label = "push-sum, $z_t = x_t / w_t$"
    ax.plot(errors, color=style.COLOURS[0], label=label, marker="o" if last <= 60 else "", markersize=2.5)
    rate = figures["lambda"]
    if exact:
        ax.set_ylim(-0.02, 1.08)
        ax.set_title(f"exact after {last} round{'s' if last > 1 else ''}")
    else:
        ax.set_yscale("log")
        ax.set_title(f"{errors[-1]:.1g} of the distance remains after {last} rounds")
    if rate is not None and not exact:
        slope: dict[str, Any] = {"color": style.COLOURS[4], "linewidth": 1, "linestyle": (0, (4, 2))}
        about = "\\approx" if "lambda" in figures["approximate"] else "="
        theory = f"$\\lambda^t$, $\\lambda = {_formula(topology)} {about} {rate:.4g}$"
        ax.plot([0, last], rate ** np.array([0, last]), label=theory, **slope)
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    ax.set_xlabel("gossip rounds t")
    ax.set_ylabel("distance from the mean")
    ax.legend(loc="lower left", handlelength=2.2)


def _formula(topology: Topology) -> str:
    """The formula of λ for a schedule of this kind."""
    if topology.sums != "both":
        return "\\rho"
    if topology.period is None:
        return "\\sqrt{\\lambda_{max}(E[W^TW] - J)}"
    return "\\|W_{\\tau-1} \\cdots W_0 - J\\|^{1/\\tau}"

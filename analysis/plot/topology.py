"""Drawing of a topology: its graph and the spectrum of W, or its first rounds and the speed of consensus."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import networkx as nx
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure, SubFigure
from matplotlib.ticker import MaxNLocator
from numpy.typing import ArrayLike, NDArray

from dfedsam.analysis.plot import style
from dfedsam.analysis.plot.consensus import EXACT, ROUNDING, gossip_errors
from dfedsam.analysis.plot.graph import draw_graph, layout
from dfedsam.analysis.plot.spectrum import draw_complex, draw_real
from dfedsam.topologies import Topology, eigenvalues, spectrum
from dfedsam.topologies.make import make

ALL = 2000  # peers up to which every eigenvalue is drawn; above, only the ends of the spectrum
_ROUNDS = 8  # maximum of rounds drawn of a schedule
_MANY = 100  # peers above which fewer rounds are drawn


def draw_topology(topology: Topology) -> Figure:
    """Draw a topology.

    A static topology is shown by its graph and the eigenvalues of W, by rank or, if W is not symmetric, in the complex
    plane. A schedule is shown by the graphs of its first rounds and the remaining distance from the mean after t
    rounds.

    Returns:
        A figure as wide as a page; `style.save` writes it.

    Raises:
        ValueError: if W is not symmetric and has more than ALL peers, since all eigenvalues would take too long.
    """
    figures = spectrum(topology)
    if topology.period != 1:
        return _draw_schedule(topology, figures)
    W, values = topology.weights(0), None
    if figures["lambda_min"] is None:
        if topology.n > ALL:
            raise ValueError(
                f"topology has {topology.n} peers: to draw the eigenvalues of a W that is not symmetric it must have "
                f"at most {ALL}; draw a smaller one"
            )
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
        values: eigenvalues of W, shape (n,): falling, or complex if W is not symmetric; None: only the extreme ones are
            drawn.
        name: name in the title.
    """
    with style.rc_context():
        figure = style.new_figure(style.PAGE, 3.1)
        left, right = figure.subplots(1, 2, width_ratios=(1, 1.1))
        draw_graph(left, graph)
        far = "" if figures["diameter"] is None else f", diameter {figures['diameter']}"
        title = f"{style.plain(name)}: {len(graph)} peers, {graph.number_of_edges()} edges\n{_degrees(graph)}{far}"
        left.set_title(title)
        if figures["lambda_min"] is None:
            draw_complex(right, np.asarray(values, dtype=np.complex128), figures)
        else:
            draw_real(right, None if values is None else np.asarray(values, dtype=np.float64), figures)
    return figure


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

"""A topology on paper: its graph beside the spectrum of its W, or its rounds beside how its peers come to agree."""

from typing import Any

import networkx as nx
import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from dfedsam.analysis import style
from dfedsam.analysis.graph_panel import draw_graph
from dfedsam.analysis.schedule_panels import MANY, MOST, draw_errors, draw_rounds
from dfedsam.analysis.spectrum_panel import draw_complex, draw_real
from dfedsam.topologies import eigenvalues, spectrum
from dfedsam.topologies.topology import Topology

ALL = 2000  # peers up to which every eigenvalue is drawn; above, only the ends of the spectrum


def draw(topology: Topology) -> Figure:
    """Draw a topology.

    One W for all rounds: its graph, beside the eigenvalues of W, by rank or, where W is not symmetric, in the complex
    plane. Otherwise: the graphs of its first rounds, beside what t rounds leave of the distance from the mean.

    Returns:
        A figure of the width of a page; `analysis.style.save` writes it.

    Raises:
        ValueError: if W is not symmetric and has more than ALL peers, since then all eigenvalues would take too long.
    """
    with style.styled():
        figure = style.new_figure(style.PAGE, 3.1)
        figures = spectrum(topology)
        if topology.period == 1:
            _draw_static(figure, topology, figures)
        else:
            ((left, right),) = figure.subfigures(1, 2, width_ratios=(1.15, 1), squeeze=False)
            draw_rounds(left, topology, _schedule_title(topology, figures))
            draw_errors(right.subplots(), topology, figures)
    return figure


def name(topology: Topology) -> str:
    """What a topology is called: by its graph, else by what built it."""
    known = topology.graph(0).graph.get("name") if topology.period == 1 else None
    built = (topology.description or {}).get("class_path", "topology").rpartition(".")[2]
    return str(known or built).replace("_", " ")


def _draw_static(figure: Figure, topology: Topology, figures: dict[str, Any]) -> None:
    graph = topology.graph(0)
    left, right = figure.subplots(1, 2, width_ratios=(1, 1.1))
    draw_graph(left, graph)
    far = "" if figures["diameter"] is None else f", diameter {figures['diameter']}"
    left.set_title(f"{name(topology)}: {len(graph)} peers, {graph.number_of_edges()} edges\n{_degrees(graph)}{far}")
    if figures["lambda_min"] is not None:
        draw_real(right, eigenvalues(topology.weights(0)) if topology.n <= ALL else None, figures)
    else:
        draw_complex(right, _all_eigenvalues(topology), figures)


def _all_eigenvalues(topology: Topology) -> NDArray[np.complex128]:
    if topology.n > ALL:
        raise ValueError(
            f"topology has {topology.n} peers: to draw the eigenvalues of a W that is not symmetric it must have at "
            f"most {ALL}; draw a smaller one"
        )
    return np.linalg.eigvals(topology.weights(0).toarray()).astype(np.complex128)


def _schedule_title(topology: Topology, figures: dict[str, Any]) -> str:
    sent = figures["degree_round_mean"]
    when = "drawn afresh in each round" if topology.period is None else f"period {topology.period}"
    if (topology.period or 0) > MOST and topology.n <= MANY:
        when += f", the first {MOST} shown"
    messages = f"{sent:.3g} message{'' if sent == 1 else 's'} a peer and round"
    return f"{name(topology)}: {topology.n} peers, {when}\n{messages}"


def _degrees(graph: nx.Graph) -> str:
    if isinstance(graph, nx.DiGraph):
        out, into = ({degree for _, degree in degrees} for degrees in (graph.out_degree(), graph.in_degree()))
        return f"each sends to {_range(out)}, hears {_range(into)}"
    degrees = {degree for _, degree in graph.degree()}
    return f"degree{'s' if len(degrees) > 1 else ''} {_range(degrees)}"


def _range(values: set[int]) -> str:
    low, high = min(values), max(values)
    return f"{low}" if low == high else f"{low} to {high}"

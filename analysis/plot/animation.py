"""An animation of consensus on the drawn graph."""

from __future__ import annotations

from itertools import islice
from pathlib import Path

import numpy as np
from matplotlib.animation import FuncAnimation, PillowWriter
from matplotlib.collections import PathCollection

from dfedsam.analysis.plot import style
from dfedsam.analysis.plot.consensus import gossip
from dfedsam.analysis.plot.graph import draw_graph
from dfedsam.analysis.plot.topology import name
from dfedsam.topologies import Topology


def animate(topology: Topology, path: Path, rounds: int = 40) -> None:
    """Write a GIF of how the peers' values reach consensus by gossip alone, a frame per round.

    The values are independent normal at first; the graph is that of round 0.
    """
    start = np.random.default_rng(0).standard_normal(topology.n)
    values = np.array(list(islice(gossip(topology, start), rounds + 1)))
    distance = np.linalg.norm(values - values.mean(axis=1, keepdims=True), axis=1)
    with style.rc_context():
        figure = style.new_figure(style.COLUMN, 3.6)
        above, below = figure.subplots(2, 1, height_ratios=(3, 1))
        graph = topology.graph(0)
        draw_graph(above, graph)
        for number in list(above.texts):
            number.remove()
        (peers,) = (item for item in above.collections if isinstance(item, PathCollection))
        peers.set_cmap("cividis")
        limit = float(np.abs(values[0]).max())
        peers.set_clim(-limit, limit)
        figure.colorbar(peers, ax=above, label="value", shrink=0.8)
        below.semilogy(np.maximum(distance / distance[0], 1e-16), color=style.COLOURS[0])
        below.set_xlabel("gossip round")
        below.set_ylabel("distance\nfrom the mean")
        (here,) = below.plot([], [], marker="o", color=style.COLOURS[4])

        def frame(t: int) -> tuple:
            peers.set_array(values[t])
            here.set_data([t], [max(distance[t] / distance[0], 1e-16)])
            above.set_title(f"{name(topology)}: round {t}")
            return peers, here

        frame(0)
        figure.draw_without_rendering()  # the layout is computed once, so that nothing moves between frames
        figure.set_layout_engine("none")
        moving = FuncAnimation(figure, frame, frames=rounds + 1, blit=False)
        moving.save(str(path), writer=PillowWriter(fps=8), dpi=110)

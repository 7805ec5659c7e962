"""An animation of consensus on the drawn graph."""

from __future__ import annotations

from itertools import islice
from pathlib import Path

import numpy as np
from matplotlib.animation import FFMpegWriter, FuncAnimation, PillowWriter
from matplotlib.collections import PathCollection

from dfedsam.analysis.plot import style
from dfedsam.analysis.plot.consensus import gossip
from dfedsam.analysis.plot.graph import draw_graph
from dfedsam.analysis.plot.topology import name
from dfedsam.errors import OptionError
from dfedsam.topologies import Topology

_WRITERS = {".gif": PillowWriter, ".mp4": FFMpegWriter}
ROUNDS = 40


def animate(topology: Topology, path: Path | str, rounds: int = ROUNDS, seed: int = 0, fps: int = 8) -> Path:
    """Animate how the peers' random values reach consensus by gossip alone, a frame per round; returns the file.

    Args:
        topology: the graph of its round 0 is drawn; its W_t do the gossip.
        path: a .gif, or a .mp4 if ffmpeg is installed.
        rounds: frames after the first, at least 1.
        seed: seed of the initial values, which are independent normal.
        fps: frames per second.

    Raises:
        OptionError: if the suffix is wrong, ffmpeg is missing, or rounds is below 1.
    """
    path = Path(path)
    if path.suffix not in _WRITERS:
        raise OptionError("out", path, f"must end in {' or '.join(_WRITERS)}", "rename it")
    if not _WRITERS[path.suffix].isAvailable():
        raise OptionError("out", path, "must end in .gif, since ffmpeg is not installed", "install it for .mp4")
    if rounds < 1:
        raise OptionError("rounds", rounds, "must be at least 1")
    start = np.random.default_rng(seed).standard_normal(topology.n)
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
        path.parent.mkdir(parents=True, exist_ok=True)
        moving = FuncAnimation(figure, frame, frames=rounds + 1, blit=False)
        moving.save(str(path), writer=_WRITERS[path.suffix](fps=fps), dpi=110)
    return path

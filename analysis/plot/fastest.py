"""Which runs of a study reach the target first, at which bandwidth, latency and slowness of some peers, drawn.

Rounds to the target do not depend on time, as long as nothing is lost. So it is enough to add up the seconds of these
rounds: the recursion of a neighbourhood's wait, t_i ← max over j in N(i) and i of t_j + d(j, i), with the links
`uniform` and the profile `two_point` of the simulator's clock.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import product
from textwrap import fill
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from numpy.typing import NDArray

from dfedsam.analysis.plot.points import evenly
from dfedsam.analysis.plot.style import COLOURS, PAGE, new_figure, plain, rc_context, scaled
from dfedsam.analysis.read import labels
from dfedsam.analysis.read.runs import Study
from dfedsam.analysis.summary import FACET, aggregate, best_rates
from dfedsam.random import generator

BANDWIDTHS = (1e6, 1e7, 1e8, 1e9)  # bits per second of a peer
LATENCIES = (1e-3, 1e-2, 1e-1)  # seconds
FACTORS = (1.0, 10.0)  # how much longer a tenth of the peers computes
QUERY = 0.01  # seconds of a query
_SLOW = 0.1
_WORK = 3e8  # message times of a cell that are added up at most
_MOST_FACETS = 3  # drawn
_TINT = 0.3  # share of a run's colour in that of its cell, on which black letters are read
_LETTERS = 13  # of a name in a line

Edges = tuple[NDArray[np.intp], NDArray[np.intp]]
"""Senders and receivers of a gossip step's messages, sorted by receiver, shape (m,) each."""


class Points(NamedTuple):
    """Points at which runs are timed, arrays of shape (points,): bits per second, seconds, and a factor."""

    bandwidth: NDArray[np.float64]
    latency: NDArray[np.float64]
    factor: NDArray[np.float64]


GRID = Points(*np.array(list(product(BANDWIDTHS, LATENCIES, FACTORS))).T)


def times_to_target(
    study: Study, summary: pd.DataFrame, edges: Callable[[str], Callable[[int], Edges]]
) -> pd.DataFrame:
    """Seconds to the target of each cell at each point of GRID.

    A peer computes QUERY seconds for each query, and sends all messages of a gossip step at once, which share its
    bandwidth. Left out are runs without gossip (asynchronous ones, servers), those that have lost messages to time, and
    what would take too long to add up. `edges` gives those of a run's gossip by round, or raises ValueError.

    Returns:
        Columns: facet (which runs are compared), label, name (for people), topology, rounds, bandwidth, latency,
        factor, seconds, and fastest: whether no other run of the facet is faster.

    Raises:
        ValueError: if there are no two cells to compare.
    """
    parts = []
    for facet, cells in _facets(study, summary):
        names, _ = labels.legend([_untimed(study.settings[run]) for run in cells["run"]], list(cells["label"]))
        for name, cell in zip(names, cells.to_dict("records"), strict=True):
            seconds = _seconds(cell, edges)
            if seconds is not None:
                known = {"label": cell["label"], "name": name, "topology": cell["topology"]}
                known |= {"rounds": cell["rounds_to"], **GRID._asdict(), "seconds": seconds}
                parts.append(pd.DataFrame({"facet": facet, **known}))
    table = pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=["facet", "label"])
    compared = table[table.groupby("facet")["label"].transform("nunique") > 1].reset_index(drop=True)
    if compared.empty:
        raise ValueError("no two synchronous runs of one kind have reached the target")
    least = compared.groupby(["facet", *Points._fields])["seconds"].transform("min")
    return compared.assign(fastest=compared["seconds"] == least)


def seconds_of_rounds(
    n: int, edges: Callable[[int], Edges],
    *, rounds: int, steps: int, size: float, compute: float, seed: int, points: Points = GRID,
) -> NDArray[np.float64]:  # fmt: skip
    """Seconds until the slowest of n peers has done its rounds, shape (points,).

    Args:
        n: peers.
        edges: of the gossip of round t.
        rounds: how many.
        steps: gossip steps Q a round.
        size: bytes of a message.
        compute: seconds a round of a peer that is not slow.
        seed: of the run; it decides who is slow.
        points: where.
    """
    slow = generator(seed, "slow peers").permutation(n)[: round(_SLOW * n)]
    compute_seconds = np.full((n, len(points.factor)), compute)
    compute_seconds[slow] *= points.factor
    ready = np.zeros_like(compute_seconds)
    for t in range(rounds):
        senders, receivers = edges(t)
        ready = ready + compute_seconds
        if not len(senders):
            continue
        sent, heard = np.bincount(senders, minlength=n), np.bincount(receivers, minlength=n)
        busiest = np.maximum(sent[senders], heard[receivers])[:, None]
        delays = points.latency + busiest * 8 * size / points.bandwidth
        heads, starts = np.unique(receivers, return_index=True)
        for _ in range(steps):
            arrived = np.maximum.reduceat(ready[senders] + delays, starts)
            ready[heads] = np.maximum(ready[heads], arrived)
    return ready.max(axis=0)


def fastest(table: pd.DataFrame) -> list[str]:
    """Sentences on who is fastest in each facet, from the result of `times_to_target`."""
    texts = []
    for facet, part in table.groupby("facet", sort=False):
        counts = part.loc[part["fastest"], "name"].value_counts()
        points = len(part.drop_duplicates(list(Points._fields)))
        shares = [f"{name} at {count}" for name, count in counts.items()]
        texts.append(f"{facet}: {', '.join(shares)} of {points} points".removeprefix(": "))
    return texts


def on_own_clocks(summary: pd.DataFrame) -> list[str]:
    """Sentences on which topology reached the target first by the runs' clocks, if any, for each number of peers."""
    cells = aggregate(best_rates(summary), ("seconds_to",), log=False)
    cells = cells[np.isfinite(cells["seconds_to"]) & (cells["seconds_to"] > 0)]
    texts, several = [], cells["algorithm"].nunique() > 1
    for peers, part in cells.groupby("peers"):
        first = part.loc[part["seconds_to"].idxmin()]
        size = f"{peers} peers: " if cells["peers"].nunique() > 1 else ""
        name = f"{first['topology']} with {first['algorithm']}" if several else first["topology"]
        texts.append(f"{size}{name} after {first['seconds_to']:.3g} s")
    return texts


def _facets(study: Study, summary: pd.DataFrame) -> Iterator[tuple[str, pd.DataFrame]]:
    """The cells that are compared with each other, with what they share in words."""
    cells = aggregate(best_rates(summary), ("rounds_to",), log=False)
    cells = cells[np.isfinite(cells["rounds_to"]) & (cells["rounds_to"] > 0)]
    cells = cells[np.array([_is_timed(study, run) for run in cells["run"]], dtype=bool)]
    untimed = [json.dumps(_untimed(study.settings[run]), sort_keys=True, default=str) for run in cells["run"]]
    cells = cells[~pd.Series(untimed, cells.index).duplicated()]  # runs that differ in their clocks alone
    keys = [name for name in ("peers", *FACET) if name in cells and cells[name].notna().any()]
    varying = [name for name in keys if cells[name].nunique() > 1]
    for _, part in cells.groupby(keys, dropna=False):
        yield ", ".join(_in_words(name, part.iloc[0]) for name in varying), part


def _in_words(name: str, cell: pd.Series) -> str:
    value = labels.value_text(cell[name])
    if name == "heterogeneity":
        return f"{cell['heterogeneity_of']} = {value}"
    return f"{value} peers" if name == "peers" else value


def _is_timed(study: Study, run: str) -> bool:
    """Whether a run has rounds of gossip, none of whose messages are lost because they are late."""
    return bool(study.topologies[run].get("gossip")) and study.settings[run].get("clock.wait") != "fastest_m"


def _untimed(settings: labels.Settings) -> labels.Settings:
    return {key: value for key, value in settings.items() if key.split(".")[0] not in ("clock", "until")}


def _seconds(cell: Mapping[Any, Any], edges: Callable[[str], Callable[[int], Edges]]) -> NDArray[np.float64] | None:
    """Of a cell at each point of GRID; None if its edges are not known, or it takes too long."""
    run, rounds = str(cell["run"]), round(cell["rounds_to"])
    steps = int(cell["steps"]) if pd.notna(cell["steps"]) else 1
    n, degree, queries = int(cell["peers"]), float(cell["degree_round_mean"] or 0), cell["queries_end"] / cell["round"]
    if not degree or n * degree * rounds * steps * len(GRID.factor) > _WORK:
        return None
    size = cell["bytes_end"] / (cell["round"] * steps * degree)
    compute, seed = QUERY * max(queries, 1), int(cell["seed"] or 0)
    try:
        return seconds_of_rounds(n, edges(run), rounds=rounds, steps=steps, size=size, compute=compute, seed=seed)
    except ValueError:
        return None


def sorted_edges(pairs: Sequence[tuple[int, int]] | NDArray[np.integer], *, directed: bool) -> Edges:
    """Edges from pairs of different peers, each from the first to the second and, unless directed, back."""
    table = np.asarray(pairs, dtype=np.intp).reshape(-1, 2)
    table = table if directed else np.concatenate([table, table[:, ::-1]])
    table = table[table[:, 0] != table[:, 1]]
    table = table[np.argsort(table[:, 1], kind="stable")]
    return table[:, 0], table[:, 1]


def draw_fastest(table: pd.DataFrame) -> Figure:
    """Draw the fastest run of `times_to_target` and its seconds at each bandwidth and latency.

    There is a panel for each facet and slowness.
    """
    first = table[table["fastest"]].drop_duplicates(["facet", "bandwidth", "latency", "factor"])
    facets, factors = evenly(list(dict.fromkeys(first["facet"])), _MOST_FACETS), sorted(first["factor"].unique())
    shades = {name: _tint(COLOURS[i % len(COLOURS)]) for i, name in enumerate(dict.fromkeys(first["name"]))}
    with rc_context():
        figure = new_figure(PAGE, 0.5 + 1.75 * len(facets))
        grid = figure.subplots(len(facets), len(factors), squeeze=False, sharex=True, sharey=True)
        for facet, row in zip(facets, grid, strict=True):
            for factor, ax in zip(factors, row, strict=True):
                _draw(ax, first[(first["facet"] == facet) & (first["factor"] == factor)], shades)
                speed = "equal peers" if factor == 1 else f"a tenth of the peers {factor:g} × slower"
                ax.set_title(plain(", ".join(filter(None, [facet, speed]))))
            row[0].set_ylabel("latency (ms)")
        for ax in grid[-1]:
            ax.set_xlabel("bandwidth (Mbit/s)")
    return figure


def _draw(ax: Axes, cells: pd.DataFrame, shades: dict[str, tuple[float, ...]]) -> None:
    """One panel: a coloured field with name and seconds for each bandwidth and latency."""
    bandwidths, latencies = (sorted(cells[name].unique()) for name in ("bandwidth", "latency"))
    image = np.ones((len(latencies), len(bandwidths), 3))
    for cell in cells.to_dict("records"):
        i, j = latencies.index(cell["latency"]), bandwidths.index(cell["bandwidth"])
        image[i, j] = shades[cell["name"]]
        text = f"{fill(plain(cell['name']), _LETTERS)}\n{cell['seconds']:.3g} s"
        ax.text(j, i, text, ha="center", va="center", fontsize=scaled(6), linespacing=1.1)
    ax.imshow(image, aspect="auto", origin="lower", interpolation="nearest")
    ax.set_xticks(range(len(bandwidths)), [f"{value / 1e6:g}" for value in bandwidths])
    ax.set_yticks(range(len(latencies)), [f"{1e3 * value:g}" for value in latencies])
    ax.grid(False)
    ax.tick_params(length=0)
    ax.spines[:].set_visible(False)


def _tint(colour: str) -> tuple[float, ...]:
    return tuple(1 - _TINT * (1 - part) for part in to_rgb(colour))

"""The figures of a report: their contents and captions, and how large studies are split."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

import networkx as nx
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from dfedsam.analysis.plot import fastest, points, topology as topology_figure
from dfedsam.analysis.plot.consensus import consensus_rounds, gossip_steps
from dfedsam.analysis.plot.convergence import convergence
from dfedsam.analysis.plot.gap import convergence_gap, gap_size, predictors
from dfedsam.analysis.plot.runs import curve_names
from dfedsam.analysis.plot.setting import numeric_settings, search_curves, setting_curves
from dfedsam.analysis.read import labels, metrics
from dfedsam.analysis.read.runs import Study
from dfedsam.analysis.summary import BANDWIDTH, LATENCY, with_time
from dfedsam.topologies import Topology
from dfedsam.topologies.make import make

_MOST_CURVES = 9  # maximum of curves in one convergence figure
_MOST_SIZES = 2  # numbers of peers that have figures of their own; of more, the largest one has
_MOST_FIGURES = 6  # maximum of convergence figures
_MOST_SETTINGS = 2  # maximum of settings with a figure of the metric against them
_MOST_DRAWN = 12  # maximum of drawn topologies
_LARGEST = 100  # maximum of peers of a drawn topology
# Columns by which too many curves are split into several figures
_SPLIT = ("data", "heterogeneity", "peers", "algorithm", "gossip", "steps", "lr", "rho", "local_steps")


@dataclass(frozen=True, kw_only=True)
class Item:
    """A figure of the report: file name, title, caption, the function that draws it, and its table if it has one."""

    name: str
    title: str
    caption: str
    draw: Callable[[], Figure]
    table: pd.DataFrame | None = None


def items(study: Study, summary: pd.DataFrame) -> Iterator[Item]:
    """All figures that a study may have, in order; `draw` raises ValueError if there is nothing to show."""
    metric = metrics.title(str(summary["metric"].iloc[0]), line=True).replace(" (%)", "")
    for key in numeric_settings(study)[:_MOST_SETTINGS]:
        against = labels.LETTERS.get(key, key.rpartition(".")[2].replace("_", " "))
        yield Item(
            name=f"against_{key.rpartition('.')[2] if key != 'adversary.peers' else 'attackers'}",
            title=f"{metric.capitalize()} against {against}",
            caption=f"The last {metric} against {against}: a panel for each graph, a line for each value of the other "
            "settings.",
            draw=lambda key=key: setting_curves(study, key, [str(summary["metric"].iloc[0])]),
        )  # fmt: skip
    seeds = "mean over seeds with its 95 % interval, or, below five seeds, a dash for each seed"
    has_theory = np.isfinite(metrics.numbers(summary, "predicted")).any()
    form = " Crosses: closed form for quadratics, joined for each graph and Q." if has_theory else ""
    rate = np.isfinite(metrics.numbers(summary, "rate")).any()
    dots = " Dots: the rate of the algorithm's theorem, shifted vertically to fit." if rate else ""
    yield Item(
        name="convergence_gap", title="Convergence against the spectral gap", draw=lambda: convergence_gap(summary),
        caption=f"Rounds to a target and the steady {metric} (mean of the last fifth of a run) against 1/(1 − λ_Q), "
        f"where λ_Q is the contraction factor of one round's gossip. Points: {seeds}. Dashed "
        f"lines: least squares on the logarithms; the slope has a 95 % interval.{form}{dots}",
    )  # fmt: skip
    yield Item(
        name="predictors", title="Predictors of the steady state", draw=lambda: predictors(summary),
        caption=f"The steady {metric} against the gap and the effective number of neighbours of one round's gossip "
        f"(γ = 0.9){', and against the closed form' if has_theory else ''}. R² is that of the line drawn, on the "
        "logarithms of the cells' means over seeds; Spearman is the rank correlation.",
    )  # fmt: skip
    theory = " Black dashes: theory." if np.isfinite(metrics.numbers(study.evaluations, "theory")).any() else ""
    yield Item(
        name="consensus_rounds", title="Consensus", draw=lambda: consensus_rounds(study.evaluations),
        caption="Mean squared distance of the peers from their mean, after gossip: mean over seeds, with its 95 % "
        f"interval or, below five seeds, each seed as a thin line. Graphs with exact consensus are not shown.{theory}",
    )  # fmt: skip
    yield Item(
        name="gossip_steps", title="Gossip steps", draw=lambda: gossip_steps(summary),
        caption="The steady consensus distance against the gossip steps per round, and against the bytes that a peer "
        "sends for them, for at most four topologies spread over the range of gaps."
        + (" Black dashes: closed form." if theory else ""),
    )  # fmt: skip
    yield Item(
        name="gap_size", title="Spectral gap and size", draw=lambda: gap_size(study.runs),
        caption="The gap of one gossip step against the number of peers. Dots: slopes predicted for rings and "
        "paths (n⁻²), tori, grids and stars (n⁻¹), exponential graphs and hypercubes (1/log n).",
    )  # fmt: skip
    for number, search in enumerate(study.searches, start=1):
        yield Item(
            name="search" if len(study.searches) == 1 else f"search_{number}", title=f"Search of {search['option']}",
            caption=f"{metrics.title(str(search['metric']), line=True).capitalize()} at the end of a run, mean over "
            "seeds, against the values searched; a ring marks the value chosen in each cell.",
            draw=lambda search=search: search_curves(search),
        )  # fmt: skip
    yield from _convergence(study)
    yield _fastest(study, summary)
    yield from _topologies(study)


def _fastest(study: Study, summary: pd.DataFrame) -> Item:
    """Who reaches the target first where; a study without an answer has an item that cannot be drawn."""
    title = "Fastest to the target"
    try:
        table = fastest.times_to_target(study, summary, partial(_edges, study))
    except ValueError as error:
        return Item(name="fastest", title=title, caption="", draw=partial(_nothing, str(error)))
    measured = fastest.on_own_clocks(summary)
    return Item(
        name="fastest", title=title, draw=lambda: fastest.draw_fastest(table), table=table,
        caption=f"Who would reach the target first, and after how many seconds: {'; '.join(fastest.fastest(table))}. "
        "Computed from the recorded rounds to the target, queries and message sizes, with a clock whose peers wait for "
        f"their neighbours: a query takes {1e3 * fastest.QUERY:g} ms, all links are alike, the messages of a gossip "
        f"step share a peer's bandwidth, and on the right a tenth of the peers computes {fastest.FACTORS[-1]:g} × as "
        "long. All runs are in tables/fastest.csv."
        + (f" On the clocks of the runs: {'; '.join(measured)}." if measured else ""),
    )  # fmt: skip


def _nothing(reason: str) -> Figure:
    raise ValueError(reason)


def _edges(study: Study, run: str) -> Callable[[int], fastest.Edges]:
    """The edges of a run's gossip by round: from its files or, of a schedule, from the topology rebuilt by name."""
    stored = study.topologies[run]
    if stored["spectrum"]["period"] != 1:
        topology = rebuild(study, run)
        return lambda t: fastest.sorted_edges(np.argwhere(topology.weights(t).toarray().T), directed=True)
    if not stored["edges"]:
        raise ValueError(f"{run} has too many edges to be in its files")
    pairs = [(edge["source"], edge["target"]) for edge in stored["edges"]]
    static = fastest.sorted_edges(pairs, directed=stored["directed"])
    return lambda _: static


def _convergence(study: Study) -> Iterator[Item]:
    frame = with_time(study.evaluations)
    clocks = np.isfinite(metrics.numbers(frame, "time"))
    timed = clocks.any()
    seconds = "simulated seconds" + ("" if clocks.all() else " of the runs with a clock")
    if not timed:
        rate = f"{LATENCY * 1e3:g} ms and {BANDWIDTH * 8e-6:g} Mbit/s each"
        seconds = f"the time that messages would take, sent one after another at {rate}"
    axes = ("rounds", "queries", "bytes", "seconds" if timed else "time")
    if frame["peers"].nunique() > _MOST_SIZES and frame["label"].nunique() > _MOST_CURVES:
        frame = frame[frame["peers"] == frame["peers"].max()]
    groups, order = _groups(frame), points.order(study.evaluations)
    for number, part in enumerate(groups[:_MOST_FIGURES], start=1):
        part = part.sort_values("topology", key=lambda names: names.map(order.index), kind="stable")
        kept = part[part["label"].isin(list(dict.fromkeys(part["label"]))[:_MOST_CURVES])]
        names, title = curve_names(study, kept)
        left = part["label"].nunique() - kept["label"].nunique()
        more = f" {left} further curves are omitted; the picker below shows them." if left else ""
        shared = _shared(kept) if len(groups) > 1 else ""
        yield Item(
            name=f"convergence{'' if len(groups) == 1 else f'_{number}'}",
            title="Convergence" + (f": {shared}" if shared else ""),
            caption=f"Against rounds, queries, bytes, and {seconds}.{more}",
            draw=lambda kept=kept, names=names, title=title: convergence(kept, axes, names=names, title=title),
        )


def _groups(frame: pd.DataFrame) -> list[pd.DataFrame]:
    """Split the evaluations by columns of _SPLIT until the curves of each part fit into a figure."""
    varying: list[str] = []
    groups = [frame]
    for name in _SPLIT:
        largest = max(part["label"].nunique() for part in groups)
        if name not in frame or frame[name].nunique() < 2 or largest <= _MOST_CURVES:
            continue
        finer = [part for _, part in frame.groupby([*varying, name], dropna=False, sort=False)]
        if max(part["label"].nunique() for part in finer) > 1:
            varying, groups = [*varying, name], finer
    return groups


def _shared(part: pd.DataFrame) -> str:
    """The settings that the runs of a part share, for the figure's title: data, heterogeneity, Q."""
    words = [points.facet_title(part["heterogeneity"].iloc[0], part)] if part["heterogeneity"].nunique() == 1 else []
    if part["peers"].nunique() == 1:
        words.append(f"{part['peers'].iloc[0]:g} peers")
    if part["steps"].nunique() == 1:
        words.append(f"Q = {part['steps'].iloc[0]:g}")
    if part["algorithm"].nunique() == 1:
        words.append(str(part["algorithm"].iloc[0]))
    return ", ".join(filter(None, words))


def _topologies(study: Study) -> Iterator[Item]:
    runs = study.runs[study.runs["peers"] <= _LARGEST] if "peers" in study.runs else study.runs[:0]
    for number, name in enumerate(points.order(runs)[:_MOST_DRAWN], start=1):
        same = runs[runs["topology"] == name]
        run = same.loc[same["peers"].astype(float).idxmax()]
        static = run["period"] == 1
        yield Item(
            name=f"topology_{number}", title=f"{name}, {run['peers']:g} peers",
            caption="The graph, and the eigenvalues of its W." if static else
            "The graphs of its first rounds, and the speed of consensus by gossip alone.",
            draw=lambda run=run, name=name: _draw_topology(study, str(run["run"]), name),
        )  # fmt: skip


def _draw_topology(study: Study, run: str, name: str) -> Figure:
    """A topology's figure from the run's files or, for a schedule, from the topology rebuilt by name."""
    stored = study.topologies[run]
    figures, theory = stored.get("spectrum"), stored.get("theory") or {}
    values = theory.get("eigenvalues")
    if figures and figures.get("period") == 1 and values is not None:
        graph = nx.node_link_graph(stored, edges="edges")
        return topology_figure.draw_static(graph, figures, np.concatenate([[1.0], values]), name=name)
    return topology_figure.draw_topology(rebuild(study, run))


def rebuild(study: Study, run: str) -> Topology:
    """Rebuild the topology of a run from its settings, without importing anything that these name.

    Raises:
        ValueError: if it is not a registered plug-in, or cannot be built.
    """
    config = study.configs[run]
    try:
        return make(config["topology"], config["peers"], config.get("seed"), allow_import=False)
    except (KeyError, TypeError, ImportError) as error:
        raise ValueError(f"topology of {run} cannot be rebuilt: {error}") from error

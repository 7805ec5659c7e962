"""The figures of a report: which there are, what each shows, and where a study is too large for one."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from dfedsam import topologies
from dfedsam.analysis import marks, metrics, simulated_time
from dfedsam.analysis import topology as topology_drawing
from dfedsam.analysis.consensus_rounds import consensus_rounds
from dfedsam.analysis.convergence import convergence
from dfedsam.analysis.convergence_gap import convergence_gap
from dfedsam.analysis.gap_size import gap_size
from dfedsam.analysis.gossip_steps import gossip_steps
from dfedsam.analysis.labels import labels
from dfedsam.analysis.predictors import predictors
from dfedsam.analysis.studies import Study

MOST_CURVES = 9  # of one convergence figure
MOST_FIGURES = 6  # of convergence
MOST_DRAWN = 12  # topologies
LARGEST = 100  # peers of a drawn topology
SPLIT = ("data", "heterogeneity", "algorithm", "gossip", "steps", "lr", "rho", "local_steps")  # into several figures


@dataclass(frozen=True, kw_only=True)
class Item:
    """A figure of the report: its file's name, its title and caption, and how to draw it."""

    name: str
    title: str
    caption: str
    draw: Callable[[], Figure]


def items(study: Study, summary: pd.DataFrame) -> Iterator[Item]:
    """All figures that a study may have, in its order; `draw` raises ValueError where there is nothing to show."""
    metric = metrics.title(str(summary["metric"].iloc[0])).replace("\n", " ").replace(" (%)", "")
    yield Item(
        name="convergence_gap", title="Convergence against the spectral gap", draw=lambda: convergence_gap(summary),
        caption=f"Rounds to a target and the steady {metric} (mean of the last fifth of a run) against 1/(1 − λ_Q), "
        "λ_Q the contraction of a round's gossip. Points: mean over seeds with its 95 % interval. Dashes: least "
        "squares on the logarithms, the slope with its 95 % interval. Crosses: closed form for quadratics, joined for "
        "each graph and Q. Dots: the rate of DFedSAM's theorem, whose constants are not known, moved up or down to "
        "fit.",
    )  # fmt: skip
    yield Item(
        name="predictors", title="What foretells it", draw=lambda: predictors(summary),
        caption=f"The steady {metric} against the gap, the effective number of neighbours of a round's gossip "
        "(γ = 0.9), and the closed form. R² is that of the line drawn, on the logarithms of the cells' means over "
        "seeds; Spearman is the rank correlation.",
    )  # fmt: skip
    yield Item(
        name="consensus_rounds", title="Consensus", draw=lambda: consensus_rounds(study.evaluations),
        caption="Mean squared distance of the peers from their mean, after gossip: mean over seeds, with its 95 % "
        "interval. Black dashes: theory, where there is one.",
    )  # fmt: skip
    yield Item(
        name="gossip_steps", title="Gossip steps", draw=lambda: gossip_steps(summary),
        caption="The steady consensus distance against gossip steps a round, and against the bytes that a peer sends "
        "for them; of many topologies four, from all over the range of gaps. Black dashes: closed form (λ^Q for plain "
        "gossip, 1/T_Q for Chebyshev's).",
    )  # fmt: skip
    yield Item(
        name="gap_size", title="Spectral gap and size", draw=lambda: gap_size(study.runs),
        caption="The gap of one gossip step against the number of peers. Dots: slopes that theory gives for rings and "
        "paths (n⁻²), tori, grids and stars (n⁻¹), exponential graphs and hypercubes (1/log n).",
    )  # fmt: skip
    yield from _convergence(study)
    yield from _drawn(study)


def _convergence(study: Study) -> Iterator[Item]:
    frame = simulated_time.with_time(study.evaluations)
    if frame["peers"].notna().any() and frame["label"].nunique() > MOST_CURVES:
        frame = frame[frame["peers"] == frame["peers"].max()]
    varying: list[str] = []
    groups = [frame]
    for name in SPLIT:
        largest = max(part["label"].nunique() for part in groups)
        if name not in frame or frame[name].nunique() < 2 or largest <= MOST_CURVES:
            continue
        finer = [part for _, part in frame.groupby([*varying, name], dropna=False, sort=False)]
        if max(part["label"].nunique() for part in finer) > 1:
            varying, groups = [*varying, name], finer
    for number, part in enumerate(groups[:MOST_FIGURES], start=1):
        kept = part[part["label"].isin(list(dict.fromkeys(part["label"]))[:MOST_CURVES])]
        says = [_says(name, kept) for name in ("peers", *varying)] if len(groups) > 1 else []
        said = ", ".join(filter(None, says))
        left = part["label"].nunique() - kept["label"].nunique()
        more = f" {left} further curves are left out; the picker below has them." if left else ""
        yield Item(
            name=f"convergence{'' if len(groups) == 1 else f'_{number}'}",
            title="Convergence" + (f": {said}" if said else ""),
            caption="Against rounds, queries, bytes, and the time that messages would take one after another at "
            f"{simulated_time.LATENCY * 1e3:g} ms and {simulated_time.BANDWIDTH * 8e-6:g} Mbit/s each.{more}",
            draw=lambda kept=kept: convergence(_named(kept, study), ("rounds", "queries", "bytes", "time")),
        )


def _says(name: str, part: pd.DataFrame) -> str:
    value = part[name].iloc[0]
    if pd.isna(value):
        return ""
    if name == "heterogeneity":
        return marks.facet_title(value, part)
    shown = f"{value:g}" if isinstance(value, int | float | np.number) else str(value)
    return {"peers": f"{shown} peers", "steps": f"Q = {shown}"}.get(name, shown if name in ("algorithm", "gossip") else
                                                                   f"{name} = {shown}")  # fmt: skip


def _named(part: pd.DataFrame, study: Study) -> pd.DataFrame:
    """Labels that say only what sets these runs apart from one another."""
    order = {name: i for i, name in enumerate(marks.order(study.evaluations))}
    part = part.sort_values("topology", key=lambda names: names.map(order), kind="stable")
    runs = list(dict.fromkeys(part["run"]))
    if part["label"].nunique() == part["topology"].nunique():
        return part.assign(label=part["topology"])
    short = dict(zip(runs, labels([study.configs[run] for run in runs], runs), strict=True))
    return part.assign(label=part["run"].map(short))


def _drawn(study: Study) -> Iterator[Item]:
    runs = study.runs[study.runs["peers"] <= LARGEST] if "peers" in study.runs else study.runs[:0]
    for number, name in enumerate(marks.order(runs)[:MOST_DRAWN]):
        some = runs[runs["topology"] == name]
        run = some.loc[some["peers"].astype(float).idxmax()]
        yield Item(
            name=f"topology_{number + 1}", title=f"{name}, {run['peers']:g} peers",
            caption="Its graph, or its first rounds, and the eigenvalues of its W, or how its peers come to agree.",
            draw=lambda run=run: topology_drawing.draw(made(study, run["run"])),
        )  # fmt: skip


def made(study: Study, run: str) -> topologies.Topology:
    """The topology of a run, made again from its settings; ValueError where this cannot be done."""
    config = study.configs[run]
    try:
        return topologies.make(config["topology"], config["peers"], config.get("seed"))
    except (KeyError, TypeError, ImportError) as error:
        raise ValueError(f"topology of {run} cannot be made again: {error}") from error

"""A study as a table: topologies, what they cost and what they reach; as CSV and as LaTeX."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from dfedsam.analysis import marks, metrics
from dfedsam.analysis.panels import byte_unit
from dfedsam.analysis.summary import best_rates, cells

# Columns that name a cell, where they vary; what each is called
NAMED = {
    "data": "data", "topology": "topology", "peers": "peers", "algorithm": "algorithm", "variant": "variant",
    "gossip": "gossip", "compressor": "compressor", "steps": "Q", "heterogeneity": "heterogeneity",
    "lr": "lr", "rho": "rho", "local_steps": "K",
}  # fmt: skip
FIGURES = {
    "degree_mean": "degree", "diameter": "diameter", "mu_2": "μ₂", "lambda": "λ", "gap": "gap",
    "effective_neighbours": "n_W", "messages": "messages a round",
}  # fmt: skip
SPENT = {"rounds_to": "rounds", "queries_to": "queries", "bytes_to": "bytes"}
LATEX = {"μ₂": r"$\mu_2$", "λ": r"$\lambda$", "n_W": r"$n_W$"}
LONG = 35  # rows that still fit on a page
FILES = ("study.csv", "study.tex")
SUM_OF = ("steady", *SPENT)


def study_table(summary: pd.DataFrame) -> pd.DataFrame:
    """One row a cell of the study, numbers as they are.

    Args:
        summary: of `analysis.summary.summarise`; where learning rates vary, each cell has its best.

    Returns:
        Columns: topology, and the settings that vary; degree, diameter, μ₂, λ, gap, n_W, messages a round (all peers,
        Q steps); rounds, queries and bytes (of a peer) to the target, NaN where a seed does not reach it; the steady
        metric and, after "±", its standard deviation over seeds; seeds. Biased topologies have no gap.
    """
    points = cells(best_rates(summary), SUM_OF, log=False)
    points["messages"] = points["vectors_per_round"] * points["steps"].fillna(1)
    order = {name: i for i, name in enumerate(marks.order(summary))}
    varying = [
        name for name in NAMED if name in points and (points[name].nunique(dropna=False) > 1 or name == "topology")
    ]
    points = points.sort_values(
        [name for name in ("data", "heterogeneity", "peers", "steps") if name in varying] + ["topology"],
        key=lambda column: column.map(order) if column.name == "topology" else column, kind="stable",
    )  # fmt: skip
    metric = str(summary["metric"].iloc[0])
    names = {name: NAMED[name] for name in varying}
    if "heterogeneity" in names:
        names["heterogeneity"] = str(next(iter(points["heterogeneity_of"].dropna()), "heterogeneity"))
    names |= {name: shown for name, shown in FIGURES.items() if name in points}
    names |= {name: f"{shown} to target" for name, shown in SPENT.items() if (summary[name] > 0).any()}
    names |= {"target": "target", "steady": metric, "steady_sd": "±", "seeds": "seeds"}
    return points[list(names)].rename(columns=names).reset_index(drop=True)


def styled(table: pd.DataFrame, metric: str, *, latex: bool = False) -> Any:
    """The table with few digits, "±" beside its mean, and the best of each column in bold (pandas' Styler).

    What is best is found among the rows of the same data, size and heterogeneity.

    Args:
        table: of `study_table`.
        metric: the metric in it.
        latex: write what LaTeX takes.
    """
    pm = r" $\pm$ " if latex else " ± "
    shown = pd.DataFrame(index=table.index)
    for column in table:
        if column in ("±", "target"):
            continue
        values = table[column]
        if column == metric:
            shown[column] = [
                _of(metric, value) + (pm + _of(metric, sd) if np.isfinite(sd) else "")
                for value, sd in zip(values, table["±"], strict=True)
            ]
        else:
            shown[column] = [_cell(str(column), value, latex) for value in values]
    kept = [column for column in ("data", "peers", "heterogeneity", "Dirichlet α") if column in table]
    better: dict[str, Callable[[pd.Series], pd.Series]] = {
        f"{name} to target": lambda values: values == values.min() for name in SPENT.values()
    }
    better[metric] = (lambda v: v == v.max()) if metrics.rises(metric) else (lambda v: v == v.min())
    style = shown.rename(columns=lambda name: metrics.title(name).replace("\n", " ") if name == metric else name)
    style = style.rename(columns=lambda name: LATEX.get(name, str(name).replace("%", r"\%"))) if latex else style
    bold = np.full(shown.shape, "", dtype=object)
    for place, column in enumerate(shown.columns):
        if column in better and table[column].notna().any():
            groups = table.groupby(kept, dropna=False)[column] if kept else table[column]
            best = groups.transform(better[column]) if kept else better[column](table[column])
            bold[best.astype(bool).to_numpy(), place] = "font-weight: bold;"
    return style.style.apply(lambda _: bold, axis=None).hide(axis="index")


def write_tables(summary: pd.DataFrame, folder: Path) -> list[Path]:
    """Write study.csv, with all digits, and study.tex, which needs \\usepackage{booktabs}; returns both."""
    table = study_table(summary)
    metric = str(summary["metric"].iloc[0])
    paths = [folder / name for name in FILES]
    table.to_csv(paths[0], index=False)
    text = styled(table, metric, latex=True).to_latex(
        hrules=True, convert_css=True, column_format="l" + "r" * (table.shape[1] - 3),
        environment="longtable" if len(table) > LONG else None,
    )  # fmt: skip
    needs = "booktabs and longtable" if len(table) > LONG else "booktabs"
    paths[1].write_text(f"% needs \\usepackage of {needs}\n{text}", encoding="utf-8")
    return paths


def _of(metric: str, value: float) -> str:
    if not np.isfinite(value):
        return "–"
    return f"{100 * value:.1f}" if metric.startswith("accuracy") else f"{value:.3g}"


def _cell(column: str, value: Any, latex: bool) -> str:
    if isinstance(value, str):
        return value.replace("_", r"\_") if latex else value
    if value is None or pd.isna(value):
        return "–"
    if column == "bytes to target":
        factor, unit = byte_unit(float(value))
        return f"{value / factor:.3g} {unit}"
    if column in ("rounds to target", "queries to target", "messages a round"):
        return f"{value:,.0f}"
    return f"{value:.3g}" if value == 0 or abs(value) >= 1e-3 else f"{value:.2g}"

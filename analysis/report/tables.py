"""Tables of a study: topologies, their costs and results; as HTML, CSV and LaTeX."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from dfedsam.analysis.plot.axes import byte_unit
from dfedsam.analysis.plot.points import order
from dfedsam.analysis.read import metrics
from dfedsam.analysis.summary import aggregate, best_rates, differences

# Columns that name a cell if they vary, and their names
NAMES = {
    "data": "data", "topology": "topology", "peers": "peers", "algorithm": "algorithm", "variant": "variant",
    "clock": "clock", "other": "other settings", "gossip": "gossip", "compressor": "compressor", "steps": "Q",
    "heterogeneity": "heterogeneity",
    "lr": "lr", "rho": "ρ", "local_steps": "K",
}  # fmt: skip
SPECTRUM = {
    "degree_mean": "degree", "diameter": "diameter", "mu_2": "μ₂", "lambda": "λ", "gap": "gap",
    "effective_neighbours": "n_W", "vectors_per_round": "messages per round",
}  # fmt: skip
COSTS = {
    "rounds_to": "rounds to target", "queries_to": "queries to target", "bytes_to": "bytes to target",
    "seconds_to": "seconds to target",
}  # fmt: skip
_LONG = 35  # rows that still fit on a page
_WIDE = 9  # columns that still fit on a page
_SYMBOLS = {
    "\\": r"\textbackslash{}", "&": r"\&", "%": r"\%", "$": r"\$", "#": r"\#", "_": r"\_", "{": r"\{", "}": r"\}",
    "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "<": r"\textless{}", ">": r"\textgreater{}",
    "α": r"$\alpha$", "β": r"$\beta$", "η": r"$\eta$", "λ": r"$\lambda$", "μ": r"$\mu$", "ρ": r"$\rho$",
    "₂": "$_2$", "²": "$^2$", "±": r"$\pm$", "−": "$-$", "–": "--", "…": r"\dots{}", "∞": r"$\infty$",
}  # fmt: skip


def study_table(summary: pd.DataFrame) -> pd.DataFrame:
    """One row per cell of the result of `summary.summarise`, with unrounded numbers, by label.

    If learning rates vary, each cell uses its best one. Columns: topology, and the settings that vary; degree,
    diameter, μ₂, λ, gap and n_W of one gossip step, messages per round (of all peers, all Q steps); rounds, queries and
    bytes (per peer) and seconds (of the clock) to the target, NaN if a seed does not reach it; the steady-state metric
    and, after "±", its standard deviation over seeds; seeds. Biased topologies have no gap.
    """
    cells = aggregate(best_rates(summary), ("steady", *COSTS), log=False)
    cells["rank"] = cells["topology"].map(order(summary).index)
    varying = [name for name in NAMES if name in cells and (cells[name].nunique() > 1 or name == "topology")]
    first = [name for name in ("data", "heterogeneity", "peers", "steps") if name in varying]
    cells = cells.sort_values([*first, "rank"], kind="stable")
    names = {name: NAMES[name] for name in varying}
    if "heterogeneity" in names:
        names["heterogeneity"] = str(next(iter(cells["heterogeneity_of"].dropna()), "heterogeneity"))
    names |= {name: title for name, title in SPECTRUM.items() if name in cells}
    names |= {name: title for name, title in COSTS.items() if (summary[name] > 0).any()}
    names |= {"target": "target", "steady": str(summary["metric"].iloc[0]), "steady_sd": "±", "seeds": "seeds"}
    return cells.set_index("label")[list(names)].rename(columns=names)


def shown(table: pd.DataFrame, metric: str) -> pd.DataFrame:
    """The table of `study_table` as text, with few digits and each "±" joined to its mean."""
    text = pd.DataFrame(index=table.index)
    for column in table:
        if column in ("±", "target"):
            continue
        if column == metric:
            text[column] = _with_spread(metric, table[column], table["±"])
        else:
            text[column] = [_cell(str(column), value) for value in table[column]]
    return text.rename(columns={metric: metrics.title(metric, line=True)})


def to_html(summary: pd.DataFrame) -> str:
    """The study's table as escaped HTML; the best values are bold if they are best beyond the noise."""
    table, metric = study_table(summary), str(summary["metric"].iloc[0])
    text = shown(table, metric)
    style = text.style.format(escape="html").format_index(escape="html", axis="columns")
    bold = _bold(summary, text, metric)
    return style.apply(lambda _: bold, axis=None).hide(axis="index").to_html(table_uuid="study")


def pairs_table(summary: pd.DataFrame) -> pd.DataFrame:
    """The difference of each cell from the best one of the same data, size and heterogeneity, paired by seed.

    The columns are label, the difference of the steady-state metric, low and high (its 95 % interval), p (of its
    t-test, adjusted by Holm's method), pairs, and compared_with, the best cell's label.
    """
    table = differences(best_rates(summary))
    if table.empty:
        return table
    name = next(iter(summary["heterogeneity_of"].dropna()), "heterogeneity")
    table = table[~table["best"]].drop(columns=["best", "is_clear"]).reset_index(drop=True)
    return table.rename(columns={"heterogeneity": str(name)})


def pairs_text(summary: pd.DataFrame) -> pd.DataFrame:
    """`pairs_table` as text, without the words that all labels share; empty if there is nothing to compare.

    `best` has the words in which the best cell's label differs.
    """
    table, metric = pairs_table(summary), str(summary["metric"].iloc[0])
    if table.empty:
        return table
    words = {label: label.split(", ") for label in (*table["label"], *table["compared_with"])}
    shared = set.intersection(*map(set, words.values()))
    pairs = [(words[cell], words[best]) for cell, best in zip(table["label"], table["compared_with"], strict=True)]
    text = pd.DataFrame(
        {
            "cell": [", ".join(word for word in cell if word not in shared) for cell, _ in pairs],
            "best": [", ".join(word for word in best if word not in cell) for cell, best in pairs],
        }
    )
    text["difference"] = [_signed(metric, value) for value in table["difference"]]
    ends = zip(table["low"], table["high"], strict=True)
    text["95 % interval"] = [
        f"{_signed(metric, low)} … {_signed(metric, high)}" if np.isfinite(low) else "–" for low, high in ends
    ]
    text["p"] = ["–" if np.isnan(p) else "< 0.001" if p < 1e-3 else f"{p:.3f}" for p in table["p"]]
    return text.assign(pairs=table["pairs"].astype(str))


def pivot(summary: pd.DataFrame) -> pd.DataFrame | None:
    """The steady state as text: topologies (and other varying settings) in rows, heterogeneity and Q in columns.

    None if neither Q nor heterogeneity varies.
    """
    cells = aggregate(best_rates(summary), ("steady",), log=False)
    metric = str(summary["metric"].iloc[0])
    varying = [name for name in NAMES if name in cells and cells[name].nunique() > 1 and name != "lr"]
    across = [name for name in ("heterogeneity", "steps") if name in varying]
    if not across:
        return None
    cells["rank"] = cells["topology"].map(order(summary).index)
    cells = cells.sort_values("rank", kind="stable")
    cells["shown"] = _with_spread(metric, cells["steady"], cells["steady_sd"])
    down = ["topology", *(name for name in varying if name not in (*across, "topology"))]
    cells[down] = cells[down].fillna("–")
    titles = {name: title for name, title in NAMES.items() if name in (*down, *across)}
    if "heterogeneity" in across:
        titles["heterogeneity"] = str(next(iter(cells["heterogeneity_of"].dropna()), "heterogeneity"))
    table = cells.pivot_table(index=down, columns=across, values="shown", aggfunc="first", sort=False)
    table = table.sort_index(axis="columns").fillna("–")
    keys = table.columns if len(across) > 1 else [(value,) for value in table.columns]
    table.columns = [
        ", ".join(f"{titles[name]} = {value:g}" for name, value in zip(across, key, strict=True)) for key in keys
    ]
    return table.reset_index().rename(columns=titles)


def write_tables(summary: pd.DataFrame, folder: Path) -> list[Path]:
    """Write the study's tables to a folder; returns the files.

    study.csv has all columns with all digits, pairs.csv the differences from the best. study.tex has the columns that
    name a row, the gap, costs and the metric; pairs.tex the differences, if there are any; pivot.tex the steady state
    by topology and Q, if Q or heterogeneity varies. They need booktabs, and longtable above 35 rows.
    """
    table, metric = study_table(summary), str(summary["metric"].iloc[0])
    text, title = shown(table, metric), metrics.title(metric, line=True)
    bold = pd.DataFrame(_bold(summary, text, metric), text.index, text.columns)
    last = ["gap", *(cost for cost in COSTS.values() if cost in text), title]
    naming = [str(name) for name in text if name not in (*SPECTRUM.values(), *last, "seeds")]
    chosen = [*naming[: _WIDE - len(last)], *(name for name in last if name in text)]
    written = [folder / "study.csv", folder / "pairs.csv", folder / "study.tex"]
    write_csv(table, written[0])
    write_csv(pairs_table(summary), written[1])
    caption = f"Steady {title} (mean ± standard deviation over seeds) and costs."
    written[2].write_text(_latex(text[chosen], bold[chosen], caption, "tab:study"), encoding="utf-8")
    more = {
        "pairs": (pairs_text(summary), f"Steady {title}: differences from the best; p of t-tests, adjusted (Holm)."),
        "pivot": (pivot(summary), f"Steady {title}, mean ± standard deviation over seeds."),
    }
    for name, (part, caption) in more.items():
        if part is not None and not part.empty:
            written.append(folder / f"{name}.tex")
            plain = pd.DataFrame("", part.index, part.columns)
            written[-1].write_text(_latex(part, plain, caption, f"tab:{name}"), encoding="utf-8")
    return written


def _bold(summary: pd.DataFrame, text: pd.DataFrame, metric: str) -> np.ndarray:
    """CSS of each cell of `shown`: bold if it is better than all others of its group beyond the noise."""
    css = np.full(text.shape, "", dtype=object)
    fair = best_rates(summary)
    for column, title in {"steady": metrics.title(metric, line=True), **COSTS}.items():
        if title not in text:
            continue
        table = differences(fair, column)
        clear = set(table.loc[table["is_clear"].astype(bool), "label"])
        css[:, text.columns.get_loc(title)] = ["font-weight: bold;" if label in clear else "" for label in text.index]
    return css


def _latex(text: pd.DataFrame, bold: pd.DataFrame, caption: str, label: str) -> str:
    """A table of text as LaTeX: as wide as a page, with a caption and a label."""
    long = len(text) > _LONG
    table = text.map(escape).rename(columns=escape)
    style = table.style.apply(lambda _: bold.to_numpy(), axis=None).hide(axis="index")
    source = style.to_latex(
        hrules=True, convert_css=True, column_format=_alignment(table), caption=escape(caption), label=label,
        environment="longtable" if long else "table*", position=None if long else "t",
        position_float=None if long else "centering",
    )  # fmt: skip
    small = "\\footnotesize\n\\setlength{\\tabcolsep}{3pt}\n"
    if long:
        source = f"\\begingroup\n{small}{source}\\endgroup\n"
    else:
        source = source.replace("\\centering\n", "\\centering\n" + small, 1)
    return f"% needs \\usepackage{{booktabs{',longtable' if long else ''}}}\n{source}"


def _alignment(table: pd.DataFrame) -> str:
    """The first column and those of words to the left, those with numbers to the right."""
    rest = (any(cell.lstrip("+-$")[:1].isdigit() for cell in table[column]) for column in table.columns[1:])
    return "l" + "".join("r" if has_numbers else "l" for has_numbers in rest)


def escape(text: object) -> str:
    """Escape text for LaTeX; characters unknown to pdflatex become question marks."""
    letters = (_SYMBOLS.get(letter, letter if ord(letter) < 0x180 else "?") for letter in str(text))
    return re.sub(r"\s+", " ", "".join(letters)).replace("n\\_W", "$n_W$")


def write_csv(table: pd.DataFrame, path: Path) -> None:
    """Write a table, in which text that a spreadsheet would read as a formula is marked as text."""

    def mark(value: Any) -> Any:
        return f"'{value}" if isinstance(value, str) and value.startswith(("=", "+", "-", "@", "\t", "\r")) else value

    table.map(mark).to_csv(path, index=False)


def _with_spread(metric: str, means: pd.Series, deviations: pd.Series) -> list[str]:
    return [
        _value(metric, mean) + (f" ± {_value(metric, sd)}" if np.isfinite(sd) else "")
        for mean, sd in zip(means, deviations, strict=True)
    ]


def _value(metric: str, value: float) -> str:
    if not np.isfinite(value):
        return "–"
    return f"{100 * value:.1f}" if metrics.is_share(metric) else f"{value:.3g}"


def _signed(metric: str, value: float) -> str:
    value = 0.0 if abs(value) < 1e-15 else value  # the rounding error of a mean
    text = f"{100 * value:+.1f}" if metrics.is_share(metric) else f"{value:+.3g}"
    return text.replace("-", "−")


def _cell(column: str, value: Any) -> str:
    if isinstance(value, str):
        return value
    if value is None or pd.isna(value):
        return "–"
    if column == "bytes to target":
        factor, unit = byte_unit(float(value))
        return f"{value / factor:.3g} {unit}"
    if column in ("rounds to target", "queries to target", "messages per round"):
        return f"{value:,.0f}"
    return f"{value:.3g}" if value == 0 or abs(value) >= 1e-3 else f"{value:.2g}"

"""The report: one self-contained page about a study, with folders of its figures and tables."""

from __future__ import annotations

import base64
import hashlib
import html
import json
import re
import shutil
from collections.abc import Iterable
from importlib.resources import files
from pathlib import Path
from typing import Any

import jinja2
import pandas as pd

from dfedsam.analysis.plot import points
from dfedsam.analysis.plot.consensus import animate as write_animation
from dfedsam.analysis.plot.gap import agreements
from dfedsam.analysis.plot.style import Style, save, use_style
from dfedsam.analysis.read import metrics
from dfedsam.analysis.read.runs import Study, read_study
from dfedsam.analysis.report import content, tables
from dfedsam.analysis.report.figures import items, rebuild
from dfedsam.analysis.summary import summarise
from dfedsam.errors import FileError
from dfedsam.whole_files import naming

PAGE = "report.html"
GENERATOR = "dfedsam report"
_PART = ".part"  # folder in which a report is built before it replaces an older one
_ANIMATED = 4  # topologies


def write_report(
    folders: Iterable[Path | str],
    out: Path | str | None = None,
    *,
    metric: str | None = None,
    target: float | None = None,
    style: Style = "paper",
    animate: bool = False,
) -> Path:
    """Write a report: report.html, figures/ with a PDF and a PNG each, tables/ with CSV and LaTeX; returns the page.

    A complete report replaces an older one; other files in the folder are not touched.

    Args:
        folders: studies, folders of runs, or runs; see `read_study`.
        out: the report's folder, which must be new, empty, or hold an older report; None: `report` in the only folder
            of `folders`, or in the current one.
        metric: the metric that compares runs; None: accuracy if recorded, else the squared distance from the
            optimum, else the loss.
        target: value of the metric; costs are counted until it is reached; None: one that most runs reach.
        style: "paper", or "slides" with larger letters.
        animate: also animate consensus on the drawn graphs.

    Raises:
        ValueError: if a folder is no study or run, no run is finished, or no run has the metric.
        FileError: if `out` holds something else, or a file that is not of the older report would be overwritten.
    """
    paths = [Path(folder) for folder in folders]
    out = Path(out) if out is not None else (paths[0] if len(paths) == 1 else Path()) / "report"
    old = _files_of_older(out)
    with use_style(style), naming(out):
        study = read_study(paths)
        if not study.runs["state"].isin(["done", "diverged"]).any():
            states = ", ".join(f"{number} {state}" for state, number in content.counts(study.runs))
            problem = f"has no finished runs ({states}), and a report needs one"
            raise FileError(study.name, problem, "wait, or resume them")
        summary = summarise(study, metric, target)
        part = out / _PART
        shutil.rmtree(part, ignore_errors=True)
        (part / "figures").mkdir(parents=True)
        (part / "tables").mkdir()
        try:
            written = tables.write_tables(summary, part / "tables")
            shown, left_out = _figures(study, summary, part / "figures", written)
            if animate:
                shown += _animations(study, part / "figures", written)
            names = [str(path.relative_to(part)) for path in written]
            foreign = [out / name for name in names if (out / name).exists() and name not in old]
            if foreign:
                problem = "does not belong to the older report, so it is not overwritten"
                raise FileError(foreign[0], problem, "move it away")
            (part / PAGE).write_text(_page(study, summary, shown, left_out, names), encoding="utf-8")
        except BaseException:
            shutil.rmtree(part)
            if not any(out.iterdir()):
                out.rmdir()
            raise
    return _publish(part, out, names, old)


def _publish(part: Path, out: Path, names: list[str], old: list[str]) -> Path:
    """Move a finished report into its folder; if this is interrupted, the next report completes it."""
    for name in names:
        (out / name).parent.mkdir(exist_ok=True)
        (part / name).replace(out / name)
    (part / PAGE).replace(out / PAGE)
    for name in old:
        if name not in names:
            (out / name).unlink(missing_ok=True)
    shutil.rmtree(part)
    return out / PAGE


def _files_of_older(out: Path) -> list[str]:
    """The files of an older report in `out`, including those of an interrupted one.

    Raises:
        FileError: if `out` holds something else.
    """
    if not out.exists() or (out.is_dir() and not any(out.iterdir())):
        return []
    pages = [page for page in (out / PAGE, out / _PART / PAGE) if page.is_file()]
    listed = [names for page in pages if (names := _listed(page)) is not None]
    only_part = out.is_dir() and [path.name for path in out.iterdir()] == [_PART]
    if len(listed) < len(pages) or not (listed or only_part):
        problem = "exists and is not an older report, so it is not overwritten"
        raise FileError(out, problem, "choose another folder")
    return list(dict.fromkeys(name for names in listed for name in names))


def _listed(page: Path) -> list[str] | None:
    """The files that a report's page lists; None if the page is not a report."""
    head = page.read_text(encoding="utf-8", errors="replace")[:100_000]
    match = re.search(r'<meta name="files" content="([^"]*)"', head)
    if f'content="{GENERATOR}"' not in head or match is None:
        return None
    names = json.loads(html.unescape(match[1]))
    return [name for name in names if re.fullmatch(r"(figures|tables)/\w+\.(pdf|png|gif|csv|tex)", name)]


def _figures(study: Study, summary: pd.DataFrame, folder: Path, written: list[Path]) -> tuple[list, list[str]]:
    """The figures as they are shown on the page, and why others are left out; adds files to `written`."""
    shown, left_out = [], []
    for item in items(study, summary):
        try:
            paths = save(item.draw(), folder / item.name)
        except ValueError as error:
            left_out.append(f"{item.title}: {error}")
            continue
        written += paths
        if item.table is not None:
            written.append(folder.parent / "tables" / f"{item.name}.csv")
            tables.write_csv(item.table, written[-1])
        shown.append({"title": item.title, "caption": item.caption, "image": _embedded(paths[0])})
    return shown, left_out


def _animations(study: Study, folder: Path, written: list[Path]) -> list[dict[str, str]]:
    shown = []
    for number, name in enumerate(points.order(study.runs)[:_ANIMATED], start=1):
        same = study.runs[study.runs["topology"] == name]
        run = same.loc[same["peers"].astype(float).idxmin()]
        written.append(path := folder / f"consensus_{number}.gif")
        write_animation(rebuild(study, str(run["run"])), path, name)
        caption = "Gossip alone, a step per round, from random values: a peer's colour is its value."
        title = f"Consensus on {name}, {run['peers']:g} peers"
        shown.append({"title": title, "image": _embedded(path), "caption": caption})
    return shown


def _embedded(path: Path) -> str:
    """An image as a data URL, so that the page needs no other file."""
    kind = {".png": "image/png", ".gif": "image/gif"}[path.suffix]
    return f"data:{kind};base64,{base64.b64encode(path.read_bytes()).decode()}"


def _page(
    study: Study, summary: pd.DataFrame, shown: list[dict[str, str]], left_out: list[str], written: list[str]
) -> str:
    metric = str(summary["metric"].iloc[0])
    source = files("dfedsam.analysis.report")
    environment = jinja2.Environment(
        autoescape=True, trim_blocks=True, lstrip_blocks=True, undefined=jinja2.StrictUndefined
    )
    data = json.dumps(content.curves(study, metric), ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    script = "\n" + source.joinpath("report.js").read_text(encoding="utf-8") + "\n"
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    values: dict[str, Any] = {
        "name": study.name,
        "generator": GENERATOR,
        "policy": f"default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'sha256-{digest}'",
        "files": json.dumps(written),
        "counts": content.counts(study.runs),
        "notes": study.notes,
        "searched": [_searched(search) for search in study.searches],
        "left_out": left_out,
        "metric": metrics.title(metric, line=True),
        "targets": _targets(summary, metric),
        "varied": content.varied(study),
        "shared": content.shared(study),
        "runs": content.rows(study, summary),
        "figures": shown,
        "table": tables.to_html(summary),
        "pairs": _table(tables.pairs_text(summary)),
        "predictors": _table(agreements(summary)),
        "css": source.joinpath("report.css").read_text(encoding="utf-8"),
        "script": script,
        "data": data.replace("<", "\\u003c"),  # so that no text in the data can end the script element
    }
    return environment.from_string(source.joinpath("report.html").read_text(encoding="utf-8")).render(values)


def _searched(search: dict[str, Any]) -> tuple[str, str, bool]:
    """The option searched, the metric in words, and whether that is of validation examples."""
    metric = str(search["metric"])
    return str(search["option"]), metrics.title(metric, line=True), metric.startswith("validation_")


def _table(table: pd.DataFrame) -> str:
    """A table as HTML, escaped; empty for an empty one."""
    if table.empty:
        return ""
    return table.to_html(index=False, border=0, na_rep="–", float_format=lambda value: f"{value:.3g}")


def _targets(summary: pd.DataFrame, metric: str) -> list[str]:
    parts, texts = points.facets(summary, most=100), []
    for value, part in parts:
        goals = sorted(part["target"].dropna().unique())
        title = points.facet_title(value, part)
        texts += [metrics.shown(metric, goal) + (f" at {title}" if title and len(parts) > 1 else "") for goal in goals]
    return list(dict.fromkeys(texts))

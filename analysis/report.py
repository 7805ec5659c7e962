"""One self-contained page about a study, and a folder of its figures and tables."""

import html
import json
import re
from collections.abc import Iterable
from importlib.resources import files
from pathlib import Path
from typing import Any

import jinja2
import pandas as pd

from dfedsam.analysis import marks, metrics, report_data, style, tables
from dfedsam.analysis.animation import animate as write_animation
from dfedsam.analysis.predictors import agreements
from dfedsam.analysis.report_figures import items, made
from dfedsam.analysis.studies import Study, read_study
from dfedsam.analysis.summary import summarise

PAGE = "report.html"
GENERATOR = "dfedsam report"
ANIMATED = 4  # topologies


def report(
    folders: Iterable[Path | str],
    out: Path | str | None = None,
    *,
    metric: str | None = None,
    target: float | None = None,
    look: str = "paper",
    animate: bool = False,
) -> Path:
    """Write a report.

    Args:
        folders: studies, folders of runs, or runs; see `analysis.studies.read_study`.
        out: its folder; None takes `report` in the only folder given, or in the current one. It must not be there
            yet, or be an older report, which is made anew.
        metric: what runs are compared by; None takes accuracy where there is one, else the squared distance from the
            optimum, else the loss.
        target: the value of it that rounds, queries and bytes are counted to; None chooses one that most runs reach.
        look: "paper" or "slides".
        animate: also show how peers come to agree on the drawn graphs.

    Returns:
        The page, `report.html`. Beside it: figures/ with a PDF and a PNG each, tables/ with CSV and LaTeX.

    Raises:
        ValueError: if a folder is no study or run, no run is finished, no run has the metric, or out is there and is
            no report.
    """
    paths = [Path(folder) for folder in folders]
    if out is None:
        out = (paths[0] if len(paths) == 1 else Path()) / "report"
    out = Path(out)
    old = _older(out)
    with style.look(look):
        study = read_study(paths)
        if not (study.runs["state"] == "done").any():
            said = ", ".join(f"{number} {state}" for state, number in report_data.counts(study.runs))
            raise ValueError(
                f"{study.name} has no finished runs ({said}): a report needs one; wait, or go on with them"
            )
        summary = summarise(study.evaluations, study.runs, metric, target)
        _refuse_foreign(out, old, [item.name for item in items(study, summary)])
        for path in old:
            path.unlink(missing_ok=True)
        written = tables.write_tables(summary, _made(out / "tables"))
        shown, left_out = _figures(study, summary, _made(out / "figures"), written)
        if animate:
            shown += _animations(study, out / "figures", written)
    kept = [str(path.relative_to(out)) for path in written]
    page = out / PAGE
    beside = page.with_name(PAGE + ".part")
    beside.write_text(_page(study, summary, shown, left_out, kept), encoding="utf-8")
    beside.replace(page)
    return page


def _made(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _older(out: Path) -> list[Path]:
    """The files of an older report in `out`; none where it is not there yet, or is empty.

    Raises:
        ValueError: if something else is there.
    """
    if not out.exists() or (out.is_dir() and not any(out.iterdir())):
        return []
    page = out / PAGE
    text = page.read_text(encoding="utf-8") if page.is_file() else ""
    head = text[:100_000]
    listed = re.search(r'<meta name="files" content="([^"]*)"', head)
    if f'content="{GENERATOR}"' not in head or listed is None:
        raise ValueError(f"out is {out}: it is there and is no older report, so it is not overwritten; choose another")
    names = json.loads(html.unescape(listed[1]))
    return [out / name for name in names if re.fullmatch(r"(figures|tables)/\w+\.(pdf|png|gif|csv|tex)", name)]


def _refuse_foreign(out: Path, old: list[Path], names: list[str]) -> None:
    """Raise ValueError if a file that would be written is there, and the older report did not write it."""
    new = [out / "tables" / name for name in tables.FILES]
    new += [out / "figures" / f"{name}{ending}" for name in names for ending in (".png", ".pdf")]
    new += [out / "figures" / f"consensus_{number}.gif" for number in range(1, ANIMATED + 1)]
    for path in new:
        if path.exists() and path not in old:
            raise ValueError(f"{path} is there and is not of the older report: it is not overwritten; move it away")


def _figures(
    study: Study, summary: pd.DataFrame, folder: Path, written: list[Path]
) -> tuple[list[dict[str, str]], list[str]]:
    shown, left_out = [], []
    for item in items(study, summary):
        try:
            paths = style.save(item.draw(), folder / item.name)
        except ValueError as error:
            left_out.append(f"{item.title}: {error}")
            continue
        written += paths
        shown.append({
            "name": item.name, "title": item.title, "caption": item.caption, "image": report_data.embedded(paths[0]),
        })  # fmt: skip
    return shown, left_out


def _animations(study: Study, folder: Path, written: list[Path]) -> list[dict[str, str]]:
    shown = []
    for number, name in enumerate(marks.order(study.runs)[:ANIMATED], start=1):
        some = study.runs[study.runs["topology"] == name]
        run = some.loc[some["peers"].astype(float).idxmin()]
        path = write_animation(made(study, run["run"]), folder / f"consensus_{number}.gif")
        written.append(path)
        shown.append({
            "name": path.stem, "title": f"Consensus on {name}, {run['peers']:g} peers",
            "image": report_data.embedded(path),
            "caption": "Gossip alone, a step a round, from random values: a peer's colour is its value.",
        })  # fmt: skip
    return shown


def _page(
    study: Study, summary: pd.DataFrame, shown: list[dict[str, str]], left_out: list[str], written: list[str]
) -> str:
    metric = str(summary["metric"].iloc[0])
    source = files("dfedsam.analysis")
    environment = jinja2.Environment(
        autoescape=True, trim_blocks=True, lstrip_blocks=True, undefined=jinja2.StrictUndefined
    )
    data = json.dumps(report_data.curves(study, metric), ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    values: dict[str, Any] = {
        "name": study.name,
        "generator": GENERATOR,
        "files": json.dumps(written),
        "counts": report_data.counts(study.runs),
        "notes": study.notes,
        "left_out": left_out,
        "metric": metrics.title(metric).replace("\n", " "),
        "targets": _targets(summary, metric),
        "shared": report_data.shared(study),
        "runs": report_data.rows(study, summary),
        "figures": shown,
        "table": tables.styled(tables.study_table(summary), metric).to_html(table_uuid="study"),
        "fits": _fits(summary),
        "css": source.joinpath("report.css").read_text(encoding="utf-8"),
        "script": source.joinpath("report.js").read_text(encoding="utf-8"),
        "data": data.replace("<", "\\u003c"),  # so that no text in it can end the script element
    }
    return environment.from_string(source.joinpath("report.html").read_text(encoding="utf-8")).render(values)


def _targets(summary: pd.DataFrame, metric: str) -> list[str]:
    parts = marks.facets(summary, most=100)
    found = []
    for value, part in parts:
        goals = sorted(part["target"].dropna().unique())
        title = marks.facet_title(value, part)
        found += [metrics.shown(metric, goal) + (f" at {title}" if title and len(parts) > 1 else "") for goal in goals]
    return list(dict.fromkeys(found))


def _fits(summary: pd.DataFrame) -> str:
    try:
        table = agreements(summary)
    except ValueError:
        return ""
    if table.empty:
        return ""
    return table.to_html(index=False, border=0, float_format=lambda value: f"{value:.3f}")

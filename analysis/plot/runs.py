"""Figures of run folders and studies, for `dfedsam plot`."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from dfedsam.analysis.plot.convergence import X, convergence
from dfedsam.analysis.plot.setting import setting_curves
from dfedsam.analysis.plot.style import Size, Style, check_format, check_room, save, use_style
from dfedsam.analysis.read import labels
from dfedsam.analysis.read.metrics import numbers
from dfedsam.analysis.read.runs import Study, read_study
from dfedsam.analysis.summary import with_time
from dfedsam.errors import FileError, OptionError
from dfedsam.names import did_you_mean
from dfedsam.run_folder import CONFIG, METRICS, RunFolder


def plot_runs(
    folders: Iterable[Path | str],
    out: Path | str | None = None,
    *,
    x: Sequence[str] = ("rounds", "queries", "bytes"),
    y: Sequence[str] = (),
    color: str | None = None,
    columns: str | None = None,
    size: Size | None = None,
    style: Style = "paper",
    log: bool | None = None,
) -> Path:
    """Draw runs into one figure; returns the file written.

    The options x, y, color, columns, size and log are those of `convergence`, but color and columns are settings, such
    as "topology" or "gossip.steps", and x may be a single setting with numbers, such as "adversary.peers": against it
    the last values are drawn, with a panel for each topology. The style is "paper", or "slides" with larger letters.

    `folders` are runs, studies or folders of runs, finished or not; seeds of the same settings become one curve. `out`
    is a .pdf, .png or .svg, by default convergence.pdf, in the folder if there is one alone, else in the current one.

    Raises:
        ValueError: if a folder is not a run, none has an evaluation yet, or an option is wrong.
    """
    paths = list(folders)
    if out is None:
        out = (Path(paths[0]) if len(paths) == 1 else Path()) / "convergence.pdf"
    check_format(out)
    with use_style(style):
        study = read_study(paths, strict=True)
        if not len(study.evaluations):
            raise FileError(paths[0], "has no run with an evaluation yet", "wait for the first one")
        if len(x) == 1 and x[0] not in X:
            against = {"columns": _setting(study, "columns", columns or "topology"), "size": size, "log": bool(log)}
            figure = setting_curves(study, _setting(study, "x", x[0]), y, **against)
            check_room(figure, size)
            return save(figure, out, formats=(".pdf",))[0]
        frame = study.evaluations
        if "seconds" in x and not np.isfinite(numbers(frame, "time")).any():
            raise OptionError("x", "seconds", "needs runs with simulated time", "run them with --clock simulated")
        if "time" in x:
            frame = with_time(frame)
        frame = _with_settings(frame, study, color=color, columns=columns)
        names, title = curve_names(study, frame)
        figure = convergence(
            frame, x, y, color=color, columns=columns, size=size, log=log, names=names, title=title
        )  # fmt: skip
        check_room(figure, size)
        return save(figure, out, formats=(".pdf",))[0]


def plot_run(folder: Path | str) -> list[Path]:
    """Draw one run into its own folder, and return convergence.png and convergence.pdf. Raises as `plot_runs`."""
    RunFolder(folder).expect(CONFIG, METRICS)
    study = read_study([folder], strict=True)
    _, title = curve_names(study, study.evaluations)
    return save(convergence(study.evaluations, title=title), Path(folder) / "convergence")


def curve_names(study: Study, frame: pd.DataFrame) -> tuple[dict[str, str], str]:
    """The legend's name of each label in some evaluations of a study, and the title that they share."""
    runs = frame.drop_duplicates("label")[["label", "run"]] if len(frame) else study.runs[["label", "run"]]
    shown = list(runs["label"])
    if len(shown) < 2:
        return {}, str(shown[0]) if shown else ""
    names, common = labels.legend([study.settings[run] for run in runs["run"]], shown)
    seeds = frame.groupby("label")["run"].nunique()
    if seeds.nunique() == 1 and seeds.iloc[0] > 1:
        common = f"{common}, {seeds.iloc[0]} seeds".removeprefix(", ")
    elif seeds.max() > 1:
        counts = ["1 seed" if seeds[label] == 1 else f"{seeds[label]} seeds" for label in shown]
        names = [f"{name} ({count})" for name, count in zip(names, counts, strict=True)]
    return dict(zip(shown, names, strict=True)), common


def _with_settings(frame: pd.DataFrame, study: Study, **chosen: str | None) -> pd.DataFrame:
    """The evaluations with a column for each setting that an option chooses."""
    for option, name in chosen.items():
        if name is not None and name not in frame:
            key = _setting(study, option, name)
            values = {run: labels.value_text(table.get(key)) for run, table in study.settings.items()}
            frame = frame.assign(**{name: frame["run"].map(values)})
    return frame


def _setting(study: Study, option: str, name: str) -> str:
    """The full key of a setting that an option names, perhaps by its end."""
    known = list(dict.fromkeys(key for table in study.settings.values() for key in table))
    match = next((key for key in known if key == name or key.endswith(f".{name}")), None)
    if match is None:
        more = f"one of {', '.join(X)}, or " if option == "x" else ""
        guess = did_you_mean(name, [*(X if option == "x" else ()), *known])
        raise OptionError(option, name, f"must be {more}a setting: {', '.join(known)}", guess)
    return match

"""The summary at the end of `dfedsam run`: a short table, the reference metrics, and the files written."""

from __future__ import annotations

from shlex import quote
from typing import TYPE_CHECKING, Any

from dfedsam.callbacks.base import INTERRUPTED
from dfedsam.callbacks.progress import size
from dfedsam.run_folder import CHECKPOINT, CONFIG, METRICS, PROMPT, REFERENCES, TOPOLOGY, Row, RunFolder

if TYPE_CHECKING:
    from dfedsam.result import Result

_LINES = {
    "loss": ("loss of the mean", "{:.5g}"),
    "accuracy": ("accuracy of the mean", "{:.1%}"),
    "validation_accuracy": ("accuracy on validation examples", "{:.1%}"),
    "accuracy_local": ("accuracy, mean over peers", "{:.1%}"),
    "accuracy_worst": ("accuracy, worst peer", "{:.1%}"),
    "consensus_distance": ("consensus distance", "{:.3g}"),
    "gamma": ("consensus step size γ", "{:.3g}"),
    "cosine": ("cosine with the gradient", "{:.3f}"),
    "gradient_norm": ("gradient norm of the mean", "{:.3g}"),
    "distance": ("distance to the optimum", "{:.3g}"),
    "regret": ("loss above the optimum", "{:.3g}"),
    "trace": ("trace of the Hessian", "{:.4g}"),
    "epsilon": ("privacy spent, ε", "{:.3g}"),
    "queries": ("queries per peer", "{:,.0f}"),
    "bytes": ("sent per peer", None),
    "time": ("simulated seconds", "{:,.4g}"),
    "idle": ("share of them idle", "{:.1%}"),
    "present": ("peers present", "{:.0%}"),
    "seconds": ("seconds", "{:.1f}"),
}
_FILES = {  # files of a run's folder and their contents
    CONFIG: "settings; `dfedsam run --config` repeats the run",
    TOPOLOGY: "graph and spectrum",
    METRICS: "metrics, one line per evaluation",
    REFERENCES: "reference metrics of the objective",
    CHECKPOINT: "state for `dfedsam resume`",
    PROMPT: "the mean of all peers",
    "prompt.txt": "its most likely tokens as text",
    "convergence.png": "figure",
    "convergence.pdf": "figure for print",
}


def summary(result: Result) -> str:
    """The summary of a run that wrote a folder."""
    folder, rows = RunFolder(result.folder or ""), result.rows
    out, first, last = folder.path, rows[0], rows[-1]
    shown = {key: line for key, line in _LINES.items() if key in last}
    table = [("", f"round {first['round']}", f"round {last['round']}")]
    table += [(name, _cell(form, first.get(key)), _cell(form, last[key])) for key, (name, form) in shown.items()]
    widths = [max(len(row[i]) for row in table) for i in range(3)]
    lines = [f"{a:<{widths[0]}}  {b:>{widths[1]}}  {c:>{widths[2]}}".rstrip() for a, b, c in table]
    lines += _gossip(folder, last)
    for name, value in folder.read_references().items():
        words = name.replace("zero_shot", "zero-shot").replace("first_order", "first-order").replace("_", " ")
        lines.append(f"{words}: {_cell('{:.1%}' if 'accuracy' in name else '{:.5g}', value)}")
    if result.stopped == INTERRUPTED:
        lines.append(f"stopped as requested; continue with: dfedsam resume {quote(str(out))}")
    elif result.stopped is not None:
        lines.append(f"stopped by its budget: {result.stopped}")
        lines.append(f"to continue, raise the budget in {folder.config}, then run: dfedsam resume {quote(str(out))}")
    width = len(str(out)) + 1 + max(map(len, _FILES))
    lines += ["", *(f"{out / name!s:<{width}}  {what}" for name, what in _FILES.items() if (out / name).exists())]
    if not (out / "convergence.png").exists():
        lines.append(f"to draw the figure: dfedsam plot {quote(str(out))}")
    return "\n".join(["", *lines])


def _gossip(folder: RunFolder, last: Row) -> list[str]:
    """The gossip's effective λ_Q, compared with that of as many steps of plain gossip, or its measured contraction."""
    mixing = folder.read_topology().get("gossip")
    if mixing is None:
        return []
    rate, plain, words = mixing["lambda_q"], mixing["plain"], []
    before, after = last["consensus_distance_before_gossip"], last["consensus_distance"]
    if "exact_after" in mixing:
        rounds = mixing["exact_after"]
        words, plain = [f"all peers know an update after {rounds} round{'s' * (rounds != 1)}"], None
    elif rate is not None:
        words, plain = [f"λ_Q = {rate:.3g}"], None if rate == plain else plain
    elif before > 0:
        words = [f"measured contraction {(after / before) ** 0.5:.3g}"]
    if plain is not None:
        words.append(f"(plain: λ_Q = {plain:.3g})" if rate is None else f"(plain: {plain:.3g})")
    return [f"gossip: {mixing['name']}, Q = {mixing['steps']}: {' '.join(words)}"]


def _cell(form: str | None, value: Any) -> str:
    if value is None:
        return "–"
    if not isinstance(value, (int, float)):
        return str(value)
    return form.format(value) if form else size(value)

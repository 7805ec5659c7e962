"""What `dfedsam run` says at its end: a short table, the references, and the paths of what it wrote."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from dfedsam.launch.progress import size

_LINES = {
    "loss": ("loss of the mean", "{:.5g}"),
    "accuracy": ("accuracy of the mean", "{:.1%}"),
    "accuracy_local": ("accuracy, mean over peers", "{:.1%}"),
    "accuracy_worst": ("accuracy, worst peer", "{:.1%}"),
    "consensus_distance": ("consensus distance", "{:.3g}"),
    "gamma": ("consensus step size γ", "{:.3g}"),
    "cosine": ("cosine with the gradient", "{:.3f}"),
    "queries": ("queries a peer", "{:,.0f}"),
    "bytes": ("sent a peer", None),
    "seconds": ("seconds", "{:.1f}"),
}
_FILES = {  # what a run's folder may hold, and what it is
    "config.yaml": "settings; `dfedsam run --config` repeats the run",
    "topology.json": "graph and spectrum",
    "metrics.jsonl": "figures, a line an evaluation",
    "references.json": "what the run is set beside",
    "checkpoint.safetensors": "where `dfedsam resume` goes on",
    "prompt.safetensors": "the mean of all peers",
    "prompt.txt": "its likeliest tokens as text",
    "convergence.png": "figure",
    "convergence.pdf": "figure for print",
}


def summary(out: Path, rows: list[dict[str, Any]], interrupted: bool, spent: str | None = None) -> str:
    """The text for a run in `out` with these evaluations; `interrupted` if it was stopped, `spent` by its budget."""
    first, last = rows[0], rows[-1]
    shown = {key: line for key, line in _LINES.items() if key in last}
    table = [("", f"round {first['round']}", f"round {last['round']}")]
    table += [(name, _cell(form, first.get(key)), _cell(form, last[key])) for key, (name, form) in shown.items()]
    widths = [max(len(row[i]) for row in table) for i in range(3)]
    lines = [f"{a:<{widths[0]}}  {b:>{widths[1]}}  {c:>{widths[2]}}".rstrip() for a, b, c in table]
    lines += _gossip(out, last)
    lines += [
        f"{_words(name)}: {_cell('{:.1%}' if 'accuracy' in name else '{:.5g}', value)}"
        for name, value in _references(out)
    ]
    if spent is not None:
        lines.append(f"stopped before the budget is passed: {spent}")
        lines.append(f"go on with a larger one: raise it in {out / 'config.yaml'}, then dfedsam resume {out}")
    elif interrupted:
        lines.append(f"stopped as asked; go on with: dfedsam resume {out}")
    width = max(map(len, _FILES))
    lines += [
        "",
        *(
            f"{out / name!s:<{len(str(out)) + 1 + width}}  {what}"
            for name, what in _FILES.items()
            if (out / name).exists()
        ),
    ]
    if not (out / "convergence.png").exists():
        lines.append(f"the figure: dfedsam plot {out}")
    return "\n".join(["", *lines])


def _references(out: Path) -> list[tuple[str, Any]]:
    path = out / "references.json"
    return list(json.loads(path.read_text(encoding="utf-8")).items()) if path.exists() else []


def _gossip(out: Path, last: dict[str, Any]) -> list[str]:
    """How the run's gossip mixes: its effective λ_Q beside that of as many steps of plain gossip, or what it did."""
    mixing = json.loads((out / "topology.json").read_text(encoding="utf-8")).get("gossip")
    if mixing is None:
        return []
    rate, plain, said = mixing["lambda_q"], mixing["plain"], []
    before, after = last["consensus_distance_before_gossip"], last["consensus_distance"]
    if "exact_after" in mixing:
        rounds = mixing["exact_after"]
        said, plain = [f"what a peer did is known to all after {rounds} round{'s' * (rounds != 1)}"], None
    elif rate is not None:
        said, plain = [f"λ_Q = {rate:.3g}"], None if rate == plain else plain
    elif before > 0:
        said = [f"the last exchange left {(after / before) ** 0.5:.3g} of the peers' distance"]
    if plain is not None:
        said.append(f"(plain: λ_Q = {plain:.3g})" if rate is None else f"(plain: {plain:.3g})")
    return [f"gossip: {mixing['name']}, Q = {mixing['steps']}: {' '.join(said)}"]


def _words(name: str) -> str:
    return name.replace("zero_shot", "zero-shot").replace("first_order", "first-order").replace("_", " ")


def _cell(form: str | None, value: Any) -> str:
    if value is None:
        return "–"
    if not isinstance(value, (int, float)):
        return str(value)
    return form.format(value) if form else size(value)

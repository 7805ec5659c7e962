"""Names, units and number formats of a topology's metrics."""

from __future__ import annotations

import math
from typing import Any

Metrics = dict[str, Any]

WORDS = {  # key in `topologies.spectrum`: name, and number format
    "n": ("peers", "{:,}"),
    "edges": ("edges", "{:,}"),
    "degree_min": ("smallest degree", "{}"),
    "degree_mean": ("mean degree", "{:.4g}"),
    "degree_max": ("largest degree", "{}"),
    "diameter": ("diameter, in edges", "{}"),
    "mu_2": ("Laplacian μ₂ (algebraic connectivity)", "{:.5g}"),
    "mu_n": ("Laplacian μ_n", "{:.5g}"),
    "degree_round_mean": ("mean degree a round", "{:.4g}"),
    "degree_round_max": ("largest degree a round", "{}"),
    "vectors_per_round": ("messages a round, one vector each", "{:,.1f}"),
    "lambda": ("λ", "{:.6f}"),
    "periodic_rate": ("rate of a period", "{:.6f}"),
    "sigma_2": ("σ₂", "{:.6f}"),
    "rho": ("ρ", "{:.6f}"),
    "gap": ("gap 1 − λ", "{:.5g}"),
    "gap_2": ("1 − λ₂", "{:.5g}"),
    "gap_squared": ("1 − λ²", "{:.5g}"),
    "lambda_2": ("λ₂", "{:.6f}"),
    "lambda_min": ("λ_min", "{:.6f}"),
    "lambda_q": ("λ of Q steps", "{:.6f}"),
    "contraction": ("λ_max(E[WᵀW] − J)", "{:.6f}"),
    "effective_neighbours": ("effective neighbours n_W(0.9)", "{:.3f}"),
    "finite_time": ("rounds to the exact mean", "{:,}"),
    "rounds_to_1e-6": ("rounds to 1e-6", "{:,}"),
    "mixing_time": ("mixing time, in rounds", "{:,}"),
}
COLUMNS = {  # columns of the table of several topologies, in this order
    "n": "peers",
    "degree_round_mean": "degree",
    "degree_round_max": "max",
    "vectors_per_round": "messages a round",
    "lambda": "λ",
    "gap": "gap",
    "effective_neighbours": "n_W",
    "rounds_to_1e-6": "rounds to 1e-6",
}
_TIME = ("seconds a round on the underlay", "{:.4g}")  # of `cycle_time`, which is there if an underlay is
_HONEST = {  # with attackers, which are then there too
    "attackers": ("attackers where they harm most", "{}"),
    "honest_mu_2": ("μ₂ of the honest peers' graph", "{:.5g}"),
    "tolerated": ("attackers around each peer that robust gossip withstands (f < μ₂/2)", "{}"),
}
_SHORTER = {"degree_round_mean": "{:.3g}", "lambda": "{:.4f}", "gap": "{:.3g}", "effective_neighbours": "{:.2f}"}
_SCHEDULE = ("degree_round_mean", "degree_round_max", "periodic_rate")  # only for schedules
_SAME = ("sigma_2", "rho", "periodic_rate")  # equal to λ for a symmetric W or a period of them


def lines(metrics: Metrics) -> list[str]:
    """Every metric that is known, one per line; equal ones share a line."""
    same = [key for key in _SAME if metrics[key] is not None and _equal(metrics[key], metrics["lambda"])]
    left = {*same, *(["lambda_q"] if metrics["steps"] == 1 else []), *(_SCHEDULE if metrics["period"] == 1 else [])}
    shown = [(words, _cell(metrics, key, form)) for key, (words, form) in WORDS.items() if key not in left]
    shown += [(_TIME[0], _cell(metrics, "cycle_time", _TIME[1]))] if "cycle_time" in metrics else []
    shown += [(words, _cell(metrics, key, form)) for key, (words, form) in _HONEST.items() if key in metrics]
    names = {"λ": " = ".join(["λ", *(WORDS[key][0] for key in same if key != "periodic_rate")])}
    names["λ of Q steps"] = f"λ of Q = {metrics['steps']} steps"
    shown = [(names.get(words, words), cell) for words, cell in shown if cell != "–"]
    width = max(len(words) for words, _ in shown)
    told = [kind(metrics), *notes(metrics)]
    return [*(f"{words:<{width}}  {cell}" for words, cell in shown), "; ".join(told)]


def row(metrics: Metrics) -> list[str]:
    """The cells of COLUMNS, and the seconds of a round if known; – where one has no meaning or would take too long."""
    cells = [_cell(metrics, key, _SHORTER.get(key, WORDS[key][1])) for key in COLUMNS]
    cells += [_cell(metrics, "cycle_time", _TIME[1])] if "cycle_time" in metrics else []
    return cells + [_cell(metrics, key, _HONEST[key][1]) for key in ("honest_mu_2", "tolerated") if key in metrics]


def kind(metrics: Metrics) -> str:
    """Whether W changes, and whether it is directed."""
    period = metrics["period"]
    when = "W redrawn in each round" if period is None else "the same W in every round" if period == 1 else ""
    return (when or f"{period} matrices in turn") + (", directed" if metrics["directed"] else "")


def notes(metrics: Metrics) -> list[str]:
    """Short notes on the topology."""
    found = []
    if metrics["biased"]:
        found.append("biased: only rows sum to one")
    if metrics["sums"] == "columns":
        found.append("needs push-sum")
    if metrics["finite_time"] is not None:
        rounds = metrics["finite_time"]
        found.append(f"exact after {rounds:,} round{'s' if rounds > 1 else ''}")
    return found


def _cell(metrics: Metrics, key: str, form: str) -> str:
    value = metrics[key]
    if value is None:
        return "–"
    text = form.format(0.0 if isinstance(value, float) and abs(value) < 1e-12 else value)  # rounding errors
    if key == "contraction" and metrics["contraction_stderr"]:
        return f"{text} ± {metrics['contraction_stderr']:.1g}".replace("-", "−")
    text = text.removesuffix(".0") if key == "vectors_per_round" else text
    return ("≈ " if key in metrics["approximate"] else "") + text.replace("-", "−")


def _equal(a: float, b: float | None) -> bool:
    return b is not None and math.isclose(a, b, rel_tol=1e-9, abs_tol=1e-12)

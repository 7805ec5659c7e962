"""The figures of a topology in words: one place for their names and how they are written."""

from __future__ import annotations

from typing import Any

Figures = dict[str, Any]

WORDS = {  # what `topologies.spectrum` calls them: words, and how the number is written
    "n": ("peers", "{:,}"),
    "edges": ("edges", "{:,}"),
    "degree_min": ("smallest degree", "{}"),
    "degree_mean": ("mean degree", "{:.4g}"),
    "degree_max": ("largest degree", "{}"),
    "diameter": ("diameter", "{}"),
    "lambda": ("λ", "{:.4f}"),
    "gap": ("gap 1 − λ", "{:.4g}"),
    "lambda_2": ("λ₂", "{:.4f}"),
    "lambda_min": ("λ_min", "{:.4f}"),
    "lambda_q": ("λ^Q", "{:.4f}"),
    "effective_neighbours": ("effective neighbours", "{:.2f}"),
    "mu_2": ("algebraic connectivity μ₂", "{:.4f}"),
    "vectors_per_round": ("vectors sent a round", "{:,.6g}"),
    "period": ("rounds in a period", "{:,}"),
}
COLUMNS = {  # of the table of several topologies, in this order
    "n": ("peers", "{:,}"),
    "degree": ("degree", "{:.3g}"),
    "vectors_per_round": ("messages a round", "{:,.6g}"),
    "lambda": ("λ", "{:.4f}"),
    "gap": ("gap", "{:.3g}"),
    "effective_neighbours": ("n_W", "{:.2f}"),
    "rounds_to_1e-6": ("rounds to 1e-6", "{:,}"),
}


def lines(figures: Figures) -> list[str]:
    """Every figure that there is, one a line."""
    shown = {WORDS[key][0]: _cell(figures, key, WORDS[key][1]) for key in WORDS if figures.get(key) is not None}
    if figures["steps"] != 1 and "λ^Q" in shown:
        shown["λ^Q"] += f" (Q = {figures['steps']})"
    else:
        shown.pop("λ^Q", None)
    width = max(map(len, shown))
    found = [f"{words:<{width}}  {cell}" for words, cell in shown.items()]
    return [*found, *(f"note: {note}" for note in notes(figures))]


def row(figures: Figures) -> list[str]:
    """The cells of COLUMNS; – where a figure has no meaning or would take too long."""
    figures = {**figures, "degree": figures["vectors_per_round"] / figures["steps"] / figures["n"]}
    return [_cell(figures, key, form) for key, (_, form) in COLUMNS.items()]


def notes(figures: Figures) -> list[str]:
    """What else one must know of it, in a few words each."""
    found = []
    if figures.get("sums") == "rows":
        found.append("biased: rows alone sum to one")
    if figures.get("sums") == "columns":
        found.append("needs push-sum")
    if figures.get("finite_time"):
        found.append(f"exact after {figures['finite_time']} rounds")
    return found


def _cell(figures: Figures, key: str, form: str) -> str:
    value = figures.get(key)
    if value is None:
        return "–"
    about = "≈ " if key in figures["approximate"] else ""
    text = form.format(0.0 if abs(value) < 1e-12 else value)  # what rounding left
    return about + text.replace("-", "−")

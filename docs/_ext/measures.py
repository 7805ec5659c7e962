"""Numbers of plug-ins for the tables of the reference, measured when the site is built."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from dfedsam import DPSGD, Exact, Quadratic, make, registry, simulate
from dfedsam.topologies import spectrum

Row = dict[str, str]


def measured(kind: str, plugins: dict[str, registry.Plugin]) -> dict[str, Row]:
    """Columns of numbers for the plug-ins of a kind: title → name → cell."""
    measure = MEASURES.get(kind)
    if measure is None:
        return {}
    columns: dict[str, Row] = {}
    for name, plugin in plugins.items():
        try:
            cells = measure(name, plugin)
        except (ValueError, TypeError):  # it has options without a default, or needs data
            continue
        for title, cell in cells.items():
            columns.setdefault(title, {})[name] = cell
    return columns


def _topology(name: str, plugin: registry.Plugin) -> Row:
    try:
        topology = make(name, 16, 0)
    except ValueError:
        topology = make(name, None, 0)
    numbers = spectrum(topology)
    gap = numbers["gap"]
    return {
        "peers": str(topology.n),
        "messages a round": f"{numbers['vectors_per_round']:.4g}",
        "gap": "–" if gap is None else f"{gap:.4f}",
    }


def _algorithm(name: str, plugin: registry.Plugin) -> Row:
    result = simulate(objective=Quadratic(dim=100), topology=make("ring", 16), algorithm=plugin(), rounds=3)
    queries, sent = (np.diff(result[column])[-1] for column in ("queries", "bytes"))
    return {"queries a round": f"{queries:,.0f}", "bytes a round": f"{sent:,.0f}"}


def _estimator(name: str, plugin: registry.Plugin) -> Row:
    estimator = plugin()
    excess = estimator.excess_variance(100)
    return {
        "queries": f"{estimator.queries(100):,}",
        "E‖ĝ − ∇‖²/‖∇‖²": "–" if excess is None else f"{excess:.4g}",
    }


def _compressor(name: str, plugin: registry.Plugin) -> Row:
    compressor = plugin()
    delta, variance = compressor.delta(1000), compressor.variance(1000)
    return {
        "bytes of 1,000 float32": f"{compressor.width(1000, np.float32):,}",
        "δ": "–" if delta is None else f"{delta:.3g}",
        "ω": "–" if variance is None else f"{variance:.3g}",
    }


def _gossip(name: str, plugin: registry.Plugin) -> Row:
    gossip, topology = plugin(), make("ring", 16)
    factor = gossip.contraction_factor(topology, None)
    row = {
        "needs of W": gossip.needs,
        "keeps the mean": "yes" if gossip.keeps_mean else "no",
        "λ_Q": "–" if factor is None else f"{factor:.4f}",
    }
    try:
        algorithm = DPSGD(estimator=Exact(), gossip=gossip)
        sent = simulate(objective=Quadratic(dim=100), topology=topology, algorithm=algorithm, rounds=2)["bytes"]
    except ValueError:  # it needs an algorithm or a topology of its own
        return row
    return row | {"bytes a round": f"{np.diff(sent)[-1]:,.0f}"}


MEASURES: dict[str, Callable[[str, registry.Plugin], Row]] = {
    "topology": _topology,
    "algorithm": _algorithm,
    "estimator": _estimator,
    "compressor": _compressor,
    "gossip": _gossip,
}
NOTES = {
    "topology": "At 16 peers where the graph allows it, with default options and seed 0.",
    "algorithm": "Queries and bytes are those of a peer, measured on a ring of 16 with default options and d = 100 "
    "in float32. A dash: the method needs a prompt, or another topology.",
    "estimator": "For d = 100 with default options; the variance is that on a linear function.",
    "compressor": "With default options. E‖C(x) − x‖² ≤ (1 − δ)‖x‖² holds for contractive compressors, and "
    "E‖C(x) − x‖² ≤ ω‖x‖² with E C(x) = x for unbiased ones, in 1,000 dimensions.",
    "gossip": "On a ring of 16, with default options; bytes are those of a peer for d = 100 in float32. "
    "A dash: it belongs to another algorithm or topology.",
}

"""Numbers of plug-ins for the tables of the reference, measured when the site is built."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from dfedsam import (
    DPSGD,
    Clock,
    Constant,
    DFedAvg,
    LogisticRegression,
    Plain,
    Quadratic,
    TwoPoint,
    make,
    registry,
    simulate,
)
from dfedsam.clock.links import Edges
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


def _weights(name: str, plugin: registry.Plugin) -> Row:
    gap = spectrum(make("grid", 16, weights=name))["gap"]
    return {"gap": "–" if gap is None else f"{gap:.4f}"}


def _cost(graph: str = "ring", rounds: int = 20, peers: int = 16, **options: Any) -> Row:
    """What a round costs a peer, on average over all rounds but the first tenth."""
    every = rounds // 10
    result = simulate(topology=make(graph, peers), rounds=rounds, evaluate_every=every, **options)
    queries, sent = ((result[name].iloc[-1] - result[name].iloc[1]) / (rounds - every) for name in ("queries", "bytes"))
    return {"queries a round": f"{queries:,.0f}", "bytes a round": f"{sent:,.0f}"}


def _algorithm(name: str, plugin: registry.Plugin) -> Row:
    return _cost(objective=Quadratic(dim=100), algorithm=plugin())


def _adversary(name: str, plugin: registry.Plugin) -> Row:
    cost = _cost(objective=LogisticRegression(), algorithm=DFedAvg(gossip=Plain()), adversary=plugin())
    return {"forges": ", ".join(sorted(plugin.forges))} | cost


def _privacy(name: str, plugin: registry.Plugin) -> Row:
    algorithm = DFedAvg(local_steps=1, estimator=TwoPoint())
    private = plugin(epsilon=3.0).for_run(make("ring", 16), algorithm, 100)
    cost = _cost(objective=LogisticRegression(), algorithm=algorithm, privacy=private)
    return {"noise on": plugin.releases, "protects": plugin.protects, "σ": f"{private.noise:.3g}"} | cost


def _compute(name: str, plugin: registry.Plugin) -> Row:
    row = {}
    for wait in ("neighbourhood", "barrier"):
        run = simulate(
            objective=Quadratic(dim=10),
            topology=make("ring", 16),
            algorithm=DPSGD(),
            clock=Clock(compute=plugin(), wait=wait),
            rounds=100,
            evaluate_every=100,
        )
        row[f"seconds a round, {wait}"] = f"{run['time'].iloc[-1] / 100:.3f}"
    return row


def _links(name: str, plugin: registry.Plugin) -> Row:
    edges = Edges.of(make("ring", 11).weights(0))
    return {
        f"ms of {text}": f"{1000 * plugin().seconds(edges, size).mean():.3g}"
        for text, size in (("1 kB", 1e3), ("1 MB", 1e6), ("100 MB", 1e8))
    }


def _availability(name: str, plugin: registry.Plugin) -> Row:
    clock = Clock(compute=Constant(mean=36.0), availability=plugin())
    return _cost(rounds=100, peers=64, objective=Quadratic(dim=100), algorithm=DPSGD(), clock=clock)


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
    gossip, topology = plugin(), make("torus", 16)
    factor = gossip.contraction_factor(topology, spectrum(topology)["lambda_q"])
    row = {
        "needs of W": gossip.needs,
        "keeps the mean": "yes" if gossip.keeps_mean else "no",
        "λ_Q": "–" if factor is None else f"{factor:.4f}",
    }
    algorithm = DFedAvg(local_steps=1, gossip=gossip)
    try:
        return row | _cost("torus", objective=Quadratic(dim=100), algorithm=algorithm)
    except ValueError:  # it needs a topology of its own
        return row


MEASURES: dict[str, Callable[[str, registry.Plugin], Row]] = {
    "topology": _topology,
    "weights": _weights,
    "algorithm": _algorithm,
    "estimator": _estimator,
    "compressor": _compressor,
    "gossip": _gossip,
    "adversary": _adversary,
    "privacy": _privacy,
    "compute": _compute,
    "links": _links,
    "availability": _availability,
}
NOTES = {
    "topology": "At 16 peers where the graph allows it, with default options and seed 0. A message is one vector along "
    "one edge, in one direction; a graph asks no queries.",
    "weights": "The gap is that of a 4 × 4 grid. Weights cost nothing: a gossip step sends one vector each way along "
    "each edge, whatever its weight.",
    "algorithm": "Queries and bytes are those of a peer, measured on a ring of 16 with default options and d = 100 "
    "in float32. A dash: the method needs a prompt, or another topology.",
    "objective": "An objective says what a query is, one loss of one x on one minibatch, and how long x is, and so a "
    "message. How many of each a round takes is up to the :doc:`algorithm <algorithm>` and its :doc:`estimator "
    "<estimator>`.",
    "estimator": "For d = 100 with default options; the variance is that on a linear function. Estimators send no "
    "messages.",
    "compressor": "With default options. E‖C(x) − x‖² ≤ (1 − δ)‖x‖² holds for contractive compressors, and "
    "E‖C(x) − x‖² ≤ ω‖x‖² with E C(x) = x for unbiased ones, in 1,000 dimensions. Compressors ask no queries.",
    "gossip": "On a 4 × 4 torus, with default options. Queries and bytes are those of a peer for DFedAvg with one "
    "local step, whose estimate takes 8 queries, and d = 100 in float32. A dash: it needs another topology.",
    "split": "A split costs no queries and no messages: it is the same on every peer by the seed.",
    "parameters": "The length of the prompt's vector, d, is the length of a message: 4 d bytes in float32.",
    "blackbox": "A query is one prompt on one minibatch: a forward pass of the model on each example or, for "
    "``endpoint``, a request for each example. The bare prompt and repeated questions are answered from a cache "
    "where an option says so.",
    "adversary": "One attacker among 16 peers on a ring, DFedAvg on ``logistic_regression`` (d = 84, float32); queries "
    "and bytes are those of an honest peer, and the same as without attackers: an attacker replaces messages and "
    "adds none, and a line search looks only at rows that it sees anyway.",
    "privacy": "σ is the noise for ε = 3 after 100 rounds. Queries and bytes are those of a peer on a ring of 16, with "
    "DFedAvg, one local step, on ``logistic_regression`` (d = 84, float32), and the same as without a mechanism.",
    "clock": "The clock costs no queries and no messages: it only says when they are sent. See below for its parts: "
    ":doc:`compute profiles <compute>`, :doc:`link profiles <links>` and :doc:`availability <availability>`.",
    "compute": "Simulated seconds of a round of D-PSGD (8 queries) on a ring of 16, on average over 100 rounds, when a "
    "peer waits for its neighbours or for all. Profiles change no query and no message. A dash: it needs a file.",
    "links": "Milliseconds of a message of this size on a ring of 11 peers that all send at once, on average over "
    "edges. A dash: it needs files.",
    "availability": "Queries and bytes are those of a peer of a ring of 64, absent or not, on average over a day of "
    "100 rounds of D-PSGD with d = 100 in float32; if nobody leaves they are 8 and 800. A peer that joins costs one "
    "vector, from the neighbour whose x it copies. A dash: it needs a file.",
}

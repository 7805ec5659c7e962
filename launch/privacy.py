"""`dfedsam privacy`: the ledger of a run."""

from __future__ import annotations

from json import dumps
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dfedsam.launch import build, options, tables
from dfedsam.run_folder import RunFolder

if TYPE_CHECKING:
    from dfedsam.experiment import Experiment

_MOST = 2000  # peers for which what each learns about each other one is computed
NONE = "no privacy guarantee"


def privacy(folder: Path, *, json: bool = False, allow_code: bool = False) -> int:
    """Show what a run has spent of its privacy budget: per peer, per neighbour, and by distance.

    ε per peer holds against an observer of everything that peers release. Where messages have independent noise, the
    ledger also shows what a peer that sees its neighbours' messages alone learns about another one, by their distance
    in links (pairwise network differential privacy). A run without a mechanism has no privacy guarantee.

    Args:
        folder: the run's folder.
        json: print all numbers as JSON.
        allow_code: import what config.yaml names by an import path: only for runs you trust.

    Examples:
        dfedsam run --objective logistic_regression --privacy gaussian --privacy.epsilon 3 --out runs/a
        dfedsam privacy runs/a
    """
    run = RunFolder(folder)
    run.read_config()
    experiment = build.build(options.read([options.read_file(str(run.config), code=allow_code)], []))
    rows = run.read_metrics()
    ledger = entries(experiment, int(rows[-1]["round"]) if rows else 0)
    print(dumps(ledger) if json else "\n".join(_lines(ledger)))
    return 0


def entries(experiment: Experiment, rounds: int) -> dict[str, Any]:
    """The ledger after some rounds, as values for JSON; `mechanism` alone is None without one."""
    from dfedsam.registry import public_name

    mechanism = experiment.privacy
    if mechanism is None:
        return {"mechanism": None, "guarantee": NONE}
    return {
        "mechanism": public_name(type(mechanism)),
        "releases": mechanism.describe(experiment.algorithm),
        "protects": mechanism.protects,
        "rounds": rounds,
        "epsilon": mechanism.spent(experiment.topology, experiment.algorithm, rounds),
        "budget": mechanism.epsilon,
        "delta": mechanism.delta,
        "noise": mechanism.noise,
        "clip": mechanism.clip,
        "accountant": mechanism.accountant,
        "by_distance": _by_distance(experiment, rounds),
    }


def _by_distance(experiment: Experiment, rounds: int) -> list[float] | None:
    """The mean ε towards peers at distance 1, 2, …; None where it has no formula."""
    import numpy as np

    from dfedsam.privacy.network import by_distance, pairwise_losses

    mechanism, topology, gossip = experiment.privacy, experiment.topology, experiment.algorithm.gossip_of_x()
    plain = topology.period == 1 and not topology.directed and topology.sums == "both" and topology.n <= _MOST
    if mechanism is None or not mechanism.pairwise or gossip is None or not gossip.admits_attackers or not plain:
        return None
    W, steps = topology.weights(0), gossip.num_steps(topology)
    if gossip.multipliers(np.ones(1), W) is None:  # a robust rule is no power of W
        return None
    shares = np.minimum(1, by_distance(W, pairwise_losses(W, steps)))[1:]  # all that is sent has a share of 1
    return [mechanism.spent_at(share, rounds) for share in shares.tolist()]


def _lines(ledger: dict[str, Any]) -> list[str]:
    if ledger["mechanism"] is None:
        return [NONE]
    budget = "no budget" if ledger["budget"] is None else f"of a budget of {ledger['budget']:g}"
    lines = [
        f"ε = {ledger['epsilon']:.4g} per peer, {budget}, at δ = {ledger['delta']:g}, after {ledger['rounds']} rounds",
        f"mechanism   {ledger['mechanism']}, noise σ = {ledger['noise']:.4g}, clip C = {ledger['clip']:g}",
        f"releases    {ledger['releases']}",
        f"protects    {ledger['protects']}, in training; metrics are not protected",
        f"accountant  {ledger['accountant']}",
    ]
    if ledger["by_distance"] is not None:
        rows = [(str(distance), f"{value:.4g}") for distance, value in enumerate(ledger["by_distance"], 1)]
        what = "mean ε towards a peer that sees its neighbours' messages alone, for the gossip after each noise:"
        lines += ["", what, tables.text(("distance", "ε"), [("neighbour" if d == "1" else d, e) for d, e in rows])]
    return lines

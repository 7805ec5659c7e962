"""`dfedsam privacy`: the ledger of a run."""

from __future__ import annotations

from json import dumps
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dfedsam.errors import OptionError
from dfedsam.launch import options, tables
from dfedsam.run_folder import RunFolder

if TYPE_CHECKING:
    from dfedsam.experiment import Experiment

_MOST = 1 << 31  # products of matrices' entries in computing what each peer learns about each other one
NONE = "no privacy guarantee"


def privacy(folder: Path, *, peer: int = -1, json: bool = False, allow_code: bool = False) -> int:
    """Show what a run has spent of its privacy budget: per peer, per neighbour, and by distance.

    The ε of a peer protects it from an observer of everything that peers release, and so from each neighbour. If
    messages have independent noise, the ledger also shows, by distance in links, how much less a single peer learns,
    which sees only its neighbours' messages (pairwise network differential privacy). A run without a mechanism has no
    privacy guarantee.

    Args:
        folder: the run's folder.
        peer: show what each neighbour of this peer learns about it; −1: a summary of all peers.
        json: print all numbers as JSON.
        allow_code: import what config.yaml names by an import path: only for runs you trust.

    Examples:
        dfedsam run --objective logistic_regression --privacy gaussian --privacy.epsilon 3 --out runs/a
        dfedsam privacy runs/a
    """
    run = RunFolder(folder)
    run.read_config()
    experiment = options.build(options.read([options.read_file(str(run.config), code=allow_code)], []))
    if not -1 <= peer < experiment.topology.n:
        raise OptionError("peer", peer, f"must be the number of a peer, at most {experiment.topology.n - 1}")
    rows = run.read_metrics()
    ledger = entries(experiment, int(rows[-1]["round"]) if rows else 0)
    print(dumps(ledger) if json else "\n".join(_lines(ledger, peer)))
    return 0


def entries(experiment: Experiment, rounds: int) -> dict[str, Any]:
    """The ledger after some rounds, as values for JSON; of a run without a mechanism it only says so."""
    from dfedsam.registry import public_name

    mechanism = experiment.privacy
    if mechanism is None:
        return {"mechanism": None, "guarantee": NONE}
    topology, algorithm = experiment.topology, experiment.algorithm
    each = mechanism.spent_by_peer(topology, algorithm, rounds).tolist()
    return {
        "mechanism": public_name(mechanism),
        "releases": mechanism.describe(algorithm),
        "protects": mechanism.protects,
        "rounds": rounds,
        "epsilon": mechanism.spent(topology, algorithm, rounds),
        "budget": mechanism.epsilon,
        "delta": mechanism.delta,
        "noise": mechanism.noise,
        "clip": mechanism.clip,
        "accountant": mechanism.accountant,
        "per_peer": each,
        **_pairwise(experiment, rounds, each),
    }


def _pairwise(experiment: Experiment, rounds: int, each: list[float]) -> dict[str, Any]:
    """ε of each peer's data towards each neighbour, and by distance where that has a formula."""
    import numpy as np

    from dfedsam.privacy.accounting import by_distance, losses_of_run
    from dfedsam.topologies.attackers import links

    mechanism, topology, gossip = experiment.privacy, experiment.topology, experiment.algorithm.gossip_of_x()
    adjacency = links(topology)
    pairs = [] if adjacency is None else list(zip(*(ends.tolist() for ends in adjacency.nonzero()), strict=True))
    whole = {"per_neighbour": [[u, v, each[u]] for u, v in pairs], "by_distance": None}
    if mechanism is None or not mechanism.pairwise or gossip is None or not gossip.admits_attackers or not rounds:
        return whole
    steps = gossip.num_steps(topology)
    if topology.period != 1 or topology.directed or topology.sums != "both":
        return whole
    W = topology.weights(0)
    if steps * rounds * topology.n * W.nnz > _MOST or gossip.multipliers(np.ones(1), W) is None:
        return whole  # a robust rule is no power of W
    losses = losses_of_run(W, steps, rounds)
    means, largest = by_distance(W, losses)
    return {
        "per_neighbour": [[u, v, mechanism.spent_at(float(losses[u, v]))] for u, v in pairs],
        "by_distance": [[mechanism.spent_at(loss) for loss in row] for row in zip(means[1:], largest[1:], strict=True)],
    }


def _lines(ledger: dict[str, Any], peer: int) -> list[str]:
    if ledger["mechanism"] is None:
        return [NONE]
    budget = "no budget" if ledger["budget"] is None else f"of a budget of {ledger['budget']:g}"
    epsilon = ledger["epsilon"] if peer < 0 else ledger["per_peer"][peer]
    whose = "per peer" if peer < 0 else f"of peer {peer}"
    lines = [
        f"ε = {epsilon:.4g} {whose}, {budget}, at δ = {ledger['delta']:g}, after {ledger['rounds']} rounds",
        f"mechanism   {ledger['mechanism']}, noise σ = {ledger['noise']:.4g}, clip C = {ledger['clip']:g}",
        f"releases    {ledger['releases']}",
        f"protects    {ledger['protects']}, in training; metrics are not protected",
        f"accountant  {ledger['accountant']}",
    ]
    least, most = (f"{value:.4g}" for value in (min(ledger["per_peer"]), ledger["epsilon"]))
    if least != most:
        lines.append(f"peers       ε from {least} to {most}, by their links")
    if peer >= 0:
        rows = [(str(v), f"{value:.4g}") for u, v, value in ledger["per_neighbour"] if u == peer]
        return [*lines, "", tables.text(("neighbour", "ε"), rows)]
    if ledger["by_distance"] is None:
        return [*lines, "neighbours  none is known to learn less than an observer of everything"]
    rows = [(str(d), *(f"{value:.4g}" for value in values)) for d, values in enumerate(ledger["by_distance"], 1)]
    what = "towards a single peer, which sees its neighbours' messages alone (1: a neighbour):"
    return [*lines, "", what, tables.text(("distance", "ε of the mean loss", "largest ε"), rows)]

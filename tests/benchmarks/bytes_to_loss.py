"""Bytes that peers send until their own models, on average, have come down to a share of the first loss."""

from __future__ import annotations

from dfedsam import (
    QSGD,
    Choco,
    DFedAvg,
    Float16,
    Flood,
    Plain,
    Quadratic,
    ScaledSign,
    TopK,
    TwoPoint,
    simulate,
    topologies,
)
from dfedsam.callbacks.base import INTERRUPTED, Callback, Run
from dfedsam.gossip import Gossip
from dfedsam.gossip.compressors import Compressor
from tests.benchmarks import Row

PEERS, DIM, SHARE = 16, 100_000, 0.7
COMPRESSORS: dict[str, tuple[Compressor, float]] = {
    "float16": (Float16(), 1.9),
    "top-1 %": (TopK(fraction=0.01), 30),
    "scaled sign": (ScaledSign(), 30),
    "4-bit QSGD": (QSGD(levels=7), 1),
}


def to_the_loss(gossip: Gossip, rounds: int) -> tuple[int, float] | None:
    """Rounds and bytes a peer until the mean loss of all peers' models is SHARE of the first; None: not in `rounds`.

    Each model is judged by the mean objective of all, so that peers must agree to do well: without any communication
    their loss rises, for a peer's estimate along four directions of 100,000 is nearly all noise.
    """
    rows: list[dict] = []

    class Watch(Callback):
        def after_round(self, run: Run) -> None:
            rows.extend([run.row] if run.row else [])
            if reached(rows):
                run.stop(INTERRUPTED)

    simulate(
        objective=Quadratic(dim=DIM, heterogeneity=0.1, condition=1e4),
        topology=topologies.make("ring", PEERS),
        algorithm=DFedAvg(local_steps=1, lr=1e-3, estimator=TwoPoint(directions=4), gossip=gossip),
        rounds=rounds,
        evaluate_every=5,
        callbacks=[Watch()],
    )
    return (rows[-1]["round"], rows[-1]["bytes"]) if reached(rows) else None


def reached(rows: list[dict]) -> bool:
    """Whether the last evaluation is at the loss that is asked for."""
    return rows[-1]["loss_local"] <= SHARE * rows[0]["loss_local"]


def run() -> list[Row]:
    """Compressed gossip with a step size that was found by trials, and flooding; each from the same start and seed."""
    plain = to_the_loss(Plain(), 2000)
    assert plain is not None
    gossips: dict[str, tuple[Gossip, float]] = {
        name: (Choco(compressor=compressor), target) for name, (compressor, target) in COMPRESSORS.items()
    }
    rows = []
    for name, (gossip, target) in {**gossips, "flood": (Flood(), 1000)}.items():
        most = 4 * plain[0]
        found = to_the_loss(gossip, most)
        figures = f"not in {most:,} rounds, against {plain[0]:,}"
        if found is not None:
            figures = (
                f"{found[1] / 1e6:.3g} against {plain[1] / 1e6:.3g} MB a peer, {found[0]} against {plain[0]} rounds"
            )
        rows.append(
            Row(
                what=f"bytes to {SHARE:.0%} of the first loss, {PEERS} peers × {DIM:,} on a ring, queries: {name}",
                floor="plain float32",
                ratio=0 if found is None else plain[1] / found[1],
                target=target,
                figures=figures,
            )
        )
    return rows

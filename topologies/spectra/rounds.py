"""Which rounds of a topology its figures are taken from: all of a period, or as many drawn ones as tell enough."""

from dataclasses import dataclass

import scipy.sparse as sp

from dfedsam.topologies.topology import Sums, Topology

LONG = 1000  # rounds of a period up to which all of it is looked at
ENTRIES = 50_000  # where rounds are drawn: peers of all that are looked at, together; but FEWEST to MOST rounds
FEWEST, MOST = 40, 500


@dataclass(frozen=True)
class Rounds:
    """The matrices that are looked at.

    Args:
        matrices: W_0, W_1, …, each (n, n); at least one.
        sampled: Whether they stand for others: W_t is drawn afresh in every round, or the period is longer than LONG.
        sums: Which of their lines sum to one (see `Topology`).
    """

    matrices: list[sp.csr_array]
    sampled: bool
    sums: Sums

    @property
    def n(self) -> int:
        """Number of peers."""
        return len(self.matrices[0].indptr) - 1

    @property
    def keeps_mean(self) -> bool:
        """Whether gossip keeps the mean."""
        return self.sums == "both"


def looked_at(topology: Topology) -> Rounds:
    """All rounds of a period, or the first 40 to 500 of a topology that is drawn, fewer of larger ones."""
    sampled = topology.period is None or topology.period > LONG
    count = min(MOST, max(FEWEST, ENTRIES // topology.n)) if sampled else topology.period or 1
    return Rounds([topology.weights(t) for t in range(count)], sampled, topology.sums)

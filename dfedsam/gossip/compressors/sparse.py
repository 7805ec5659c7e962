"""What compressors that send k of the d entries share."""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import ceil

from dfedsam.checks import whole
from dfedsam.gossip.compressors.base import ALIKE, Compressor
from topologies.checks import message, share


@dataclass(frozen=True, kw_only=True)
class Sparse(Compressor):
    """Sends k of a row's d entries as they are; the others count as zero.

    Args:
        fraction: share of the entries that are sent, in (0, 1]; k = fraction · d, rounded, at least 1.
        k: how many, 1 to d, in place of the fraction.
    """

    fraction: float = 0.1
    k: int | None = None

    def __post_init__(self) -> None:
        share("fraction", self.fraction, "0.01 sends one entry in a hundred")
        if self.k is not None:
            whole("k", self.k, 1)

    def check(self, dim: int) -> None:
        """See Compressor.

        Raises:
            ValueError: if k is above d.
        """
        if self.k is not None and self.k > dim:
            hint = "choose a smaller one, or a fraction"
            raise ValueError(message("k", self.k, f"must be at most the length of x, {dim} here", hint))

    def count(self, dim: int) -> int:
        """k for rows of length dim."""
        return self.k if self.k is not None else max(1, round(self.fraction * dim))

    def alike(self, dim: int) -> tuple[Compressor, int]:
        """See Compressor: the same share of the entries."""
        share = self.count(dim) / dim
        k = ceil(share * ALIKE)
        return (self, dim) if dim <= ALIKE else (replace(self, k=k), round(k / share))

    def delta(self, dim: int) -> float:
        """k/d."""
        return self.count(dim) / dim

"""Low rank: a row is viewed as a matrix, and two thin factors of it are sent."""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import isqrt
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import DTypeLike, NDArray

from dfedsam.errors import OptionError
from dfedsam.gossip.compressors.base import Compressor, from_bytes, to_bytes
from dfedsam.options import option, whole_number

if TYPE_CHECKING:
    from dfedsam.random import RandomStream


@dataclass(frozen=True, kw_only=True)
class LowRank(Compressor):
    """C(X) = P Pᵀ X for the row as a matrix X (m, n), in 32 r (m + n) bits: P = orth(X G) and XᵀP are sent.

    One step of a subspace iteration from a Gaussian G (n, r), n ≤ m, which all peers draw from the seed for every round
    and step. C is an orthogonal projection; onto the range of X G nothing less than X's share in G's range is kept, so
    that δ = r/n, and much more where X is nearly of low rank. Source: Vogels, Karimireddy and Jaggi (2019), "PowerSGD:
    practical low-rank gradient compression for distributed optimization". PowerGossip (Vogels, Karimireddy and Jaggi,
    2020) does as much to the difference of each pair of neighbours; here, with Choco, to a peer's own change.

    Args:
        rank: r, at least 1 and at most n.
        columns: n, to give rows their true shape, such as the number of a prompt's tokens; None: about √d.
            A last line that is not full is filled with zeros.
    """

    rank: int = option(1, whole_number, 1)
    columns: int | None = option(None, whole_number, 1)

    def check(self, dim: int) -> None:
        if self.columns is not None and self.columns > dim:
            raise OptionError("columns", self.columns, f"must be at most the length of x, {dim} here")
        least = min(self.shape(dim))
        if self.rank > least:
            rule = f"must be at most {least}, the lesser side of the matrix"
            raise OptionError("rank", self.rank, rule, "choose the compressor none to send all")

    def shape(self, dim: int) -> tuple[int, int]:
        """(m, n) of the matrix that a row of length dim fills, line by line."""
        n = self.columns or isqrt(dim)
        return -(-dim // n), n

    def width(self, dim: int, dtype: DTypeLike) -> int:
        return self.rank * sum(self.shape(dim)) * np.dtype(dtype).itemsize

    def write(self, x: NDArray, stream: RandomStream, messages: NDArray[np.uint8], decoded: NDArray) -> None:
        p, dim = x.shape
        m, n = self.shape(dim)
        X = np.zeros((p, m * n), x.dtype)
        X[:, :dim] = x
        X = X.reshape(p, m, n)
        if m < n:
            X = X.transpose(0, 2, 1)
        shared = replace(stream, purpose=f"{stream.purpose} subspace", peers=range(1))
        P = np.linalg.qr(np.matmul(X, shared.normal((X.shape[2], self.rank), x.dtype))).Q
        R = np.matmul(X.transpose(0, 2, 1), P)
        messages[:] = np.concatenate([to_bytes(P.reshape(p, -1)), to_bytes(R.reshape(p, -1))], axis=1)
        decoded[:] = self.decode(messages, dim, x.dtype, stream)

    def decode(self, messages: NDArray[np.uint8], dim: int, dtype: DTypeLike, stream: RandomStream) -> NDArray:
        m, n = self.shape(dim)
        tall, short = max(m, n), min(m, n)
        P = from_bytes(messages, 0, tall * self.rank, dtype).reshape(-1, tall, self.rank)
        R = from_bytes(messages, tall * self.rank * P.itemsize, short * self.rank, dtype).reshape(-1, short, self.rank)
        X = np.matmul(P, R.transpose(0, 2, 1)) if m >= n else np.matmul(R, P.transpose(0, 2, 1))
        return np.ascontiguousarray(X.reshape(len(messages), m * n)[:, :dim])

    def delta(self, dim: int) -> float:
        return self.rank / min(self.shape(dim))

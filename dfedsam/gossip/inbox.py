"""What a block's peers receive in one gossip step, edge by edge, with what attackers forge in place of their rows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from dfedsam.adversary import Attackers, View
from dfedsam.communication.kernels import WeightRows, accumulate, multiply

if TYPE_CHECKING:
    from dfedsam.gossip.channel import Channel

MessageNoise = Callable[[NDArray[np.intp], NDArray[np.intp]], NDArray]  # see Channel.noise


@dataclass(frozen=True)
class Inbox:
    """The messages of one gossip step; those of a receiver are neighbouring edges, in the order of their senders.

    Args:
        x: the block's own rows, shape (peers, d).
        rows: messages, each once, of the type of x, shape (m, d).
        indptr: edges indptr[i] … indptr[i + 1] − 1 lead to row i of the block, shape (peers + 1,).
        columns: the row of `rows` that each edge carries, shape (edges,).
        weights: of each edge, W_ij, shape (edges,).
        own_weights: W_ii, shape (peers,).
        honest: whether each edge's sender is honest, shape (edges,); nobody knows, but the oracle variants of rules.
        channel: of this step.
    """

    x: NDArray
    rows: NDArray
    indptr: NDArray[np.intp]
    columns: NDArray[np.intp]
    weights: NDArray[np.float64]
    own_weights: NDArray[np.float64]
    honest: NDArray[np.bool_]
    channel: Channel

    def sums(self, own_weights: NDArray[np.float64], weights: NDArray[np.float64]) -> NDArray:
        """own_weights_i x_i + Σ_e weights_e message_e, shape (peers, d), of the type of x, in the order of the edges.

        Args:
            own_weights: shape (peers,).
            weights: shape (edges,).
        """
        count, dtype, out = len(self.x), self.x.dtype, np.empty_like(self.x)
        diagonal = WeightRows(np.arange(count + 1), np.arange(count), own_weights.astype(dtype))
        edges = WeightRows(self.indptr, self.columns, weights.astype(dtype))
        multiply([(diagonal, self.x), (edges, self.rows)], out, self.channel.communicator.pool)
        return out


def plain(inbox: Inbox) -> NDArray:
    """The plain step: rows of W with these messages, shape (peers, d)."""
    return inbox.sums(inbox.own_weights, inbox.weights)


def exchange(
    channel: Channel,
    x: NDArray,
    rule: Callable[[Inbox], NDArray],
    sizes: NDArray[np.int64] | None = None,
    longest: int = 0,
) -> NDArray:
    """One gossip step: exchange the block's rows x (peers, d), let attackers forge theirs, and apply a rule.

    Args:
        channel: of this step.
        x: shape (peers, d).
        rule: from what is received to the block's new rows, shape (peers, d); called once for each scale of a line
            search for the worst attack, of which that is taken whose result is farthest from the honest peers' mean.
        sizes: see Channel.aggregate.
        longest: likewise.
    """
    inbox, receivers, senders = _receive(channel, np.ascontiguousarray(x), counted=sizes is None)
    if sizes is not None:
        _count(channel, sizes, longest)
    attackers = channel.attackers
    sent = inbox if channel.noise is None else _add_noise(inbox, channel.noise, receivers, senders)
    if attackers is None:
        return rule(sent)
    view, forged, honest = _view(inbox, channel, attackers, receivers, senders)
    adversary = attackers.adversary
    results = (rule(_forge(sent, adversary.forge(view, scale), forged, honest)) for scale in adversary.trials)
    if len(adversary.trials) == 1:
        return next(results)
    worst, farthest = x, -1.0
    for result in results:
        squares = np.where(view.honest, np.einsum("pd,pd->p", result - view.mean, result - view.mean), 0)
        distance = float(channel.communicator.total(squares))
        worst, farthest = (result, distance) if distance > farthest else (worst, farthest)
    return worst


def _count(channel: Channel, sizes: NDArray[np.int64], longest: int) -> None:
    """Count a message along every edge, of as many bytes as its sender's."""
    communicator, W = channel.communicator, channel.weights.tocoo()
    sent = np.bincount(W.col[(W.row != W.col) & (W.data != 0)], minlength=communicator.peers)
    communicator.count(int(sent.sum()), 0)
    communicator.bytes += int(communicator.total(sent[np.asarray(communicator.block)] * sizes))
    if communicator.exchanges is not None:
        communicator.exchanges.append((channel.weights, longest))


def _receive(channel: Channel, x: NDArray, *, counted: bool) -> tuple[Inbox, NDArray[np.intp], NDArray[np.intp]]:
    """The true messages, and for each edge the row of the block that receives and the number of the sender."""
    communicator, block = channel.communicator, np.asarray(channel.communicator.block)
    peers, messages = communicator.receive(channel.weights, x.view(np.uint8).reshape(len(x), -1), counted=counted)
    indptr, senders, weights = WeightRows.of(channel.weights, communicator.block)
    receivers = np.repeat(np.arange(len(block)), np.diff(indptr))
    diagonal = senders == block[receivers]
    own_weights = np.zeros(len(block))
    own_weights[receivers[diagonal]] = weights[diagonal]
    kept = ~diagonal & (weights != 0)
    receivers, senders, weights = receivers[kept], senders[kept], weights[kept]
    ends = np.concatenate([[0], np.cumsum(np.bincount(receivers, minlength=len(block)))])
    columns, honest = np.searchsorted(peers, senders), np.ones(len(senders), np.bool_)
    rows = messages.view(x.dtype)
    return Inbox(x, rows, ends, columns, weights, own_weights, honest, channel), receivers, senders


def _add_noise(inbox: Inbox, noise: MessageNoise, receivers: NDArray[np.intp], senders: NDArray[np.intp]) -> Inbox:
    """The inbox with noise on each message, and on each peer's own row."""
    block = np.asarray(inbox.channel.communicator.block)
    drawn = noise(np.concatenate([block[receivers], block]), np.concatenate([senders, block]))
    rows = inbox.rows[inbox.columns] + drawn[: len(senders)]
    return replace(inbox, x=inbox.x + drawn[len(senders) :], rows=rows, columns=np.arange(len(rows)))


def _view(
    inbox: Inbox, channel: Channel, attackers: Attackers, receivers: NDArray[np.intp], senders: NDArray[np.intp]
) -> tuple[View, NDArray[np.intp], NDArray[np.bool_]]:
    """What attackers see, the edges along which they forge, and whether each edge's sender is honest."""
    x, mask, block = inbox.x, attackers.mask, np.asarray(channel.communicator.block)
    honest = ~mask[senders]
    forged = np.flatnonzero(~honest & ~mask[block][receivers])
    at, inverse = np.unique(receivers[forged], return_inverse=True)
    true = honest & np.isin(receivers, at)
    row = np.searchsorted(at, receivers[true])
    ends = np.concatenate([[0], np.cumsum(np.bincount(row, minlength=len(at)))])
    w = inbox.weights[true]
    pull = x[at] * -np.bincount(row, w, minlength=len(at))[:, None].astype(x.dtype)
    accumulate(WeightRows(ends, inbox.columns[true], w.astype(x.dtype)), inbox.rows, pull)
    byzantine: NDArray[Any] = np.bincount(receivers[forged], inbox.weights[forged], minlength=len(block))
    view = View(
        x, ~mask[block], attackers, channel.communicator, receivers[forged], senders[forged],
        inbox.rows[inbox.columns[forged]], pull[inverse], byzantine[receivers[forged]], channel.stream,
    )  # fmt: skip
    return view, forged, honest


def _forge(inbox: Inbox, rows: NDArray, forged: NDArray[np.intp], honest: NDArray[np.bool_]) -> Inbox:
    """The inbox in which these edges carry these rows."""
    columns = inbox.columns.copy()
    columns[forged] = len(inbox.rows) + np.arange(len(forged))
    rows = np.concatenate([inbox.rows, np.asarray(rows, inbox.x.dtype)])
    return replace(inbox, rows=rows, columns=columns, honest=honest)

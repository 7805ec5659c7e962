"""γ, the consensus step size of compressed gossip: by theory, or by trials of nothing but consensus."""

from __future__ import annotations

from dataclasses import replace
from math import exp, inf, log
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import DTypeLike, NDArray
from scipy.sparse import csr_array
from scipy.sparse.csgraph import breadth_first_order

from dfedsam.gossip.channel import Channel
from dfedsam.random import RandomStream
from dfedsam.topologies import spectrum_ends
from dfedsam.topologies.tidy import diagonal

if TYPE_CHECKING:
    from dfedsam.gossip.choco import Choco

FIRST, FACTOR, LEAST = 4 / 3, 0.75, 1e-6  # what γ is tried: 4/3, 1, 0.75, 0.5625, … down to the least
STEPS = 100, 400  # of a trial, at least and at most
LONGER = 4  # times as many that the last trial takes
LOOKS = 10  # steps between two looks at how far the peers are apart
ENTRIES, PEERS = 1 << 15, 16  # of x in a trial, about; peers at least
DONE, APART = 1e-3, 4.0  # shares of the first distance at which a trial ends


def theory(W: csr_array, delta: float) -> float:
    """γ = ρ²δ/(16ρ + ρ² + 4β² + 2ρβ² − 8ρδ), ρ = 1 − λ, β = ‖I − W‖₂: CHOCO converges with it on any rows.

    Source: Koloskova, Stich and Jaggi (2019), theorem 2.

    Args:
        W: symmetric and doubly stochastic, (n, n).
        delta: δ of the compressor.
    """
    low, high = spectrum_ends(W)
    gap, beta = 1 - max(abs(low), abs(high)), 1 - low
    return gap**2 * delta / (16 * gap + gap**2 + 4 * beta**2 + 2 * gap * beta**2 - 8 * gap * delta)


def tuned(gossip: Choco, W: csr_array, dim: int, dtype: DTypeLike, seed: int) -> float:
    """γ found by trials: Gaussian rows are gossiped with one γ after another, for 1/δ steps, in which all is sent once.

    The γ with which the peers come together fastest is taken a quarter smaller: one that is too large may do well at
    first. For the same reason it is then tried four times as long, and lowered until in the second half of that the
    peers still come together, half as fast as without compression or by a factor e^½.
    Where 1/δ steps would be too many even so, γ is lowered by the share of them that is missing.

    Args:
        gossip: whose γ is sought.
        W: symmetric and doubly stochastic, (n, n).
        dim: length of the rows.
        dtype: their type.
        seed: the run's.
    """
    compressor, dim = gossip.compressor.alike(dim)
    gossip = replace(gossip, compressor=compressor, steps=1)
    W = trial_network(W, max(PEERS, ENTRIES // dim))
    whole = 1 / compressor.delta(dim)
    steps = int(np.clip(whole, *STEPS))
    x = RandomStream(seed, "consensus trial", 0, 0, range(len(W.indptr) - 1)).normal((dim,), dtype)
    gamma = best = FIRST
    least, worse = inf, 0
    while worse < 2 and gamma > LEAST:
        left = trial(replace(gossip, gamma=gamma), W, x, seed, steps)
        rate = log(max(left[-1], 1e-30)) / len(left) if left[-1] < 1 else inf
        if rate < least:
            least, best, worse = rate, gamma, 0
        elif least < inf:
            worse += 1
        gamma *= FACTOR
    gamma = best * FACTOR * min(1.0, LONGER * steps / whole)
    while gamma > LEAST:
        left = trial(replace(gossip, gamma=gamma), W, x, seed, LONGER * steps)
        due = min(1.0, gamma * (1 - spectrum_ends(W)[1]) * LONGER * steps / 2)  # without compression, at least
        if left[-1] < max(DONE, left[len(left) // 2] * exp(-due / 2)):
            break
        gamma *= FACTOR
    return gamma


def trial(gossip: Choco, W: csr_array, x: NDArray, seed: int, steps: int) -> list[float]:
    """The largest distance of a peer from the mean, as a share of the first, after every few steps.

    It ends before its time where nothing is left, or the peers have moved apart.

    Args:
        gossip: with a number as its gamma.
        W: (n, n).
        x: rows to begin with, (n, dim).
        seed: the run's.
        steps: how many, at most.
    """
    from dfedsam.communication.one_process import SingleProcess

    communicator, memory = SingleProcess(len(x)), gossip.init(np.zeros_like(x))
    x, first, left = x.copy(), _distance(x), []
    for step in range(steps):
        stream = RandomStream(seed, "consensus trial", step, 0, communicator.block)
        x, memory = gossip(x, memory, Channel(W, communicator, stream))
        if (step + 1) % LOOKS == 0:
            left.append(_distance(x) / first)
            if not DONE <= left[-1] <= APART:
                break
    return left


def trial_network(W: csr_array, most: int) -> csr_array:
    """W itself, or where it has more than `most` peers, the weights among some that are near to each other.

    How large γ may be depends on what peers and their neighbours do to each other, and on ‖I − W‖₂, to which I − W of
    the smaller communicator is scaled. It is a ball around the peer that gives its neighbours most weight.
    """
    if len(W.indptr) - 1 <= most:
        return W
    links = csr_array(W - diagonal(np.asarray(W.diagonal(), np.float64)))
    links.eliminate_zeros()
    met = breadth_first_order(links, int(np.argmax(links.sum(axis=1))), return_predecessors=False)
    ball = np.sort(met[:most])
    among = links[ball][:, ball]
    laplacian, eye = diagonal(np.asarray(among.sum(axis=1), np.float64)) - among, diagonal(np.ones(len(ball)))
    smaller = csr_array(eye - laplacian)
    scale = (1 - spectrum_ends(W)[0]) / (1 - spectrum_ends(smaller)[0])
    return csr_array(eye - scale * laplacian)


def _distance(x: NDArray) -> float:
    """The largest of all ‖x_i − x̄‖: a single peer, such as the centre of a star, may be the first to go astray."""
    away = x - x.mean(axis=0)
    return float(np.sqrt(np.einsum("pd,pd->p", away, away).max()))

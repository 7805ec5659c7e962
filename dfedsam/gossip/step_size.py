"""γ, the consensus step size of compressed gossip: by theory, or by trials of nothing but consensus."""

from __future__ import annotations

from collections.abc import Callable
from math import exp, inf, log
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import DTypeLike, NDArray
from scipy.sparse import csr_array
from scipy.sparse.csgraph import breadth_first_order

from dfedsam.gossip.channel import Channel
from dfedsam.random import RandomStream
from dfedsam.topologies import spectrum_ends
from dfedsam.topologies.matrices import diagonal

if TYPE_CHECKING:
    from dfedsam.gossip.base import Gossip

_FIRST, _FACTOR, _LEAST = 4 / 3, 0.75, 1e-6  # what γ is tried: 4/3, 1, 0.75, 0.5625, … down to the least
_STEPS = 100, 400  # of a trial, at least and at most
_LONGER = 4  # times as many that the last trial takes
_INTERVAL = 10  # steps between two measurements of the distance
_ENTRIES, _PEERS = 1 << 15, 16  # of x in a trial, about; peers at least
_DONE, _DIVERGED = 1e-3, 4.0  # shares of the first distance at which a trial ends


def theoretical_step_size(W: csr_array, delta: float) -> float:
    """γ = ρ²δ/(16ρ + ρ² + 4β² + 2ρβ² − 8ρδ), ρ = 1 − λ, β = ‖I − W‖₂: CHOCO converges with it on any rows.

    Source: Koloskova, Stich and Jaggi (2019), theorem 2.

    Args:
        W: symmetric and doubly stochastic, (n, n).
        delta: δ of the compressor.
    """
    low, high = spectrum_ends(W)
    gap, beta = 1 - max(abs(low), abs(high)), 1 - low
    return gap**2 * delta / (16 * gap + gap**2 + 4 * beta**2 + 2 * gap * beta**2 - 8 * gap * delta)


def tune_step_size(
    make: Callable[[float], Gossip[Any]], delta: float, W: csr_array, dim: int, dtype: DTypeLike, seed: int
) -> float:
    """γ found by trials: Gaussian rows are gossiped with one γ after another, for 1/δ steps, in which all is sent once.

    The γ with which the peers come together fastest is taken a quarter smaller: one that is too large may do well at
    first. For the same reason it is then tried four times as long, and lowered until in the second half of that the
    peers still come together, half as fast as without compression or by a factor e^½.
    Where 1/δ steps would be too many even so, γ is lowered by the share of them that is missing.

    Args:
        make: γ to the gossip, of one step.
        delta: δ of its compressor.
        W: symmetric and doubly stochastic, (n, n).
        dim: length of the rows.
        dtype: their type.
        seed: the run's.
    """
    W = trial_network(W, max(_PEERS, _ENTRIES // dim))
    whole = 1 / delta
    steps = int(np.clip(whole, *_STEPS))
    x = RandomStream(seed, "consensus trial", 0, 0, range(len(W.indptr) - 1)).normal((dim,), dtype)
    gamma = best = _FIRST
    least, worse = inf, 0
    while worse < 2 and gamma > _LEAST:
        distances = trial(make(gamma), W, x, seed, steps)
        rate = log(max(distances[-1], 1e-30)) / len(distances) if distances[-1] < 1 else inf
        if rate < least:
            least, best, worse = rate, gamma, 0
        elif least < inf:
            worse += 1
        gamma *= _FACTOR
    gamma = best * _FACTOR * min(1.0, _LONGER * steps / whole)
    while gamma > _LEAST:
        distances = trial(make(gamma), W, x, seed, _LONGER * steps)
        due = min(1.0, gamma * (1 - spectrum_ends(W)[1]) * _LONGER * steps / 2)  # without compression, at least
        if distances[-1] < max(_DONE, distances[len(distances) // 2] * exp(-due / 2)):
            break
        gamma *= _FACTOR
    return gamma


def trial(gossip: Gossip[Any], W: csr_array, x: NDArray, seed: int, steps: int) -> list[float]:
    """The largest distance of a peer from the mean, as a share of the first, after every few steps.

    It ends early where nothing is left, or the peers have diverged.

    Args:
        gossip: of one step.
        W: (n, n).
        x: rows to begin with, (n, dim).
        seed: the run's.
        steps: how many, at most.
    """
    from dfedsam.communication.single_process import SingleProcess

    communicator, state = SingleProcess(len(x)), gossip.init(np.zeros_like(x))
    x, first, distances = x.copy(), _distance(x), []
    for step in range(steps):
        stream = RandomStream(seed, "consensus trial", step, 0, communicator.block)
        x, state = gossip(x, state, Channel(W, communicator, stream))
        if (step + 1) % _INTERVAL == 0:
            distances.append(_distance(x) / first)
            if not _DONE <= distances[-1] <= _DIVERGED:
                break
    return distances


def trial_network(W: csr_array, most: int) -> csr_array:
    """W itself, or where it has more than `most` peers, the weights among some that are near to each other.

    How large γ may be depends on what peers and their neighbours do to each other, and on ‖I − W‖₂, to which I − W of
    the smaller network is scaled. It is a ball around the peer that gives its neighbours most weight.
    """
    if len(W.indptr) - 1 <= most:
        return W
    links = csr_array(W - diagonal(np.asarray(W.diagonal(), np.float64)))
    links.eliminate_zeros()
    reached = breadth_first_order(links, int(np.argmax(links.sum(axis=1))), return_predecessors=False)
    ball = np.sort(reached[:most])
    among = links[ball][:, ball]
    laplacian, eye = diagonal(np.asarray(among.sum(axis=1), np.float64)) - among, diagonal(np.ones(len(ball)))
    smaller = csr_array(eye - laplacian)
    scale = (1 - spectrum_ends(W)[0]) / (1 - spectrum_ends(smaller)[0])
    return csr_array(eye - scale * laplacian)


def _distance(x: NDArray) -> float:
    """The largest of all ‖x_i − x̄‖: a single peer, such as the centre of a star, may be the first to go astray."""
    away = x - x.mean(axis=0)
    return float(np.sqrt(np.einsum("pd,pd->p", away, away).max()))

"""γ, the consensus step size of compressed gossip: by theory, or by trials of consensus alone."""

from __future__ import annotations

from collections.abc import Callable
from math import log
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import block_diag, csr_array
from scipy.sparse.csgraph import breadth_first_order

from dfedsam.errors import RunError
from dfedsam.gossip.channel import Channel
from dfedsam.random import RandomStream
from dfedsam.topologies import spectrum_ends
from dfedsam.topologies.matrices import diagonal

if TYPE_CHECKING:
    from dfedsam.gossip.base import Gossip

_FIRST, _FACTOR, _LEAST = 4 / 3, 0.75, 1e-6  # what γ is tried: 4/3, 1, 0.75, 0.5625, … down to the least
_STEPS = 400, 4000  # of a long trial, at least and at most
_SHORTER, _SHORTEST = 10, 100  # times shorter that the first trials are; steps that they have at least
_REFRESHES = 40  # times that a long trial sends all there is to send
_INTERVAL = 20  # steps between two measurements of the distance
_ENTRIES, _PEERS = 1 << 13, 16  # of x in a trial, about; peers at least
_DONE, _DIVERGED = 1e-12, 4.0  # shares of the first distance at which a trial ends
_STEADY, _DUE = 0.6, 0.5  # shares of the earlier rate, or of that without compression, that the later rate must have
_FINE = 0.05  # δ from which on messages are so fine that no safety factor is needed
_NOISE = 0.05  # added between two measurements, as a share of the distance


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


def tune_step_size(make: Callable[[float], Gossip[Any]], delta: float, W: csr_array, dim: int) -> float:
    """γ by trials of consensus alone, below the values with which consensus converges steadily for a long time.

    Compressed gossip is positively homogeneous: the remaining error of Gaussian rows finally shrinks or grows by the
    largest factor of the error recursion, as in a power iteration. A γ that is too large often does well at first and
    diverges slowly, after thousands of steps. So short trials only find the γ that is fastest at first. Long ones, in
    which every entry is sent 40 times, up to 4,000 steps, lower it until the second half of the trial is about as fast
    as the time before, or half as fast as without compression, with that γ and with the next smaller one, of which
    three quarters are taken where δ is small. Occasional noise imitates local steps; networks of few peers
    are tried in several copies. Where even 4,000 steps are few, γ is lowered in proportion. The result depends on W and
    the compressor alone.

    Args:
        make: γ to the gossip, of one step.
        delta: δ of its compressor.
        W: symmetric and doubly stochastic, (n, n): what `trial_network` gives.
        dim: length of the rows.
    """
    steps = int(np.clip(_REFRESHES / delta, *_STEPS))
    gamma = best = _FIRST
    fastest, slower = 0.0, 0
    while slower < 2 and gamma > _LEAST:
        logs = trial(make(gamma), W, dim, max(_SHORTEST, steps // _SHORTER))
        rate = -logs[-1] / len(logs)
        if rate > fastest:
            fastest, best, slower = rate, gamma, 0
        elif fastest > 0:
            slower += 1
        gamma *= _FACTOR
    gamma, gap, steady = best, 1 - spectrum_ends(W)[1], 0
    while gamma > _LEAST:
        logs = trial(make(gamma), W, dim, steps)
        steady = steady + 1 if _is_steady(logs, gamma * gap) else 0
        if steady == 2:
            safety = _FACTOR if delta < _FINE else 1.0
            return gamma * safety * min(1.0, 4 * steps * delta / _REFRESHES)
        gamma *= _FACTOR
    return _LEAST


def _is_steady(logs: list[float], due: float) -> bool:
    """Whether consensus converges in the second half of a long trial at the required rate.

    Args:
        logs: result of `trial`.
        due: the rate per step without compression.
    """
    if logs[-1] <= log(_DONE) or logs[-1] >= log(_DIVERGED):
        return logs[-1] < 0
    early, half = len(logs) // 8, len(logs) // 2
    before = (logs[early] - logs[half]) / (half - early)
    later = (logs[half] - logs[-1]) / (len(logs) - 1 - half)
    return later > min(_STEADY * before, _DUE * due * _INTERVAL) and later > 0


def trial(gossip: Gossip[Any], W: csr_array, dim: int, steps: int) -> list[float]:
    """Log of the largest distance of a peer from the mean, as a share of the first, after every few steps.

    It ends early on consensus or divergence.

    Args:
        gossip: of one step.
        W: (n, n).
        dim: length of the rows.
        steps: maximum number of steps.
    """
    from dfedsam.communication.single_process import SingleProcess

    n = len(W.indptr) - 1
    copies = max(1, _PEERS // n)  # of a small network, each with rows of its own; the worst counts
    W = csr_array(block_diag([W] * copies, format="csr"))
    communicator = SingleProcess(n * copies)
    x = RandomStream(0, "consensus trial", 0, 0, communicator.block).normal((dim,), np.float64)
    x -= np.repeat(x.reshape(copies, n, dim).mean(axis=1), n, axis=0)
    state, first, logs = gossip.init(np.zeros_like(x)), _distance(x, n), []
    for step in range(1, steps + 1):
        stream = RandomStream(0, "consensus trial", step, 0, communicator.block)
        try:
            x, state = gossip(x, state, Channel(W, communicator, stream))
        except RunError:
            return [*logs, log(_DIVERGED)]
        if step % _INTERVAL == 0:
            distance = _distance(x, n)
            logs.append(log(max(distance / first, _DONE)))
            if not log(_DONE) < logs[-1] < log(_DIVERGED):
                break
            x += _NOISE * distance * dim**-0.5 * stream.normal((dim,), np.float64)
    return logs


def trial_network(W: csr_array, dim: int) -> csr_array:
    """W itself or, if it has many peers, the weights among some neighbouring ones.

    The largest stable γ depends on local interactions, and on ‖I − W‖₂, to which I − W of
    the smaller network is scaled. It is a ball around the peer that gives its neighbours most weight.

    Args:
        W: symmetric and doubly stochastic, (n, n).
        dim: length of the rows of a trial: the longer they are, the fewer peers it has.
    """
    most = max(_PEERS, _ENTRIES // dim)
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


def _distance(x: NDArray, n: int) -> float:
    """The largest of all ‖x_i − x̄‖: a single peer, such as the centre of a star, may be the first to diverge.

    Args:
        x: shape (copies · n, dim).
        n: peers of a copy, which has a mean of its own.
    """
    networks = x.reshape(-1, n, x.shape[1])
    away = networks - networks.mean(axis=1, keepdims=True)
    return float(np.sqrt(np.einsum("cpd,cpd->cp", away, away).max()))

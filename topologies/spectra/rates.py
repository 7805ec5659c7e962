"""How fast a topology mixes: the rates of one symmetric W, of a period, and of rounds that are drawn."""

from __future__ import annotations

import math
from typing import Any

import scipy.sparse as sp

from dfedsam.errors import OptionError
from dfedsam.topologies.spectra import extremes
from dfedsam.topologies.spectra.circulant import Circulant, CirculantRounds
from dfedsam.topologies.spectra.contraction import Contraction, expected_contraction, is_normal, long_run, norm, radius
from dfedsam.topologies.spectra.neighbours import (
    GAMMA,
    from_eigenvalues,
    from_variance,
    of_many_peers,
    schedule_neighbours,
)
from dfedsam.topologies.spectra.rounds import Rounds, finite_time, rounds_to
from dfedsam.topologies.spectra.symmetric import Modes
from dfedsam.topologies.topology import TOLERANCE, Topology

ERROR = 1e-6  # of `rounds_to_1e-6`
RUN = 100  # rounds over which a large W that is not symmetric shows its rate, after twice as many
MOST_STEPS = 1000  # gossip steps Q of a round whose powers are multiplied out
WORK = 10**8  # stored entries of all rounds times Q, at most, where Q is above 1
_SLACK = 1e-9  # of a round, so that a logarithm's rounding adds none


Rates = dict[str, Any]
"""Entries of `Spectrum` under their names; others are None. "contraction" is a `Contraction`."""


def rates_of_one(rounds: Rounds, modes: Modes, steps: int) -> Rates:
    """The rates of one symmetric W, from its eigenvalues."""
    rate = max(abs(modes.lambda_2), abs(modes.lambda_min))
    rate = 0.0 if rate <= TOLERANCE else rate
    neighbours, values = None, modes.values
    exact = values is not None or Circulant.of(rounds.matrices[0]) is not None
    if rate < 1 + TOLERANCE:  # else the variance of the walk that defines them grows without bound
        neighbours = of_many_peers(rounds.matrices[0]) if values is None else from_eigenvalues(values)
    rate_q = _power(rate, steps)
    return {
        **dict.fromkeys(("lambda", "rho", "sigma_2", "periodic_rate"), rate),
        "lambda_2": modes.lambda_2,
        "lambda_min": modes.lambda_min,
        "contraction": Contraction(rate**2, 0.0, True),
        "lambda_q": rate_q,
        "rounds_to_1e-6": _rounds_at(rate_q),
        "effective_neighbours": neighbours,
        "approximate": [] if exact else ["effective_neighbours"],
        "finite_time": None if rate else 1,
    }


def rates_of_period(topology: Topology, rounds: Rounds, steps: int) -> Rates:
    """The rates of a whole period, or of one W that is not symmetric."""
    matrices, period, dense = rounds.matrices, len(rounds.matrices), extremes.small(rounds.n)
    circulant = CirculantRounds.of(matrices, GAMMA) if rounds.keeps_mean and not dense else None
    if circulant:
        return _rates_of_circulants(circulant, rounds, steps)
    contraction = expected_contraction(topology, rounds=rounds)
    end = finite_time(rounds)
    approximate = [] if dense else ["effective_neighbours"]
    if period == 1 and rounds.keeps_mean and is_normal(matrices[0]):  # then ‖D^t‖ = ‖D‖^t
        rho = rate = each = _root(contraction.value, 2)
        each_q = None if rate is None else _power(rate, steps)
        needed = _rounds_at(each_q)
    else:
        _check_work(rounds, steps)
        rate = _root(norm(matrices), period)
        rho, estimated = (0.0, False) if end else _long_run(matrices, 1)
        each = rate if rounds.keeps_mean else rho
        each_q = _rate_of_steps(rounds, each, steps)
        approximate += ["rho"] * estimated
        if not rounds.keeps_mean:
            approximate += ["lambda", "gap", "gap_squared", "lambda_q"] * estimated
        if rho is not None and rho >= 1 - TOLERANCE:
            needed = None
        else:
            needed = rounds_to(rounds, ERROR, steps) if dense else _rounds_at(each_q, period)
        if end and steps == 1:
            needed = min(end, needed or end)
        elif not dense:
            approximate.append("rounds_to_1e-6")
    return {
        "lambda": each,
        "rho": rho,
        "contraction": contraction,
        "lambda_q": each_q,
        "rounds_to_1e-6": needed,
        "effective_neighbours": _neighbours(rounds, rho),
        "approximate": approximate,
        "sigma_2": rate if period == 1 else None,
        "periodic_rate": rate,
        "finite_time": end,
    }


def _rates_of_circulants(circulant: CirculantRounds, rounds: Rounds, steps: int) -> Rates:
    """The rates of a period of circulant matrices, in closed form; their products are normal: ‖D^t‖ = ‖D‖^t."""
    period, end = len(rounds.matrices), circulant.finite_time
    rate = circulant.norm ** (1 / period)
    rate_q = _power(rate, steps)
    needed = _rounds_at(rate_q, period)
    if end and steps == 1:
        needed = min(end, needed or end)
    return {
        **dict.fromkeys(("lambda", "rho", "periodic_rate"), rate),
        "contraction": Contraction(circulant.contraction, 0.0, True),
        "lambda_q": rate_q,
        "rounds_to_1e-6": needed,
        "effective_neighbours": from_variance(rounds.n, circulant.variance),
        "approximate": [] if period == 1 or (end and steps == 1) else ["rounds_to_1e-6"],
        "sigma_2": rate if period == 1 else None,
        "finite_time": end,
    }


def rates_of_drawn(topology: Topology, rounds: Rounds, steps: int) -> Rates:
    """The rates of sampled rounds, from the expected contraction or, where the mean is not kept, the long run."""
    contraction = expected_contraction(topology, rounds=rounds)
    approximate = ["effective_neighbours"]
    _check_work(rounds, steps)
    keeps_mean = rounds.keeps_mean or (topology.unbiased_in_mean and contraction.exact)
    if keeps_mean:
        last = contraction if steps == 1 else expected_contraction(topology, steps, rounds)
        each, each_q = _root(contraction.value, 2), _root(last.value, 2)
        rho = None
    else:
        each = rho = long_run(rounds.matrices)
        each_q = each if steps == 1 else long_run(rounds.matrices, steps)
        approximate += ["rho"]
    if not (contraction.exact and keeps_mean):
        approximate += ["lambda", "gap", "gap_squared"]
    if not contraction.exact:
        approximate += ["contraction"]
    if steps > 1 or not contraction.exact or not keeps_mean:
        approximate += ["lambda_q", "rounds_to_1e-6"]
    return {
        "lambda": each,
        "rho": rho,
        "contraction": contraction,
        "lambda_q": each_q,
        "rounds_to_1e-6": _rounds_at(each_q),
        "effective_neighbours": _neighbours(rounds, each),
        "approximate": approximate,
    }


def _check_work(rounds: Rounds, steps: int) -> None:
    """Refuse gossip steps whose products would take too long."""
    stored = sum(W.nnz for W in rounds.matrices)
    most = max(1, min(MOST_STEPS, WORK // stored))
    if steps > most:
        raise OptionError("steps", steps, f"must be at most {most:,} for this schedule or directed graph", "take fewer")


def _rate_of_steps(rounds: Rounds, each: float | None, steps: int) -> float | None:
    """The rate a round with Q steps in each, given that with one."""
    if steps == 1:
        return each
    if rounds.keeps_mean:
        return _root(norm(rounds.matrices, steps), len(rounds.matrices))
    return _long_run(rounds.matrices, steps)[0]


def _long_run(matrices: list[sp.csr_array], steps: int) -> tuple[float | None, bool]:
    """The rate in the long run, and whether it is an estimate; None where that would be a poor one."""
    exact = _root(radius(matrices, steps), len(matrices))
    if exact is not None:
        return exact, False
    estimate = long_run(matrices * -(-RUN // len(matrices)), steps)
    return (estimate if estimate < 1 - 3 / RUN else None), True


def _neighbours(rounds: Rounds, rate: float | None) -> float | None:
    """n_W; None where peers divide by push-sum's weights, which is another walk, or the walk's variance diverges."""
    if rounds.sums == "columns" or (rate is not None and rate >= 1 + TOLERANCE):
        return None
    return schedule_neighbours(rounds.matrices, keeps_mean=rounds.keeps_mean, exact=not rounds.sampled)


def _root(value: float | None, degree: int) -> float | None:
    return None if value is None else value ** (1 / degree)


def _power(rate: float, steps: int) -> float:
    """rate^Q; infinity where that is beyond all numbers."""
    try:
        return rate**steps
    except OverflowError:
        return math.inf


def _rounds_at(rate: float | None, period: int = 1) -> int | None:
    """Rounds until rate^t ≤ ERROR, in whole periods."""
    if rate is None or rate >= 1 - TOLERANCE:
        return None
    if rate**period <= ERROR:
        return period
    return period * math.ceil(math.log(ERROR) / (period * math.log(rate)) - _SLACK)

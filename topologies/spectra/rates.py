"""How fast a topology mixes: the figures of one symmetric W, of a period, and of rounds that are drawn.

`topologies.spectra.spectrum` says what their names mean.
"""

import math
from typing import Any

import scipy.sparse as sp

from dfedsam.topologies.spectra import extremes
from dfedsam.topologies.spectra.contraction import expected_contraction
from dfedsam.topologies.spectra.mixing import finite_time, rounds_to
from dfedsam.topologies.spectra.neighbours import effective_neighbours, from_eigenvalues, schedule_neighbours
from dfedsam.topologies.spectra.products import is_normal, long_run, norm, radius
from dfedsam.topologies.spectra.rounds import Rounds
from dfedsam.topologies.spectra.symmetric import Modes
from dfedsam.topologies.topology import TOLERANCE, Topology

ERROR = 1e-6  # of `rounds_to_1e-6`
RUN = 100  # rounds over which a large W that is not symmetric shows its rate, after twice as many
_SLACK = 1e-9  # of a round, so that a logarithm's rounding asks for no further one
Figures = dict[str, Any]


def of_one(rounds: Rounds, found: Modes, steps: int) -> Figures:
    """Of one symmetric W, from its eigenvalues."""
    rate = max(abs(found.lambda_2), abs(found.lambda_min))
    rate = 0.0 if rate <= TOLERANCE else rate
    neighbours = None
    if rate < 1 + TOLERANCE:  # else the walk that defines them never comes to rest
        values = found.values
        neighbours = effective_neighbours(rounds.matrices[0]) if values is None else from_eigenvalues(values)
    return {
        "lambda": rate,
        "lambda_2": found.lambda_2,
        "lambda_min": found.lambda_min,
        "gap_2": 1 - found.lambda_2,
        "sigma_2": rate,
        "rho": rate,
        "periodic_rate": rate,
        "contraction": rate**2,
        "contraction_stderr": 0.0,
        "lambda_q": rate**steps,
        "finite_time": None if rate else 1,
        "rounds_to_1e-6": _rounds_at(rate**steps),
        "effective_neighbours": neighbours,
        "approximate": ["effective_neighbours"] if found.values is None else [],
    }


def of_period(topology: Topology, rounds: Rounds, steps: int) -> Figures:
    """Of a whole period, or of one W that is not symmetric."""
    matrices, period, dense = rounds.matrices, len(rounds.matrices), extremes.small(rounds.n)
    contraction = expected_contraction(topology, rounds=rounds)
    ended = finite_time(rounds)
    approximate = [] if dense else ["effective_neighbours"]
    if period == 1 and rounds.keeps_mean and is_normal(matrices[0]):  # then ‖D^t‖ = ‖D‖^t
        rho = rate = each = _root(contraction.value, 2)
        each_q = None if rate is None else rate**steps
        needed = _rounds_at(each_q)
    else:
        rate = _root(norm(matrices), period)
        rho, estimated = (0.0, False) if ended else _long_run(matrices, 1)
        each = each_q = rate if rounds.keeps_mean else rho
        approximate += ["rho"] * estimated
        if not rounds.keeps_mean:
            approximate += ["lambda", "gap", "gap_squared", "lambda_q"] * estimated
        if steps > 1:
            each_q = _root(norm(matrices, steps), period) if rounds.keeps_mean else _long_run(matrices, steps)[0]
        needed = rounds_to(rounds, ERROR, steps) if dense else _rounds_at(each_q, period)
        if ended and steps == 1:
            needed = min(ended, needed or ended)
        elif not dense:
            approximate.append("rounds_to_1e-6")
    return {
        "lambda": each,
        "sigma_2": rate if period == 1 else None,
        "rho": rho,
        "periodic_rate": rate,
        "contraction": contraction.value,
        "contraction_stderr": contraction.stderr,
        "lambda_q": each_q,
        "finite_time": ended,
        "rounds_to_1e-6": needed,
        "effective_neighbours": _neighbours(rounds),
        "approximate": approximate,
    }


def of_drawn(topology: Topology, rounds: Rounds, steps: int) -> Figures:
    """Of rounds that stand for others, from the expected contraction or, without a mean that is kept, the long run."""
    contraction = expected_contraction(topology, rounds=rounds)
    approximate = ["effective_neighbours"]
    if rounds.keeps_mean:
        last = contraction if steps == 1 else expected_contraction(topology, steps, rounds)
        each, each_q = _root(contraction.value, 2), _root(last.value, 2)
        rho = None
    else:
        each = rho = long_run(rounds.matrices)
        each_q = each if steps == 1 else long_run(rounds.matrices, steps)
        approximate += ["rho"]
    if not (contraction.exact and rounds.keeps_mean):
        approximate += ["lambda", "gap", "gap_squared"]
    if not contraction.exact:
        approximate += ["contraction"]
    if steps > 1 or not contraction.exact or not rounds.keeps_mean:
        approximate += ["lambda_q", "rounds_to_1e-6"]
    return {
        "lambda": each,
        "rho": rho,
        "contraction": contraction.value,
        "contraction_stderr": contraction.stderr,
        "lambda_q": each_q,
        "rounds_to_1e-6": _rounds_at(each_q),
        "effective_neighbours": _neighbours(rounds),
        "approximate": approximate,
    }


def _long_run(matrices: list[sp.csr_array], steps: int) -> tuple[float | None, bool]:
    """The rate in the long run, and whether it is an estimate; None where that would be a poor one."""
    found = _root(radius(matrices, steps), len(matrices))
    if found is not None:
        return found, False
    found = long_run(matrices * -(-RUN // len(matrices)), steps)
    return (found if found < 1 - 3 / RUN else None), True


def _neighbours(rounds: Rounds) -> float | None:
    if rounds.sums == "columns":  # peers divide by push-sum's weights: the walk is another
        return None
    return schedule_neighbours(rounds.matrices, keeps_mean=rounds.keeps_mean, exact=not rounds.sampled)


def _root(value: float | None, degree: int) -> float | None:
    return None if value is None else value ** (1 / degree)


def _rounds_at(rate: float | None, period: int = 1) -> int | None:
    """Rounds until rate^t ≤ ERROR, in whole periods."""
    if rate is None or rate >= 1 - TOLERANCE:
        return None
    if rate**period <= ERROR:
        return period
    return period * math.ceil(math.log(ERROR) / (period * math.log(rate)) - _SLACK)

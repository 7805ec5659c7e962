"""How long messages would take: the α–β model of a round."""

import numpy as np
import pandas as pd

from dfedsam.analysis.panels import numbers

LATENCY = 0.01  # α, seconds a message: machines in one country
BANDWIDTH = 12.5e6  # 1/β, bytes a second: 100 Mbit/s


def with_time(evaluations: pd.DataFrame, latency: float = LATENCY, bandwidth: float = BANDWIDTH) -> pd.DataFrame:
    """The same table with a column `time`: seconds that messages have taken so far.

    A peer sends its messages one after another, so a gossip step takes deg · (α + β m) with the largest degree of a
    round and m bytes a message; Q steps take Q times that. Queries and local steps take no time here.

    Args:
        evaluations: as in `analysis.studies.Study`; NaN comes of runs that do not say their degrees.
        latency: α, seconds a message, at least 0.
        bandwidth: 1/β, bytes a second, above 0.

    Raises:
        ValueError: if latency or bandwidth is out of range.
    """
    if not latency >= 0:
        raise ValueError(f"latency is {latency}: it must be at least 0 seconds; {LATENCY} is usual")
    if not bandwidth > 0:
        raise ValueError(f"bandwidth is {bandwidth}: it must be above 0 bytes a second; {BANDWIDTH:g} is usual")
    most, mean = numbers(evaluations, "degree_round_max"), numbers(evaluations, "degree_round_mean")
    steps = numbers(evaluations, "steps")
    steps = np.where(np.isfinite(steps), steps, 1)
    with np.errstate(divide="ignore", invalid="ignore"):
        carried = numbers(evaluations, "bytes") * most / mean / bandwidth
    return evaluations.assign(time=numbers(evaluations, "round") * steps * most * latency + carried)

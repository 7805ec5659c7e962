"""dfedsam: a decentralised peer-to-peer gossip simulator for black-box prompt tuning."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dfedsam.algorithms import DPSGD, CentralAverage, DFedAvg, DFedAvgM, DFedSAM, DFedSAMMG, LocalOnly
from dfedsam.errors import RunError
from dfedsam.gossip import Plain
from dfedsam.objectives import LogisticRegression, Quadratic
from dfedsam.simulation import Simulation
from dfedsam.zeroth_order import CoordinateWise, Exact, OneSided, TwoPoint

if TYPE_CHECKING:
    import pandas as pd

__version__ = "0.1.0"

__all__ = [
    "DPSGD",
    "CentralAverage",
    "CoordinateWise",
    "DFedAvg",
    "DFedAvgM",
    "DFedSAM",
    "DFedSAMMG",
    "Exact",
    "LocalOnly",
    "LogisticRegression",
    "OneSided",
    "Plain",
    "Quadratic",
    "RunError",
    "Simulation",
    "TwoPoint",
    "simulate",
]


def simulate(**options: Any) -> pd.DataFrame:
    """Run a simulation and return its metrics, one row an evaluation.

    Args:
        **options: those of `Simulation`: objective, topology, algorithm, rounds, seed, out, …

    Returns:
        The rows of `metrics.jsonl` as a pandas DataFrame.
    """
    import pandas as pd

    return pd.DataFrame(Simulation(**options).run())

"""dfedsam: a decentralised peer-to-peer gossip simulator for black-box prompt tuning."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import networkx as nx

import topologies
from dfedsam.algorithms import (
    BBT,
    D2,
    DPSGD,
    SGP,
    Algorithm,
    CentralAverage,
    DecentLaM,
    DFedAdam,
    DFedADMM,
    DFedAvg,
    DFedAvgM,
    DFedCata,
    DFedSAM,
    DFedSAMMG,
    Extra,
    FedAvgBBT,
    FedBBPT,
    FedBPT,
    GossipCMAES,
    GradientTracking,
    Lead,
    LocalOnly,
    MomentumTracking,
    OledFL,
    QGDSGDm,
)
from dfedsam.errors import RunError
from dfedsam.gossip import Chebyshev, Choco, DeepSqueeze, FiniteTime, Flood, Plain, PushSum, SecondOrder
from dfedsam.gossip.compressors import QSGD, BFloat16, Float16, LowRank, NoCompression, RandomK, ScaledSign, TopK
from dfedsam.objectives import LogisticRegression, Objective, Quadratic
from dfedsam.simulation import Simulation
from dfedsam.zeroth_order import SPSA, CoordinateWise, Exact, OneSided, PolicyGradient, ScoreSketch, TwoPoint

if TYPE_CHECKING:
    import pandas as pd

__version__ = "0.1.0"

__all__ = [
    "BBT",
    "D2",
    "DPSGD",
    "QSGD",
    "SGP",
    "SPSA",
    "BFloat16",
    "CentralAverage",
    "Chebyshev",
    "Choco",
    "CoordinateWise",
    "DFedADMM",
    "DFedAdam",
    "DFedAvg",
    "DFedAvgM",
    "DFedCata",
    "DFedSAM",
    "DFedSAMMG",
    "DecentLaM",
    "DeepSqueeze",
    "Exact",
    "Extra",
    "FedAvgBBT",
    "FedBBPT",
    "FedBPT",
    "FiniteTime",
    "Float16",
    "Flood",
    "GossipCMAES",
    "GradientTracking",
    "Lead",
    "LocalOnly",
    "LogisticRegression",
    "LowRank",
    "MomentumTracking",
    "NoCompression",
    "OledFL",
    "OneSided",
    "Plain",
    "PolicyGradient",
    "PushSum",
    "QGDSGDm",
    "Quadratic",
    "RandomK",
    "RunError",
    "ScaledSign",
    "ScoreSketch",
    "SecondOrder",
    "Simulation",
    "TopK",
    "TwoPoint",
    "simulate",
]


def simulate(
    *,
    objective: Objective,
    topology: topologies.Topology | nx.Graph,
    algorithm: Algorithm,
    out: Path | str | None = None,
    **options: Any,
) -> pd.DataFrame:
    """Run a simulation and return its metrics, one row an evaluation.

    Args:
        objective: what is minimised, such as `Quadratic(dim=50)`.
        topology: a networkx graph (which gets Metropolis weights) or a topology, such as `make("ring", 16)`.
        algorithm: what the peers do in a round, such as `DFedSAM(rho=0.05)`.
        out: the run's folder, which must not be there yet; without it nothing is written.
        **options: the others of `Simulation`: rounds, seed, dtype, evaluate_every, …

    Returns:
        The rows of `metrics.jsonl` as a pandas DataFrame.

    Raises:
        ValueError: for bad input, before anything is written.
        RunError: if the run cannot go on; its last checkpoint is kept.
    """
    import pandas as pd

    topology = topology if isinstance(topology, topologies.Topology) else topologies.Static(topology)
    folder = None if out is None else Path(out)
    simulation = Simulation(objective=objective, topology=topology, algorithm=algorithm, out=folder, **options)
    return pd.DataFrame(simulation.run())

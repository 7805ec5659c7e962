"""Algorithms: one short file each."""

from dfedsam.algorithms.base import Algorithm, ServerAlgorithm, State
from dfedsam.algorithms.baselines import CentralAverage, LocalOnly
from dfedsam.algorithms.dfedavg import DFedAvg, DFedAvgM
from dfedsam.algorithms.dfedsam import DFedSAM, DFedSAMMG
from dfedsam.algorithms.dpsgd import DPSGD

__all__ = [
    "DPSGD",
    "Algorithm",
    "CentralAverage",
    "DFedAvg",
    "DFedAvgM",
    "DFedSAM",
    "DFedSAMMG",
    "LocalOnly",
    "ServerAlgorithm",
    "State",
]

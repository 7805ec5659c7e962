"""Algorithms: one short file each."""

from dfedsam.algorithms.base import Algorithm, GradientMethod, State
from dfedsam.algorithms.baselines import CentralAverage, LocalOnly
from dfedsam.algorithms.bbt import BBT, FedAvgBBT
from dfedsam.algorithms.d2 import D2
from dfedsam.algorithms.decentlam import DecentLaM
from dfedsam.algorithms.dfedadam import DFedAdam
from dfedsam.algorithms.dfedadmm import DFedADMM
from dfedsam.algorithms.dfedavg import DFedAvg, DFedAvgM
from dfedsam.algorithms.dfedcata import DFedCata
from dfedsam.algorithms.dfedsam import DFedSAM, DFedSAMMG
from dfedsam.algorithms.dpsgd import DPSGD, SGP
from dfedsam.algorithms.extra import Extra
from dfedsam.algorithms.fedbbpt import FedBBPT
from dfedsam.algorithms.fedbpt import FedBPT
from dfedsam.algorithms.gossip_cmaes import GossipCMAES
from dfedsam.algorithms.gradient_tracking import GradientTracking, MomentumTracking
from dfedsam.algorithms.lead import Lead
from dfedsam.algorithms.oledfl import OledFL
from dfedsam.algorithms.qg_dsgdm import QGDSGDm

__all__ = [
    "BBT",
    "D2",
    "DPSGD",
    "SGP",
    "Algorithm",
    "CentralAverage",
    "DFedADMM",
    "DFedAdam",
    "DFedAvg",
    "DFedAvgM",
    "DFedCata",
    "DFedSAM",
    "DFedSAMMG",
    "DecentLaM",
    "Extra",
    "FedAvgBBT",
    "FedBBPT",
    "FedBPT",
    "GossipCMAES",
    "GradientMethod",
    "GradientTracking",
    "Lead",
    "LocalOnly",
    "MomentumTracking",
    "OledFL",
    "QGDSGDm",
    "State",
]

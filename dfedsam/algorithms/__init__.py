"""Algorithms: one short file each."""

from dfedsam.algorithms.asynchronous import ADSGD, AsynchronousDFedSAM
from dfedsam.algorithms.base import Algorithm, GradientMethod, State
from dfedsam.algorithms.baselines import CentralAverage, LocalOnly
from dfedsam.algorithms.bbt import BBT, FedAvgBBT
from dfedsam.algorithms.corrections import D2, NIDS, Extra, ProxSkip, WangElia
from dfedsam.algorithms.dfedadam import DFedAdam
from dfedsam.algorithms.dfedadmm import DFedADMM
from dfedsam.algorithms.dfedavg import DPSGD, SGP, DFedAvg, DFedAvgM
from dfedsam.algorithms.dfedcata import DFedCata
from dfedsam.algorithms.dfedsam import DFedSAM, DFedSAMMG
from dfedsam.algorithms.diloco import DiLoCo, NoLoCo
from dfedsam.algorithms.divshare import DivShare, EpidemicLearning
from dfedsam.algorithms.edge_multipliers import DLM, LTADMM, DiNNO
from dfedsam.algorithms.fedbbpt import FedBBPT
from dfedsam.algorithms.fedbpt import FedBPT
from dfedsam.algorithms.gossip_cmaes import GossipCMAES
from dfedsam.algorithms.gradient_tracking import GTHSGD, AugDGM, GradientTracking, MomentumTracking
from dfedsam.algorithms.lead import Lead
from dfedsam.algorithms.local_tracking import KGT, LED
from dfedsam.algorithms.momentum import DecentLaM, QGDSGDm
from dfedsam.algorithms.network_dane import NetworkDANE
from dfedsam.algorithms.oledfl import OledFL
from dfedsam.algorithms.pairs import ADPSGD, A2CiD2
from dfedsam.algorithms.ssda import SSDA
from dfedsam.algorithms.text_evolution import TextEvolution

__all__ = [
    "ADPSGD",
    "ADSGD",
    "BBT",
    "D2",
    "DLM",
    "DPSGD",
    "GTHSGD",
    "KGT",
    "LED",
    "LTADMM",
    "NIDS",
    "SGP",
    "SSDA",
    "A2CiD2",
    "Algorithm",
    "AsynchronousDFedSAM",
    "AugDGM",
    "CentralAverage",
    "DFedADMM",
    "DFedAdam",
    "DFedAvg",
    "DFedAvgM",
    "DFedCata",
    "DFedSAM",
    "DFedSAMMG",
    "DecentLaM",
    "DiLoCo",
    "DiNNO",
    "DivShare",
    "EpidemicLearning",
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
    "NetworkDANE",
    "NoLoCo",
    "OledFL",
    "ProxSkip",
    "QGDSGDm",
    "State",
    "TextEvolution",
    "WangElia",
]

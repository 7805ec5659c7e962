# What the package offers. lazy_loader reads this file and loads a name when it is first used.
from .asynchronous import ADSGD as ADSGD, AsynchronousDFedSAM as AsynchronousDFedSAM
from .base import Algorithm as Algorithm, State as State
from .corrections import D2 as D2, NIDS as NIDS, Extra as Extra, ProxSkip as ProxSkip, WangElia as WangElia
from .dfedavg import (
    DPSGD as DPSGD,
    SGP as SGP,
    CentralAverage as CentralAverage,
    DFedAvg as DFedAvg,
    DFedAvgM as DFedAvgM,
    LocalOnly as LocalOnly,
)
from .dfedsam import DFedSAM as DFedSAM, DFedSAMMG as DFedSAMMG
from .diloco import DiLoCo as DiLoCo, NoLoCo as NoLoCo
from .divshare import DivShare as DivShare, EpidemicLearning as EpidemicLearning
from .edge_multipliers import ADMM as ADMM, DLM as DLM, LTADMM as LTADMM, DiNNO as DiNNO
from .extrapolation import DFedCata as DFedCata, OledFL as OledFL
from .fedbbpt import FedBBPT as FedBBPT
from .gossip_cmaes import GossipCMAES as GossipCMAES
from .gradient_method import GradientMethod as GradientMethod
from .gradient_tracking import (
    GTHSGD as GTHSGD,
    AugDGM as AugDGM,
    GradientTracking as GradientTracking,
    MomentumTracking as MomentumTracking,
)
from .lead import Lead as Lead
from .local_tracking import KGT as KGT, LED as LED
from .momentum import DecentLaM as DecentLaM, DFedAdam as DFedAdam, QGDSGDm as QGDSGDm
from .pairs import ADPSGD as ADPSGD, A2CiD2 as A2CiD2
from .server_cmaes import BBT as BBT, FedAvgBBT as FedAvgBBT, FedBPT as FedBPT
from .ssda import SSDA as SSDA
from .surrogates import DFedADMM as DFedADMM, NetworkDANE as NetworkDANE
from .text_evolution import TextEvolution as TextEvolution

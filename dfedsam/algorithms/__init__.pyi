# What the package offers. lazy_loader reads this file and loads a name when it is first used.
from .asynchronous import (
    ADSGD as ADSGD,
    AsynchronousDFedSAM as AsynchronousDFedSAM,
    DivShare as DivShare,
    EpidemicLearning as EpidemicLearning,
)
from .base import Algorithm as Algorithm, State as State
from .cmaes import BBT as BBT, FedAvgBBT as FedAvgBBT, FedBPT as FedBPT, GossipCMAES as GossipCMAES
from .corrections import (
    D2 as D2,
    KGT as KGT,
    LED as LED,
    NIDS as NIDS,
    Extra as Extra,
    ProxSkip as ProxSkip,
    WangElia as WangElia,
)
from .dfedsam import (
    DPSGD as DPSGD,
    SGP as SGP,
    CentralAverage as CentralAverage,
    DFedAvg as DFedAvg,
    DFedAvgM as DFedAvgM,
    DFedSAM as DFedSAM,
    DFedSAMMG as DFedSAMMG,
    LocalOnly as LocalOnly,
)
from .dual_methods import ADMM as ADMM, DLM as DLM, LTADMM as LTADMM, SSDA as SSDA, DiNNO as DiNNO
from .fedbbpt import FedBBPT as FedBBPT
from .gradient_method import GradientMethod as GradientMethod
from .lead import Lead as Lead
from .local_variants import (
    DFedADMM as DFedADMM,
    DFedCata as DFedCata,
    DiLoCo as DiLoCo,
    NetworkDANE as NetworkDANE,
    NoLoCo as NoLoCo,
    OledFL as OledFL,
)
from .momentum import (
    GTHSGD as GTHSGD,
    AugDGM as AugDGM,
    DecentLaM as DecentLaM,
    DFedAdam as DFedAdam,
    GradientTracking as GradientTracking,
    MomentumTracking as MomentumTracking,
    QGDSGDm as QGDSGDm,
)
from .pairs import ADPSGD as ADPSGD, A2CiD2 as A2CiD2
from .text_evolution import TextEvolution as TextEvolution

# What `from dfedsam import ...` offers. lazy_loader reads this file and loads a name when it is first used.
from .adversary import (
    ALIE as ALIE,
)
from .adversary import (
    IPM as IPM,
)
from .adversary import (
    Adversary as Adversary,
)
from .adversary import (
    ConstantAttack as ConstantAttack,
)
from .adversary import (
    Dissensus as Dissensus,
)
from .adversary import (
    LabelFlip as LabelFlip,
)
from .adversary import (
    Mimic as Mimic,
)
from .adversary import (
    RandomNoise as RandomNoise,
)
from .adversary import (
    SignFlip as SignFlip,
)
from .adversary import (
    Silent as Silent,
)
from .adversary import (
    Spectral as Spectral,
)
from .algorithms import (
    ADPSGD as ADPSGD,
)
from .algorithms import (
    ADSGD as ADSGD,
)
from .algorithms import (
    BBT as BBT,
)
from .algorithms import (
    D2 as D2,
)
from .algorithms import (
    DLM as DLM,
)
from .algorithms import (
    DPSGD as DPSGD,
)
from .algorithms import (
    GTHSGD as GTHSGD,
)
from .algorithms import (
    KGT as KGT,
)
from .algorithms import (
    LED as LED,
)
from .algorithms import (
    LTADMM as LTADMM,
)
from .algorithms import (
    NIDS as NIDS,
)
from .algorithms import (
    SGP as SGP,
)
from .algorithms import (
    SSDA as SSDA,
)
from .algorithms import (
    A2CiD2 as A2CiD2,
)
from .algorithms import (
    Algorithm as Algorithm,
)
from .algorithms import (
    AsynchronousDFedSAM as AsynchronousDFedSAM,
)
from .algorithms import (
    AugDGM as AugDGM,
)
from .algorithms import (
    CentralAverage as CentralAverage,
)
from .algorithms import (
    DecentLaM as DecentLaM,
)
from .algorithms import (
    DFedAdam as DFedAdam,
)
from .algorithms import (
    DFedADMM as DFedADMM,
)
from .algorithms import (
    DFedAvg as DFedAvg,
)
from .algorithms import (
    DFedAvgM as DFedAvgM,
)
from .algorithms import (
    DFedCata as DFedCata,
)
from .algorithms import (
    DFedSAM as DFedSAM,
)
from .algorithms import (
    DFedSAMMG as DFedSAMMG,
)
from .algorithms import (
    DiLoCo as DiLoCo,
)
from .algorithms import (
    DiNNO as DiNNO,
)
from .algorithms import (
    DivShare as DivShare,
)
from .algorithms import (
    EpidemicLearning as EpidemicLearning,
)
from .algorithms import (
    Extra as Extra,
)
from .algorithms import (
    FedAvgBBT as FedAvgBBT,
)
from .algorithms import (
    FedBBPT as FedBBPT,
)
from .algorithms import (
    FedBPT as FedBPT,
)
from .algorithms import (
    GossipCMAES as GossipCMAES,
)
from .algorithms import (
    GradientTracking as GradientTracking,
)
from .algorithms import (
    Lead as Lead,
)
from .algorithms import (
    LocalOnly as LocalOnly,
)
from .algorithms import (
    MomentumTracking as MomentumTracking,
)
from .algorithms import (
    NetworkDANE as NetworkDANE,
)
from .algorithms import (
    NoLoCo as NoLoCo,
)
from .algorithms import (
    OledFL as OledFL,
)
from .algorithms import (
    ProxSkip as ProxSkip,
)
from .algorithms import (
    QGDSGDm as QGDSGDm,
)
from .algorithms import (
    TextEvolution as TextEvolution,
)
from .algorithms import (
    WangElia as WangElia,
)
from .blackbox import (
    BlackBoxConfig as BlackBoxConfig,
)
from .blackbox import (
    CausalLMConfig as CausalLMConfig,
)
from .blackbox import (
    DualEncoderConfig as DualEncoderConfig,
)
from .blackbox import (
    EndpointConfig as EndpointConfig,
)
from .blackbox import (
    FunctionConfig as FunctionConfig,
)
from .blackbox import (
    ImageTextConfig as ImageTextConfig,
)
from .blackbox import (
    MaskedLMConfig as MaskedLMConfig,
)
from .callbacks.base import (
    Callback as Callback,
)
from .callbacks.progress import (
    Progress as Progress,
)
from .clock import (
    Availability as Availability,
)
from .clock import (
    Clock as Clock,
)
from .clock import (
    Compute as Compute,
)
from .clock import (
    Constant as Constant,
)
from .clock import (
    Daily as Daily,
)
from .clock import (
    Exponential as Exponential,
)
from .clock import (
    Links as Links,
)
from .clock import (
    LogNormal as LogNormal,
)
from .clock import (
    MatrixLinks as MatrixLinks,
)
from .clock import (
    Pareto as Pareto,
)
from .clock import (
    PerPeer as PerPeer,
)
from .clock import (
    PerQuery as PerQuery,
)
from .clock import (
    RateLimits as RateLimits,
)
from .clock import (
    TimeModel as TimeModel,
)
from .clock import (
    Trace as Trace,
)
from .clock import (
    TwoSpeeds as TwoSpeeds,
)
from .clock import (
    UnderlayLinks as UnderlayLinks,
)
from .clock import (
    UniformLinks as UniformLinks,
)
from .data.split import (
    IID as IID,
)
from .data.split import (
    Dirichlet as Dirichlet,
)
from .data.split import (
    QuantitySkew as QuantitySkew,
)
from .data.split import (
    Shards as Shards,
)
from .data.split import (
    Split as Split,
)
from .errors import (
    FileError as FileError,
)
from .errors import (
    OptionError as OptionError,
)
from .errors import (
    RunError as RunError,
)
from .experiment import (
    Experiment as Experiment,
)
from .gossip import (
    GTS as GTS,
)
from .gossip import (
    IOS as IOS,
)
from .gossip import (
    NNA as NNA,
)
from .gossip import (
    UBAR as UBAR,
)
from .gossip import (
    Balance as Balance,
)
from .gossip import (
    Ceca as Ceca,
)
from .gossip import (
    Chebyshev as Chebyshev,
)
from .gossip import (
    Choco as Choco,
)
from .gossip import (
    Clipped as Clipped,
)
from .gossip import (
    CSPlus as CSPlus,
)
from .gossip import (
    DeepSqueeze as DeepSqueeze,
)
from .gossip import (
    FiniteTime as FiniteTime,
)
from .gossip import (
    Flood as Flood,
)
from .gossip import (
    GeometricMedian as GeometricMedian,
)
from .gossip import (
    Gossip as Gossip,
)
from .gossip import (
    Krum as Krum,
)
from .gossip import (
    Median as Median,
)
from .gossip import (
    Noisy as Noisy,
)
from .gossip import (
    Plain as Plain,
)
from .gossip import (
    PushSum as PushSum,
)
from .gossip import (
    RobustGossip as RobustGossip,
)
from .gossip import (
    SecondOrder as SecondOrder,
)
from .gossip import (
    TrimmedMean as TrimmedMean,
)
from .gossip.compressors import (
    QSGD as QSGD,
)
from .gossip.compressors import (
    BFloat16 as BFloat16,
)
from .gossip.compressors import (
    BlockQuantizer as BlockQuantizer,
)
from .gossip.compressors import (
    Compressor as Compressor,
)
from .gossip.compressors import (
    Float16 as Float16,
)
from .gossip.compressors import (
    LowRank as LowRank,
)
from .gossip.compressors import (
    NoCompression as NoCompression,
)
from .gossip.compressors import (
    RandomK as RandomK,
)
from .gossip.compressors import (
    ScaledSign as ScaledSign,
)
from .gossip.compressors import (
    TopK as TopK,
)
from .objectives import (
    DiscretePrompt as DiscretePrompt,
)
from .objectives import (
    FullPrompt as FullPrompt,
)
from .objectives import (
    HiddenPrompt as HiddenPrompt,
)
from .objectives import (
    LogisticRegression as LogisticRegression,
)
from .objectives import (
    Objective as Objective,
)
from .objectives import (
    PromptGenerator as PromptGenerator,
)
from .objectives import (
    PromptParameters as PromptParameters,
)
from .objectives import (
    PromptTuning as PromptTuning,
)
from .objectives import (
    Quadratic as Quadratic,
)
from .objectives import (
    RandomProjection as RandomProjection,
)
from .privacy import (
    Decor as Decor,
)
from .privacy import (
    Gaussian as Gaussian,
)
from .privacy import (
    GaussianMessages as GaussianMessages,
)
from .privacy import (
    Laplace as Laplace,
)
from .privacy import (
    Privacy as Privacy,
)
from .result import (
    Result as Result,
)
from .simulation import (
    run as run,
)
from .simulation import (
    simulate as simulate,
)
from .topologies import (
    Static as Static,
)
from .topologies import (
    Topology as Topology,
)
from .topologies import (
    make as make,
)
from .topologies import (
    spectrum as spectrum,
)
from .zeroth_order import (
    LOZO as LOZO,
)
from .zeroth_order import (
    SAGA as SAGA,
)
from .zeroth_order import (
    SARAH as SARAH,
)
from .zeroth_order import (
    SPSA as SPSA,
)
from .zeroth_order import (
    SVRG as SVRG,
)
from .zeroth_order import (
    Adam as Adam,
)
from .zeroth_order import (
    CoordinateWise as CoordinateWise,
)
from .zeroth_order import (
    Estimator as Estimator,
)
from .zeroth_order import (
    Exact as Exact,
)
from .zeroth_order import (
    FedKSeed as FedKSeed,
)
from .zeroth_order import (
    HiSo as HiSo,
)
from .zeroth_order import (
    OneSided as OneSided,
)
from .zeroth_order import (
    PolicyGradient as PolicyGradient,
)
from .zeroth_order import (
    ScoreSketch as ScoreSketch,
)
from .zeroth_order import (
    Sign as Sign,
)
from .zeroth_order import (
    SubZero as SubZero,
)
from .zeroth_order import (
    Tilted as Tilted,
)
from .zeroth_order import (
    TwoPoint as TwoPoint,
)

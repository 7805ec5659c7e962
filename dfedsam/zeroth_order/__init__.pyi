# What the package offers. lazy_loader reads this file and loads a name when it is first used.
from .base import Estimator as Estimator, Exact as Exact, cosines as cosines, perturb as perturb
from .directions import directions as directions
from .finite_differences import (
    SPSA as SPSA,
    CoordinateWise as CoordinateWise,
    OneSided as OneSided,
    RandomDirections as RandomDirections,
    Tilted as Tilted,
    TwoPoint as TwoPoint,
)
from .policy_gradient import PolicyGradient as PolicyGradient
from .scaled import Adam as Adam, HiSo as HiSo, Sign as Sign
from .score_sketch import GaussNewton as GaussNewton, ScoreSketch as ScoreSketch
from .subspaces import LOZO as LOZO, FedKSeed as FedKSeed, SubZero as SubZero
from .variance_reduced import SAGA as SAGA, SARAH as SARAH, SVRG as SVRG

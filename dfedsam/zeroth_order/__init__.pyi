# What the package offers. lazy_loader reads this file and loads a name when it is first used.
from .base import Estimator as Estimator, Exact as Exact, cosines as cosines, perturb as perturb
from .directions import directions as directions
from .finite_differences import (
    CoordinateWise as CoordinateWise,
    OneSided as OneSided,
    RandomDirections as RandomDirections,
    TwoPoint as TwoPoint,
)
from .low_rank import LOZO as LOZO, SubZero as SubZero
from .policy_gradient import PolicyGradient as PolicyGradient
from .scaled import Adam as Adam, HiSo as HiSo, Sign as Sign
from .score_sketch import GaussNewton as GaussNewton, ScoreSketch as ScoreSketch
from .seed_pool import FedKSeed as FedKSeed
from .spsa import SPSA as SPSA
from .tilted import Tilted as Tilted
from .variance_reduced import SAGA as SAGA, SARAH as SARAH, SVRG as SVRG

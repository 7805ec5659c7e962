# What the package offers. lazy_loader reads this file and loads a name when it is first used.
from .base import Compressor as Compressor
from .floats import BFloat16 as BFloat16, Float16 as Float16, NoCompression as NoCompression
from .low_rank import LowRank as LowRank
from .quantizers import QSGD as QSGD, BlockQuantizer as BlockQuantizer
from .signs import ScaledSign as ScaledSign
from .sparse import RandomK as RandomK, TopK as TopK

"""Compressors: encodings of rows in fewer bytes."""

from dfedsam.gossip.compressors.base import Compressor
from dfedsam.gossip.compressors.floats import BFloat16, Float16, NoCompression
from dfedsam.gossip.compressors.low_rank import LowRank
from dfedsam.gossip.compressors.quantizers import QSGD, BlockQuantizer, ScaledSign
from dfedsam.gossip.compressors.sparse import RandomK, TopK

__all__ = [
    "QSGD",
    "BFloat16",
    "BlockQuantizer",
    "Compressor",
    "Float16",
    "LowRank",
    "NoCompression",
    "RandomK",
    "ScaledSign",
    "TopK",
]

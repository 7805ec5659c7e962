"""Compressors: what a peer sends in place of its row."""

from dfedsam.gossip.compressors.base import Compressor
from dfedsam.gossip.compressors.half import BFloat16, Float16
from dfedsam.gossip.compressors.low_rank import LowRank
from dfedsam.gossip.compressors.none import NoCompression
from dfedsam.gossip.compressors.qsgd import QSGD
from dfedsam.gossip.compressors.random_k import RandomK
from dfedsam.gossip.compressors.scaled_sign import ScaledSign
from dfedsam.gossip.compressors.sparse import Sparse
from dfedsam.gossip.compressors.top_k import TopK

none = NoCompression  # its short name on the command line

__all__ = [
    "QSGD",
    "BFloat16",
    "Compressor",
    "Float16",
    "LowRank",
    "NoCompression",
    "RandomK",
    "ScaledSign",
    "Sparse",
    "TopK",
    "none",
]

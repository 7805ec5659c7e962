"""Loops compiled by numba, the extra `fast`: the operations of numpy and scipy in their order, in fewer passes.

So the results are theirs, bit for bit: no product is fused with a sum, and no sum is reordered. The machine code is
kept in numba's cache, beside these files or in the user's cache folder. numba compiles anew what has changed in a file,
but not what calls it from another: each of the files stands alone.
"""

from dfedsam.loops.compression import (
    follow,
    follow_halves,
    follow_levels,
    follow_signs,
    largest,
    moduli,
    quantize,
    round_to_halves,
    squares,
)
from dfedsam.loops.mixing import multiply, multiply_entries, sort, subtract
from dfedsam.loops.selection import add_entries, largest_entries

__all__ = [
    "add_entries",
    "follow",
    "follow_halves",
    "follow_levels",
    "follow_signs",
    "largest",
    "largest_entries",
    "moduli",
    "multiply",
    "multiply_entries",
    "quantize",
    "round_to_halves",
    "sort",
    "squares",
    "subtract",
]

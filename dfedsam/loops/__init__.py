"""Loops compiled by numba, the extra `fast`: the operations of numpy and scipy in their order, in fewer passes.

So the results are theirs, bit for bit: no product is fused with a sum, and no sum is reordered. The machine code is
kept in numba's cache, beside these files or in the user's cache folder. numba compiles a file anew that has changed,
but not those that call it: after a change of `rows`, empty the cache.
"""

from dfedsam.loops.compression import (
    follow,
    follow_halves,
    follow_largest,
    follow_levels,
    follow_signs,
    largest,
    largest_entries,
    quantize,
    round_to_halves,
)
from dfedsam.loops.philox import philox
from dfedsam.loops.rows import add_entries, moduli, multiply, multiply_entries, sort, squares, subtract

__all__ = [
    "add_entries",
    "follow",
    "follow_halves",
    "follow_largest",
    "follow_levels",
    "follow_signs",
    "largest",
    "largest_entries",
    "moduli",
    "multiply",
    "multiply_entries",
    "philox",
    "quantize",
    "round_to_halves",
    "sort",
    "squares",
    "subtract",
]

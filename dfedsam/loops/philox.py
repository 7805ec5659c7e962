"""Philox 4×64 with ten rounds, numpy's generator of random words."""

from typing import Any

import numpy as np
from llvmlite import ir
from numba import njit, types
from numba.extending import intrinsic
from numpy.typing import NDArray

_MULTIPLIERS = np.uint64(0xD2E7470EE14C6C93), np.uint64(0xCA5A826395121157)
_KEY_STEPS = np.uint64(0x9E3779B97F4A7C15), np.uint64(0xBB67AE8584CAA73B)
_ONE = np.uint64(1)


@intrinsic
def _product(_context: Any, _a: Any, _b: Any) -> Any:
    """The product of two words: its upper 64 bits, and its lower ones."""
    pair = types.UniTuple(types.uint64, 2)

    def code(context: Any, builder: Any, _signature: Any, words: Any) -> Any:
        word, wide = ir.IntType(64), ir.IntType(128)
        whole = builder.mul(*(builder.zext(one, wide) for one in words))
        halves = builder.trunc(builder.lshr(whole, ir.Constant(wide, 64)), word), builder.trunc(whole, word)
        return context.make_tuple(builder, pair, halves)

    return pair(types.uint64, types.uint64), code


@njit(nogil=True, cache=True, error_model="numpy")
def philox(key: NDArray[np.uint64], counter: NDArray[np.uint64], words: NDArray[np.uint64]) -> None:
    """What numpy's Philox of this key (2,) draws after this counter (4,), of which the lowest word does not overflow.

    Args:
        key: (2,).
        counter: (4,).
        words: (4 m,), receives the words.
    """
    first, second = _MULTIPLIERS
    keys = np.empty((10, 2), np.uint64)
    for r in range(10):
        for j in range(2):
            keys[r, j] = key[j] + np.uint64(r) * _KEY_STEPS[j]
    for i in range(0, len(words), 4):
        counter[0] += _ONE
        a, b, c, d = counter[0], counter[1], counter[2], counter[3]
        for r in range(10):
            (high_a, low_a), (high_c, low_c) = _product(first, a), _product(second, c)  # pyright: ignore[reportCallIssue]
            a, b, c, d = high_c ^ b ^ keys[r, 0], low_c, high_a ^ d ^ keys[r, 1], low_a
        words[i], words[i + 1], words[i + 2], words[i + 3] = a, b, c, d

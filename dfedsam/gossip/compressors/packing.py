"""Packing of small whole numbers into bytes, so that only the whole message is rounded up to whole bytes."""

import numpy as np
from numpy.typing import NDArray

_WIDER = (np.dtype("<u2"), np.dtype("<u4"), np.dtype("<u8"))


def packed(count: int, bits: int) -> int:
    """Bytes of `count` numbers of `bits` bits each."""
    return -(-count * bits // 8)


def pack(numbers: NDArray, bits: int) -> NDArray[np.uint8]:
    """Pack numbers of `bits` bits each, one row per message: (p, count) → (p, packed(count, bits)).

    A number's whole bytes come first, a plane of bytes each for all numbers of the row; the bits above them follow,
    packed tightly.

    Args:
        numbers: unsigned whole numbers below 2^bits, C-contiguous, shape (p, count).
        bits: 0 to 32.
    """
    whole, rest = divmod(bits, 8)
    planes = [(numbers >> 8 * i if i else numbers).astype(np.uint8, copy=False) for i in range(whole)]
    if rest:
        planes.append(_tighten((numbers >> 8 * whole if whole else numbers).astype(np.uint8, copy=False), rest))
    if len(planes) == 1:
        return planes[0]
    return np.concatenate(planes, axis=1) if planes else np.empty((len(numbers), 0), np.uint8)


def unpack(messages: NDArray[np.uint8], bits: int, count: int) -> NDArray:
    """The inverse of `pack`: (p, packed(count, bits)) → (p, count), uint8 up to 8 bits and uint32 above."""
    whole, rest = divmod(bits, 8)
    numbers = np.zeros((len(messages), count), np.uint8 if bits <= 8 else np.uint32)
    for i in range(whole):
        numbers |= messages[:, i * count : (i + 1) * count].astype(numbers.dtype, copy=False) << 8 * i
    if rest:
        loose = _loosen(messages[:, whole * count :], rest, count)
        if not whole:
            return loose
        numbers |= loose.astype(numbers.dtype) << 8 * whole
    return numbers


def _joins(bits: int) -> int:
    """How often neighbours must be joined in pairs to give whole bytes."""
    return next(joins for joins in range(4) if (bits << joins) % 8 == 0)


def _tighten(numbers: NDArray[np.uint8], bits: int) -> NDArray[np.uint8]:
    """Numbers below 2^bits, one a byte (p, count), to bits side by side; bits is 1 to 7."""
    if bits == 1:
        return np.packbits(numbers, axis=1, bitorder="little")
    count, joins = numbers.shape[1], _joins(bits)
    groups = -(-count >> joins)
    words: NDArray = np.ascontiguousarray(numbers)
    if count % (1 << joins):
        words = np.zeros((len(numbers), groups << joins), np.uint8)
        words[:, :count] = numbers
    for join in range(joins):  # low + 2^(8·2^join) · high becomes low + 2^(bits·2^join) · high
        size = 8 << join
        words = words.view(_WIDER[join])
        high = words >> size
        high *= (1 << size) - (1 << (bits << join))
        words = words - high
    first = (bits << joins) // 8
    if first == 1:
        return words.astype(np.uint8)
    whole = words.view(np.uint8).reshape(len(words), groups, 1 << joins)[:, :, :first]
    return whole.reshape(len(words), groups * first)[:, : packed(count, bits)]


def _loosen(messages: NDArray[np.uint8], bits: int, count: int) -> NDArray[np.uint8]:
    """The inverse of `_tighten`, shape (p, count)."""
    if bits == 1:
        return np.unpackbits(messages, axis=1, count=count, bitorder="little")
    joins = _joins(bits)
    first, groups = (bits << joins) // 8, -(-count >> joins)
    words: NDArray
    if first == 1:
        words = messages.astype(_WIDER[joins - 1])
    else:
        whole = np.zeros((len(messages), groups * (1 << joins)), np.uint8)
        there = np.zeros((len(messages), groups * first), np.uint8)
        there[:, : messages.shape[1]] = messages
        whole.reshape(len(messages), groups, 1 << joins)[:, :, :first] = there.reshape(len(messages), groups, first)
        words = whole.view(_WIDER[joins - 1])
    for join in reversed(range(joins)):
        size = 8 << join
        high = words >> (bits << join)
        high *= (1 << size) - (1 << (bits << join))
        words = (words + high).view(_WIDER[join - 1] if join else np.uint8)
    return words[:, :count]

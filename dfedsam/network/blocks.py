"""Who owns which peers: contiguous blocks, one a rank."""


def block(peers: int, size: int, rank: int) -> range:
    """The peers that `rank` of `size` ranks plays: contiguous, sizes differ by at most one, the larger blocks first.

    Args:
        peers: peers in the whole network, at least `size`.
        size: ranks, at least 1.
        rank: 0 ≤ rank < size.
    """
    small, larger = divmod(peers, size)
    start = rank * small + min(rank, larger)
    return range(start, start + small + (rank < larger))

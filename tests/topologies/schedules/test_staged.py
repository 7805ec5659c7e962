"""Schedules over the time of a run: a budget of messages spent late, and one exact merge."""

import math
from functools import reduce

import numpy as np
import pytest

from dfedsam.topologies import dense_late, final_merge, make, spectrum, verify
from dfedsam.topologies.schedules.combined import messages

LATTICE = {"class_path": "ring_lattice", "init_args": {"neighbours": 4}}


@pytest.mark.parametrize("inner", ["path", "one_peer_exponential", "random_matching"])
def test_peers_agree_exactly_in_the_last_round(inner):
    topology, alone = final_merge(8, inner, rounds=6, seed=1), make(inner, 8, 1)
    verify(topology)
    for t in range(12):
        expected = np.full((8, 8), 1 / 8) if t % 6 == 5 else alone.weights(t).toarray()
        np.testing.assert_allclose(topology.weights(t).toarray(), expected, atol=1e-15)
    product = reduce(np.matmul, [topology.weights(t).toarray() for t in reversed(range(6))])
    np.testing.assert_allclose(product, 1 / 8, atol=1e-15)
    if inner == "path":  # 14 messages a round, and 56 in the last
        assert spectrum(topology)["finite_time"] == 6
        assert messages(topology) == pytest.approx((5 * 14 + 56) / 6 / 8)


def test_a_budget_is_spent_late_and_mixes_as_the_product_of_both_graphs():
    n, rounds, budget = 12, 20, 2.9  # messages a round: 2 on the ring, 4 on the lattice
    topology = dense_late(n, ["ring", LATTICE], budget=budget, rounds=rounds)
    verify(topology)
    switch = math.ceil(rounds * (4 - budget) / 2)
    counts = [topology.weights(t).nnz // n - 1 for t in range(rounds)]
    assert counts == [2] * switch + [4] * (rounds - switch)
    assert budget - 2 / rounds < messages(topology) <= budget
    ring, lattice = 1 - 4 / 3 * math.sin(math.pi / n) ** 2, math.sin(5 * math.pi / n) / (5 * math.sin(math.pi / n))
    assert spectrum(topology)["lambda"] ** rounds == pytest.approx(ring**switch * lattice ** (rounds - switch))


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (
            {"topologies": ["complete", "ring"]},
            "must go from fewer messages to more, but a peer sends 7 a round and th",
        ),
        ({"topologies": ["ring"]}, "must be two, a sparse and a dense one"),
        ({"budget": 1.5}, "budget is 1.5: it must be at least 2 and at most 7"),
        ({"rounds": 2000}, "rounds is 2000: it must be at most 1,000"),
        ({"topologies": ["ring", "el_local"]}, "topologies is el_local: it must keep the mean"),
    ],
)
def test_what_is_refused(options, said):
    with pytest.raises(ValueError, match=said):
        dense_late(8, **{"topologies": ["ring", "complete"], **options})

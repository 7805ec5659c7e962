"""CECA's gossip: the exact mean in one phase, as many messages as it says, and only on its links."""

import numpy as np
import pytest

from dfedsam.communication import SingleProcess
from dfedsam.gossip import Ceca, Channel
from dfedsam.random import RandomStream
from dfedsam.topologies import make


@pytest.mark.parametrize("n", [2, 3, 7, 25, 64])
def test_every_peer_holds_the_mean_after_a_phase(n):
    topology, communicator, gossip = make("ceca", n), SingleProcess(n), Ceca()
    gossip.check(topology)
    x = np.random.default_rng(0).standard_normal((n, 5))
    mean = x.mean(axis=0)
    channel = Channel(topology.weights(0), communicator, RandomStream(0, "gossip", 0, 0, range(n)))
    mixed, _ = gossip(x.copy(), gossip.init(x), channel)
    np.testing.assert_allclose(mixed, np.broadcast_to(mean, x.shape), atol=1e-14)
    assert gossip.contraction_factor(topology, None) == 0


@pytest.mark.parametrize("name", ["ring", "one_peer_exponential", "directed_exponential"])
def test_other_links_are_refused(name):
    with pytest.raises(ValueError, match=r"gossip is ceca: it must have links .* choose the topology ceca"):
        Ceca().check(make(name, 25))
    Ceca().check(make("complete", 25))

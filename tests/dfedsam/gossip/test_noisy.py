"""Noise on messages: its variance at the peers and in their mean, and the algorithms that cannot bear it."""

import numpy as np
import pytest

from dfedsam import D2, DPSGD, Noisy, OptionError, Plain, make
from dfedsam.communication import SingleProcess
from dfedsam.gossip import Channel
from dfedsam.random import RandomStream
from dfedsam.testing import check_algorithm, check_gossip


def mixed(gossip, W, x):
    channel = Channel(W, SingleProcess(len(x)), RandomStream(0, "gossip 1", 0, 0, range(len(x))))
    return gossip(x.copy(), gossip.init(x), channel)[0]


def test_the_noise_has_the_stated_variance_and_a_peer_hears_itself_without_it():
    W, dim, sigma = make("star", 6).weights(0), 50_000, 0.3
    noise = mixed(Noisy(sigma=sigma), W, np.zeros((6, dim)))
    dense = W.toarray()
    others = dense - np.diag(np.diag(dense))
    np.testing.assert_allclose((noise**2).mean(axis=1), sigma**2 * (others**2).sum(axis=1), rtol=0.05)
    walk = (sigma / 6) ** 2 * ((1 - np.diag(dense)) ** 2).sum()
    assert (noise.mean(axis=0) ** 2).mean() == pytest.approx(walk, rel=0.05)
    x = np.random.default_rng(0).standard_normal((6, 3))
    np.testing.assert_array_equal(mixed(Noisy(sigma=0, steps=2), W, x), mixed(Plain(steps=2), W, x))


def test_contracts_hold_and_corrections_refuse_it():
    check_gossip(Noisy(steps=2))
    check_algorithm(DPSGD(lr=0.1, gossip=Noisy(steps=2)))
    with pytest.raises(OptionError, match=r"gossip is noisy: it must keep the peers' mean for the algorithm d2"):
        D2(gossip=Noisy()).check(make("ring", 5))

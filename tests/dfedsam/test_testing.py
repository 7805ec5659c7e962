"""The checks for users' plug-ins pass for ours, and notice what is wrong."""

from dataclasses import dataclass, replace

import numpy as np
import pytest

from dfedsam import (
    DPSGD,
    QSGD,
    Chebyshev,
    Choco,
    Clipped,
    CoordinateWise,
    CSPlus,
    DFedSAM,
    LogisticRegression,
    OneSided,
    Plain,
    Quadratic,
    RandomK,
    ScaledSign,
    TopK,
    TwoPoint,
    make,
    testing,
)
from dfedsam.topologies import Topology


def test_ours_pass():
    testing.check_algorithm(DFedSAM(lr=0.05))
    for topology in (make("torus", 16), make("one_peer_exponential", 8), make("pairwise", 8)):
        testing.check_topology(topology)
    for estimator in (TwoPoint(), OneSided(directions=3), CoordinateWise()):
        testing.check_estimator(estimator)
    for gossip in (Plain(steps=2), Chebyshev(steps=3), Choco(gamma=0.3), Clipped(), CSPlus()):
        testing.check_gossip(gossip)
    for compressor in (TopK(fraction=0.2), RandomK(fraction=0.2), ScaledSign(), QSGD(levels=7)):
        testing.check_compressor(compressor)
    for objective in (Quadratic(dim=4, noise=0.1), LogisticRegression()):
        testing.check_objective(objective)


@dataclass(frozen=True, kw_only=True)
class Restless(DPSGD):
    """Draws from a generator of its own."""

    def round(self, state, context):
        state = super().round(state, context)
        state.x += np.random.default_rng().standard_normal(state.x.shape).astype(state.x.dtype)
        return state


@dataclass(frozen=True, kw_only=True)
class Central(DPSGD):
    """Takes the mean of the whole block, which is no message of a neighbour."""

    def round(self, state, context):
        state = super().round(state, context)
        state.x[...] = state.x.mean(axis=0)
        return state


@dataclass(frozen=True, kw_only=True)
class Mixed(Quadratic):
    """Its losses depend on who is in the block."""

    def build(self, peers, block, seed, dtype):
        problem = super().build(peers, block, seed, dtype)
        problem.optima += len(block)
        return problem


@dataclass(frozen=True, kw_only=True)
class Thrifty(TwoPoint):
    """Says that it asks less than it does."""

    def queries(self, dim):
        return super().queries(dim) - 1


@dataclass(frozen=True, kw_only=True)
class Drifting(Plain):
    """Moves the mean."""

    def __call__(self, x, state, channel):
        x, state = super().__call__(x, state, channel)
        return x + 1e-3, state


@dataclass(frozen=True, kw_only=True)
class Boastful(TopK):
    """Declares to be unbiased."""

    def variance(self, dim):
        return 1.0


class Leaky(Topology):
    """Rows and columns of W do not sum to one in round 1."""

    def __init__(self):
        self.n, self.period = 4, 2
        W = make("ring", 4).weights(0)
        self._matrices = (W, replace_entry(W))

    def weights(self, t):
        return self._matrices[t % 2]


def replace_entry(W):
    """The same matrix with one weight changed."""
    other = W.copy()
    other.data[0] += 0.1
    return other


@pytest.mark.parametrize(
    ("check", "plugin", "message"),
    [
        (testing.check_algorithm, Restless(), "a second run gives different numbers"),
        (testing.check_algorithm, Central(), "x of peers 2, 3, .* follows peer 0, whose messages did not get there"),
        (testing.check_objective, Mixed(dim=3), "a block's losses differ"),
        (testing.check_estimator, Thrifty(), r"queries\(dim\) says"),
        (testing.check_gossip, Drifting(), "moves the peers' mean"),
        (testing.check_compressor, Boastful(fraction=0.2), "biased"),
        (testing.check_topology, Leaky(), "sum"),
    ],
    ids=lambda value: getattr(value, "__name__", None),
)
def test_what_is_wrong_is_noticed(check, plugin, message):
    with pytest.raises((AssertionError, ValueError), match=message):
        check(plugin)


def test_a_step_that_changes_the_rounds_changes_nothing_else():
    testing.check_algorithm(replace(DFedSAM(), lr=0.01), rounds=2)

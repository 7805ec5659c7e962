"""Robust gossip breaks down exactly where theory says, and otherwise is what its formula says."""

from dataclasses import replace

import networkx as nx
import numpy as np
import pytest

from dfedsam import (
    ALIE,
    DPSGD,
    GTS,
    IOS,
    NNA,
    UBAR,
    Balance,
    Clipped,
    ConstantAttack,
    CSPlus,
    Dissensus,
    Flood,
    GeometricMedian,
    GradientTracking,
    Krum,
    Median,
    OptionError,
    Plain,
    Quadratic,
    RandomNoise,
    SignFlip,
    Spectral,
    TrimmedMean,
    make,
    simulate,
)
from dfedsam.adversary import Attackers
from dfedsam.communication.single_process import SingleProcess
from dfedsam.gossip.channel import Channel
from dfedsam.random import RandomStream
from dfedsam.topologies.attackers import honest_connectivity, links, worst_placement
from tests.dfedsam.adversary.graphs import chain, two_worlds

RULES = [Clipped(), CSPlus(), GTS(), NNA(), IOS(), Krum(), GeometricMedian(), TrimmedMean(), Median(), Balance()]


def played(gossip, topology, x, attack=None, steps=1):
    """x after some gossip steps, in which the peers that the attack lists forge their messages."""
    n = topology.n
    team = None if attack is None else Attackers(attack, attack.attackers(topology, 0), topology)
    for t in range(steps):
        stream = RandomStream(0, "gossip", t, 0, range(n))
        x, _ = gossip(x, None, Channel(topology.weights(t), SingleProcess(n), stream, None, team))
    return x


def world_error(rule, attack, f, seed=0, steps=100):
    """Mean squared distance of honest peers from their first mean: 26 in two worlds, f attackers at each of them."""
    topology = two_worlds(26, 8, f)
    x = np.random.default_rng(seed).normal(size=(26 + f, 5))
    x[:13, 0] += 5
    x[13:26, 0] -= 5
    mean = x[:26].mean(axis=0)
    x[26:] = mean
    x = played(replace(rule, max_attackers=f), topology, x, replace(attack, peers=list(range(26, 26 + f))), steps)
    return float(((x[:26] - mean) ** 2).sum(axis=1).mean())


def test_cs_plus_breaks_down_at_half_the_algebraic_connectivity():
    topology = two_worlds(26, 8, 1)
    assert honest_connectivity(links(topology), np.arange(27) == 26) == pytest.approx(16)
    errors = {f: np.mean([world_error(CSPlus(), Dissensus(), f, seed) for seed in (0, 1)]) for f in (6, 7, 8)}
    assert errors[6] < 0.01
    assert errors[7] < 0.02
    assert errors[8] == pytest.approx(23.5, abs=0.1)


@pytest.mark.parametrize(("f", "published"), [(5, 1.83), (8, 25)])
def test_the_worst_spectral_attack_on_cs_plus_is_the_published_one(f, published):
    attack = Spectral(line_search=True)
    assert world_error(CSPlus(), attack, f) == pytest.approx(published, rel=0.02)


@pytest.mark.parametrize(("f", "published"), [(1, 0.44), (2, 1.7), (3, 3.7)])
def test_alie_of_the_worst_scale_shifts_cs_plus_as_published(f, published):
    """With four attackers 12 is published; 13 scales find 11.0, and 19 find 12.5."""
    errors = [world_error(CSPlus(), ALIE(line_search=True), f, seed) for seed in (0, 1)]
    assert np.mean(errors) == pytest.approx(published, rel=0.02)


def test_dropping_the_farthest_fails_from_five_attackers_on_as_published():
    attack = Dissensus(line_search=True)
    for rule in (GTS(), NNA()):
        assert world_error(rule, attack, 4, steps=40) < 0.1
        assert world_error(rule, attack, 5, steps=40) > 100 > world_error(CSPlus(), attack, 5, steps=40)


@pytest.mark.parametrize(("delta", "published"), [(0.05, 0.01), (0.1, 0.02), (0.2, 1.0), (0.3, 5.99)])
def test_clipping_on_a_chain_is_off_as_published(delta, published):
    attack = Dissensus(peers=[4, 5], scale=0.05)
    x = np.array([0.0, 0, 200, 200, 100, 100])[:, None]

    def error(beta, rule):
        return float(((played(rule, chain(beta, delta), x, attack, 100)[:4] - 100) ** 2).mean())

    assert error(0.08, Clipped(radius="oracle")) == pytest.approx(published, abs=0.005)
    assert error(0.12, Clipped(radius="oracle")) < 0.02
    for rule in (Median(), TrimmedMean()):
        assert error(0.08, rule) == 10_000, "the chain is cut in the middle"


def test_without_attackers_rules_of_none_are_plain_gossip_and_antisymmetric_clipping_keeps_the_mean():
    topology = make("erdos_renyi", 12, p=0.4)
    x = np.random.default_rng(0).normal(size=(12, 6))
    plain = played(Plain(), topology, x)
    for rule in (Clipped(max_attackers=0), CSPlus(max_attackers=0), GTS(max_attackers=0), IOS(max_attackers=0)):
        np.testing.assert_allclose(played(rule, topology, x), plain, atol=1e-14)
    clipped = played(Clipped(radius="fixed", tau=0.3), topology, x, steps=5)
    np.testing.assert_allclose(clipped.mean(axis=0), x.mean(axis=0), atol=1e-14)
    assert np.abs(clipped - plain).max() > 0.1


def test_rules_of_a_star_by_hand():
    """The hub has 0; its neighbours send 1, 2, 3, 4 and −50; in one coordinate everything can be counted."""
    graph = nx.star_graph(5)
    topology = make(graph)
    x = np.array([0.0, 1, 2, 3, 4, -50])[:, None]

    def hub(rule):
        return float(played(rule, topology, x)[0, 0])

    w = float(topology.weights(0)[0, 1])
    assert w == pytest.approx(1 / 6)
    assert hub(Clipped(radius="fixed", tau=2)) == pytest.approx(w * (1 + 2 + 2 + 2 - 2))
    tau = np.sqrt(1 + 4 + 9 + 16)
    assert hub(Clipped()) == pytest.approx(w * (10 - tau))
    assert hub(CSPlus()) == pytest.approx(w * (1 + 2 + 3 + 3 - 3)), "clipped to the third of five"
    assert hub(GTS()) == pytest.approx(w * 10)
    assert hub(NNA()) == pytest.approx(10 / 5)
    assert hub(IOS()) == pytest.approx(10 / 5)
    assert hub(Krum()) in (1, 2, 3), "all three are as close to their three nearest"
    assert hub(Median()) == 1.5
    assert hub(TrimmedMean()) == pytest.approx((0 + 1 + 2 + 3) / 4)
    assert hub(GeometricMedian(nu=1e-6, iterations=200)) == pytest.approx(1.5, abs=0.51), "anywhere between 1 and 2"
    x[0] = 2
    assert hub(Balance(gamma=0.6, kappa=0.0)) == pytest.approx(0.5 * 2 + 0.5 * (1 + 2 + 3) / 3)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: type(rule).__name__)
def test_rules_stay_among_honest_rows_and_do_not_depend_on_irregular_degrees(rule):
    """On a complete graph nine honest peers agree within their first range, against two that send noise of scale 50."""
    topology, attack = make("complete", 11), RandomNoise(peers=[3, 7], scale=50.0)
    x = np.random.default_rng(1).normal(size=(11, 4))
    honest = ~attack.attackers(topology, 0)
    low, high = x[honest].min(axis=0), x[honest].max(axis=0)
    mixed = played(replace(rule, max_attackers=2), topology, x, attack, steps=8)
    slack = 0 if not isinstance(rule, (Clipped, CSPlus, GeometricMedian)) else 0.5  # these shrink attackers' rows
    assert (mixed[honest] >= low - slack).all()
    assert (mixed[honest] <= high + slack).all()

    def spread(rows):
        return rows[honest].std(axis=0).max()

    assert spread(mixed) < 0.5 * spread(x)


def test_ubar_accepts_of_the_nearest_what_does_no_worse_on_the_peers_own_data():
    """The hub has 0; of 1, 2, 3, 4 and −50 the nearest three are tried, and the loss is |x − 2.6|."""
    topology, asked = make(nx.star_graph(5)), []
    x = np.array([0.0, 1, 2, 3, 4, -50])[:, None]

    def losses(goal, rows, candidates):
        asked.append((rows.tolist(), candidates.shape[1]))
        return np.where(candidates < 40, np.abs(candidates - goal), np.inf)[:, :, 0]

    def mixed(goal):
        channel = Channel(topology.weights(0), SingleProcess(6), RandomStream(0, "gossip", 0, 0, range(6)))
        channel = replace(channel, losses=lambda rows, candidates: losses(goal, rows, candidates))
        return UBAR(share=0.6, alpha=0.25)(x, None, channel)[0][:, 0]

    assert mixed(1.7)[0] == pytest.approx(0.75 * (1 + 2 + 3) / 3), "all are nearer to the goal than 0"
    assert mixed(0.9)[0] == pytest.approx(0.75 * 1), "2 and 3 are farther from it"
    assert mixed(-9)[0] == pytest.approx(0.75 * 1), "none is better: the best of them"
    assert asked[:2] == [([1, 2, 3, 4, 5], 2), ([0], 4)], "one's own row, and the nearest"


def test_queries_of_ubar_are_counted_and_what_is_not_finite_is_not_accepted():
    def ran(gossip, **options):
        return simulate(
            objective=Quadratic(dim=4),
            topology="complete",
            peers=11,
            algorithm=DPSGD(gossip=gossip),
            rounds=3,
            **options,
        )

    plain, ubar = ran(Plain()), ran(UBAR(share=0.33, steps=2), adversary=ConstantAttack(peers=3, scale=1e30))
    assert ubar["queries"].iloc[-1] == plain["queries"].iloc[-1] + 3 * 2 * (1 + 3)
    assert ubar["loss"].iloc[-1] < 2 * plain["loss"].iloc[0]
    with pytest.raises(OptionError, match=r"gossip is ubar: it must not query losses of what gradient_tracking sends"):
        simulate(objective=Quadratic(), topology="ring", algorithm=GradientTracking(gossip=UBAR()))
    with pytest.raises(OptionError, match=r"line_search is True: it must be off for ubar"):
        ran(UBAR(), adversary=ALIE(line_search=True))


def test_peers_of_any_degrees_get_what_each_would_get_alone():
    """A chunk holds peers of one degree: the result is the same as for a loop over peers."""
    topology = make("barabasi_albert", 30, edges=3)
    x = np.random.default_rng(2).normal(size=(30, 7))
    mixed, W = played(TrimmedMean(), topology, x), topology.weights(0)
    for i in range(30):
        others = np.setdiff1d(W.indices[W.indptr[i] : W.indptr[i + 1]], [i])
        kept = np.sort(x[others], axis=0)[1:-1]
        np.testing.assert_allclose(mixed[i], np.concatenate([kept, x[[i]]]).mean(axis=0), atol=1e-14)


def test_a_bound_beyond_what_the_graph_allows_is_refused():
    ring = make("ring", 8)
    with pytest.raises(OptionError, match=r"max_attackers is 1: it must be at most 0 for trimmed_mean.*2 neighbours"):
        TrimmedMean(max_attackers=1).check(ring)
    with pytest.raises(OptionError, match="gossip is krum: it must have at least"):
        Krum(max_attackers=0).check(make(nx.path_graph(5)))
    CSPlus(max_attackers=1).check(ring)


def test_the_worst_placement_is_that_of_an_exhaustive_search():
    adjacency = links(make("watts_strogatz", 14, neighbours=4, p=0.3))
    mask = worst_placement(adjacency, 1)
    each = [honest_connectivity(adjacency, np.arange(14) == i) for i in range(14)]
    assert int(np.argmax(mask)) == int(np.argmin(each))
    cut = worst_placement(links(make("ring", 10)), 2)
    assert honest_connectivity(links(make("ring", 10)), cut) == 0


def test_alie_hides_within_the_spread_of_honest_rows():
    topology, attack = make("complete", 10), ALIE(peers=[0, 1, 2])
    x = np.random.default_rng(3).normal(size=(10, 3))
    honest = ~attack.attackers(topology, 0)
    mean, std = x[honest].mean(axis=0), x[honest].std(axis=0)
    z = 0.180012369792705  # Φ⁻¹(4/7): s = 6 − 3 of 7 honest peers are to be above
    mixed = played(Plain(), topology, x, attack)
    np.testing.assert_allclose(mixed[honest], 0.7 * mean + 0.3 * (mean - z * std) + np.zeros((7, 1)), atol=1e-12)


def test_more_attackers_than_a_rule_assumes_are_said_with_the_peer_that_has_most():
    torus = make("torus", 16)  # peer 5 has the neighbours 1, 4, 6 and 9
    three, two, one = (np.isin(np.arange(16), peers) for peers in ([1, 4, 6], [1, 4], [1]))
    said = "3 of the 4 neighbours of peer 5 attack, and {} assumes at most {}"
    for rule, name, most in (
        (TrimmedMean(), "trimmed_mean", 1),
        (NNA(max_attackers=2), "nna", 2),
        (Median(), "median", 2),
    ):
        assert rule.note_attackers(torus, three).startswith(said.format(name, most))
    assert NNA().note_attackers(torus, two).startswith("2 of the 4 neighbours of peer")
    for rule in (NNA(max_attackers=2), Median()):
        assert rule.note_attackers(torus, two) is None
    for rule in (Clipped(), CSPlus(), GTS(), NNA(), IOS(), TrimmedMean()):
        assert rule.note_attackers(torus, one) is None
    for rule in (Plain(), Clipped(radius="fixed"), Clipped(radius="oracle"), GeometricMedian(), Balance(), UBAR()):
        assert rule.note_attackers(torus, three) is None, "it counts no attackers"
    median = Flood(steps=4, rule="median")
    assert median.note_attackers(torus, np.arange(16) < 7) is None
    assert "8 peers attack, and median assumes at most 7" in median.note_attackers(torus, np.arange(16) < 8)
    assert "2 peers attack, and krum assumes at most 1" in Flood(rule="krum").note_attackers(torus, two)


def test_where_cs_plus_clips_everything_is_said():
    ring = make("ring", 8)
    assert CSPlus().note(ring).startswith("cs_plus clips all that 8 of 8 peers receive to nothing")
    assert (played(CSPlus(), ring, np.eye(8)) == np.eye(8)).all()
    assert CSPlus(max_attackers=0).note(ring) is CSPlus().note(make("torus", 16)) is None


def test_a_shift_of_alie_that_is_none_is_said():
    few, many = np.arange(12) < 1, np.arange(10) < 3
    assert "with 1 of 12 peers alie's z₀ is -0.11" in ALIE().note(few)  # Φ⁻¹(5/11)
    assert ALIE(line_search=True).note(few) is ALIE().note(many) is SignFlip().note(few) is None

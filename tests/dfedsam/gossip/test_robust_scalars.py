"""Robust floods of scalars: within the honest range, and all peers identical, whatever attackers send."""

import numpy as np
import pytest

from dfedsam import (
    ALIE,
    IPM,
    ConstantAttack,
    DFedAvg,
    Flood,
    Mimic,
    OptionError,
    Quadratic,
    RandomNoise,
    SignFlip,
    Silent,
    TwoPoint,
    make,
    simulate,
)
from dfedsam.gossip.flood import center

SHARED = TwoPoint(shared=True)


def minimised(rule, adversary=None, rounds=150):
    return simulate(
        objective=Quadratic(dim=8, heterogeneity=0.1, noise=0.0),
        topology=make("hypercube", 8),
        algorithm=DFedAvg(lr=0.05, local_steps=1, estimator=SHARED, gossip=Flood(steps=3, rule=rule, max_attackers=2)),
        adversary=adversary,
        rounds=rounds,
        evaluate_every=rounds,
        dtype="float64",
    )


@pytest.mark.parametrize("rule", ["trimmed_mean", "median", "krum", "geometric_median"])
@pytest.mark.parametrize(
    "attack", [ConstantAttack(peers=2, scale=1e6), SignFlip(peers=2, scale=100.0), RandomNoise(peers=2, scale=1e3)]
)
def test_robust_scalars_converge_with_all_honest_peers_identical(rule, attack):
    result = minimised(rule, attack)
    honest = ~result.experiment.attackers.mask
    assert (result.x[honest] == result.x[honest][0]).all()
    assert result["consensus_distance"].iloc[-1] < 1e-25  # the rounding of the mean
    assert result["loss"].iloc[-1] < 0.15 * result["loss"].iloc[0]


def test_the_mean_is_ruined_by_what_the_median_withstands():
    for attack in (ConstantAttack(peers=2, scale=1e3), RandomNoise(peers=2, scale=1e3)):
        assert minimised("mean", attack, 20)["loss"].iloc[-1] > 1e3
    for attack in (ALIE(peers=2), IPM(peers=2), Mimic(peers=2), Silent(peers=2)):
        assert minimised("median", attack)["loss"].iloc[-1] < 0.2 * minimised("median", rounds=1)["loss"].iloc[0]


def test_centers_stay_within_the_honest_range():
    rng = np.random.default_rng(0)
    for _ in range(50):
        honest, lies = rng.normal(size=(7, 3)), 10.0 ** rng.integers(-2, 9) * rng.normal(size=(3, 3))
        for rule in ("trimmed_mean", "median"):
            agreed = center(rule, rng.permutation(np.concatenate([honest, lies])), 3)
            assert (agreed >= honest.min(axis=0)).all()
            assert (agreed <= honest.max(axis=0)).all()
    values = np.array([[1.0], [2], [3], [4], [100]])
    assert center("trimmed_mean", values, 1) == 3
    assert center("median", values, 0) == 3
    assert center("krum", values, 1) in (2, 3)
    assert center("geometric_median", values, 0) == pytest.approx(3, abs=0.05)


def test_a_robust_rule_needs_shared_directions_and_the_diameter():
    with pytest.raises(OptionError, match=r"algorithm\.estimator\.shared is False: it must use the same directions"):
        simulate(objective=Quadratic(), topology="ring", algorithm=DFedAvg(gossip=Flood(steps=8, rule="median")))
    short = DFedAvg(gossip=Flood(steps=2, rule="median"), estimator=SHARED)
    with pytest.raises(OptionError, match=r"algorithm\.gossip\.steps is 2: it must be at least 8, the diameter"):
        simulate(objective=Quadratic(), topology="ring", algorithm=short)

"""The directions of SAM's perturbation, and the rates that fall over a run."""

import numpy as np
import pytest

from dfedsam import DFedSAM, Exact, Flood, OneSided, Plain, Quadratic, ScoreSketch, TwoPoint, simulate
from dfedsam.algorithms import DPSGD
from dfedsam.topologies import make


def play(algorithm, rounds=3, peers=4, **options):
    result = simulate(
        objective=Quadratic(dim=5, noise=0), topology=make("complete", peers), algorithm=algorithm, rounds=rounds,
        dtype="float64", **options,
    )  # fmt: skip
    return result.rows


def gradient_and_start(peers=4):
    problem = Quadratic(dim=5, noise=0).build(peers, range(peers), 0, np.float64)
    return lambda x: problem.gradients(x, np.empty((peers, 0)), slice(0, peers)), np.tile(problem.start(), (peers, 1))


def loss(x):
    problem = Quadratic(dim=5, noise=0).build(len(x), range(len(x)), 0, np.float64)
    return problem.evaluate(x.mean(axis=0)[None])["loss"][0]


def perturbed(x, along, rho):
    return x + rho * along / np.linalg.norm(along, axis=1, keepdims=True)


def test_the_perturbation_goes_along_the_momentum_before_the_step():
    gradient, x = gradient_and_start()
    rows = play(
        DFedSAM(estimator=Exact(), lr=0.05, rho=0.3, perturbation="momentum", momentum=0.5, local_steps=3), rounds=1
    )
    m = np.zeros_like(x)
    for _ in range(3):
        at = perturbed(x, m, 0.3) if m.any() else x
        m = 0.5 * m + gradient(at)
        x = x - 0.05 * m
    assert rows[-1]["loss"] == pytest.approx(loss(x), rel=1e-12)


def test_last_round_goes_back_along_the_last_rounds_way_with_the_neighbours_part_in_it():
    gradient, x = gradient_and_start()
    rows = play(DFedSAM(estimator=Exact(), lr=0.05, rho=0.3, perturbation="last_round", local_steps=2, gossip=Plain()))
    earlier = x
    for row in rows[1:]:
        start, back = x, earlier - x
        for _ in range(2):
            x = x - 0.05 * gradient(perturbed(x, back, 0.3) if back.any() else x)
        x, earlier = np.tile(x.mean(axis=0), (4, 1)), start
        assert row["loss"] == pytest.approx(loss(x), rel=1e-12)


@pytest.mark.parametrize(("perturbation", "factor"), [
    ("own", 2), ("same", 2), ("random", 1), ("momentum", 1), ("control_variate", 1), ("last_round", 1),
])  # fmt: skip
def test_only_estimated_perturbations_cost_queries(perturbation, factor):
    estimator = TwoPoint(directions=3, control_variate=perturbation == "control_variate")
    rows = play(DFedSAM(estimator=estimator, rho=0.1, perturbation=perturbation, momentum=0.5, local_steps=2), rounds=2)
    assert rows[-1]["queries"] == 2 * 2 * 6 * factor


def test_a_control_variate_beats_none_where_peers_disagree():
    options = {"lr": 0.02, "local_steps": 1, "lr_schedule": "linear", "lr_rounds": 150, "gossip": Plain()}
    found = [
        play(DFedSAM(estimator=OneSided(directions=2, mu=1e-6, control_variate=control), rho=0, **options), rounds=150)
        for control in (False, True)
    ]
    best = play(DFedSAM(estimator=Exact(), rho=0, **options), rounds=150)[-1]["loss"]
    plain, controlled = (rows[-1]["loss"] - best for rows in found)
    assert abs(controlled) < 0.2 * abs(plain)


def test_rates_fall_as_they_say():
    linear = DPSGD(lr=2.0, lr_schedule="linear", lr_rounds=4)
    assert [linear.rate(t) for t in range(6)] == [2.0, 1.5, 1.0, 0.5, 0.5, 0.5]
    cosine = DPSGD(lr=2.0, lr_schedule="cosine", lr_rounds=4)
    assert [cosine.rate(t) for t in (0, 2)] == pytest.approx([2.0, 1.0])
    assert cosine.rate(3) == cosine.rate(9) == pytest.approx(1 - 0.5**0.5)


@pytest.mark.parametrize("schedule", ["linear", "cosine"])
def test_a_falling_rate_follows_the_rounds_of_the_run(schedule):
    options = {"objective": Quadratic(dim=3), "topology": make("ring", 4), "rounds": 7}
    follows, by_hand = (
        simulate(**options, algorithm=DPSGD(lr_schedule=schedule, lr_rounds=rounds)) for rounds in (0, 7)
    )
    np.testing.assert_array_equal(follows.x, by_hand.x)
    assert follows.experiment.digest() == by_hand.experiment.digest()


@pytest.mark.parametrize(
    ("make_it", "message"),
    [
        (lambda: DFedSAM(perturbation="momentum"), "perturbation is momentum: it needs a momentum"),
        (
            lambda: DFedSAM(perturbation="control_variate"),
            "perturbation is control_variate: it must be kept by the estimator, but two_point keeps none",
        ),
        (
            lambda: DFedSAM(perturbation="same", estimator=ScoreSketch()),
            "perturbation is same: .* score_sketch draws new ones each time",
        ),
        (lambda: DPSGD(lr_schedule="cosine", lr_rounds=-1), "lr_rounds is -1: it must be"),
        (
            lambda: play(DPSGD(estimator=TwoPoint(control_variate=True), gossip=Flood())),
            "estimator is two_point: it must combine directions .* without control_variate",
        ),
    ],
)
def test_bad_combinations_say_what_to_do(make_it, message):
    with pytest.raises(ValueError, match=message):
        make_it()

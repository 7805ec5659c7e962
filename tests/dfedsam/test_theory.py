"""What a run predicts at its start: the numbers of each gossip, and where the closed form holds."""

import json

import numpy as np
import pytest

from dfedsam import (
    Clock,
    Daily,
    DFedSAM,
    DFedSAMMG,
    GaussianMessages,
    Quadratic,
    SignFlip,
    TwoSpeeds,
    make,
    simulate,
    topologies,
)
from dfedsam.algorithms import DPSGD, DFedAvgM, OledFL
from dfedsam.gossip import Chebyshev, Choco, Plain
from dfedsam.theory import predict
from dfedsam.zeroth_order import Exact, TwoPoint

RING = make("ring", 8)


def predicted(algorithm, objective=Quadratic(dim=10, noise=0.2), topology=RING, rounds=(0, 10, 50)):
    gossip = algorithm.gossip_of_x()
    spectrum = topologies.spectrum(topology, gossip.num_steps(topology))
    found = predict(topology, algorithm, objective, spectrum, rounds)
    return json.loads(json.dumps(found, allow_nan=False))  # plain finite numbers


def test_gossip_multiplies_modes_as_its_kind_says():
    lam = topologies.slem(RING.weights(0))
    plain = predicted(DPSGD(estimator=Exact(), gossip=Plain(steps=3)))
    assert plain["lambda_q"] == pytest.approx(lam**3)
    np.testing.assert_allclose(plain["multipliers"], np.array(plain["eigenvalues"]) ** 3)
    accelerated = predicted(DPSGD(estimator=Exact(), gossip=Chebyshev(steps=3, shifted=False)))
    assert accelerated["lambda_q"] == pytest.approx(1 / np.cosh(3 * np.arccosh(1 / lam)))  # 1/T_Q(1/λ)
    compressed = predicted(DPSGD(estimator=Exact(), gossip=Choco(gamma=0.5)))
    assert compressed["lambda_q"] is compressed["consensus_distance"] is None


def test_the_steady_state_is_that_of_the_matrix_in_expectation():
    lr, noise, dim = 0.1, 0.2, 10
    found = predicted(DPSGD(lr=lr, estimator=Exact()), Quadratic(dim=dim, heterogeneity=0, noise=noise))
    exact = topologies.steady_consensus(RING.weights(0), np.zeros((8, dim)), lr, noise)
    assert found["consensus_distance"] == pytest.approx(exact)
    assert found["course"]["round"] == [0, 10, 50]
    assert found["course"]["consensus_distance"][0] == 0
    estimated = predicted(DPSGD(lr=0.01, estimator=TwoPoint()), Quadratic(dim=dim))
    assert estimated["consensus_distance"] > predicted(DPSGD(lr=0.01, estimator=Exact()))["consensus_distance"]


@pytest.mark.parametrize(
    ("algorithm", "objective"),
    [
        (DFedAvgM(), Quadratic()),
        (DPSGD(lr_schedule="inverse_root"), Quadratic()),
        (DPSGD(weight_decay=0.1), Quadratic()),
        (DPSGD(estimator=TwoPoint(control_variate=True)), Quadratic()),
        (DPSGD(lr=2.5, estimator=Exact()), Quadratic()),
        (DFedSAM(rho=2.0), Quadratic(dim=2)),
        (DFedSAM(perturbation="random"), Quadratic()),
        (OledFL(), Quadratic()),
        (DPSGD(), Quadratic(condition=10)),
    ],
)
def test_no_closed_form_where_it_does_not_hold(algorithm, objective):
    found = predicted(algorithm, objective)
    assert found["consensus_distance"] is found["error"] is found["course"] is None
    assert found["lambda_q"] > 0


def test_topologies_without_modes():
    schedule = predicted(DPSGD(), topology=make("one_peer_ring", 6))
    assert schedule["multipliers"] is schedule["consensus_distance"] is None
    assert 0 < schedule["lambda_q"] < 1
    assert predicted(DPSGD(), topology=make("star", 6, weights="uniform"))["lambda_q"] is None  # biased


def test_the_rate_of_the_theorem_by_hand():
    assert DFedSAM(local_steps=4).convergence_rate(0.5, 16) == pytest.approx(1 / 8 + 1 / 16 + 1.5 / (2 * 64 * 0.25))
    assert predicted(DFedSAMMG())["rate"] == DFedSAMMG().convergence_rate(predicted(DFedSAMMG())["lambda_q"], 50)
    assert predicted(DPSGD())["rate"] is None


def test_a_matrix_that_does_not_mix_has_no_rate(tmp_path):
    swap = topologies.Static(make("ring", 2).graph(0), np.array([[0.0, 1.0], [1.0, 0.0]]))
    found = predicted(DFedSAM(), topology=swap)
    assert found["lambda_q"] == pytest.approx(1)
    assert found["rate"] is None
    simulate(objective=Quadratic(dim=3), topology=swap, algorithm=DFedSAM(), rounds=2, out=tmp_path / "run")


def test_a_run_stores_it(tmp_path):
    simulate(
        objective=Quadratic(dim=5), topology=RING, algorithm=DPSGD(), rounds=7, evaluate_every=3, out=tmp_path / "run"
    )
    stored = json.loads((tmp_path / "run" / "topology.json").read_text())["theory"]
    assert stored == predicted(DPSGD(), Quadratic(dim=5), rounds=(0, 3, 6, 7))


def test_what_disturbs_a_run_leaves_it_without_a_closed_form(tmp_path):
    """Theory knows W alone: no attackers, no noise on rows, nobody whom the clock leaves out."""
    disturbed = {
        "attackers": {"adversary": SignFlip(peers=[3, 7])},
        "noise": {"privacy": GaussianMessages(noise=1.0)},
        "late messages": {"clock": Clock(compute=TwoSpeeds(), wait="fastest_m", m=1)},
        "churn": {"clock": Clock(availability=Daily())},
    }
    for name, options in {
        "none": {},
        "nobody": {"adversary": SignFlip(peers=0)},
        "a clock": {"clock": Clock()},
        **disturbed,
    }.items():
        algorithm = DPSGD(lr=0.1, estimator=Exact())
        simulate(
            objective=Quadratic(dim=4),
            topology="torus",
            peers=16,
            algorithm=algorithm,
            rounds=1,
            out=tmp_path / name,
            **options,
        )
        stored = json.loads((tmp_path / name / "topology.json").read_text())
        predicted = {key: stored["theory"][key] is not None for key in ("consensus_distance", "error", "course")}
        assert set(predicted.values()) == {name not in disturbed}
        assert stored["theory"]["lambda_q"] == pytest.approx(0.6)
        assert stored.get("attackers") == ([3, 7] if name == "attackers" else None)

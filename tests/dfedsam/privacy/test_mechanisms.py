"""Mechanisms add the noise that the ledger counts, to what they say, and nothing else."""

from dataclasses import replace

import numpy as np
import pytest

from dfedsam import (
    Decor,
    DFedAvg,
    DFedSAM,
    Exact,
    Flood,
    Gaussian,
    GaussianMessages,
    GradientTracking,
    Laplace,
    LogisticRegression,
    OptionError,
    Plain,
    Quadratic,
    TwoPoint,
    ZipDL,
    make,
    simulate,
)
from dfedsam.communication.single_process import SingleProcess
from dfedsam.context import Oracle, QueryCounter
from dfedsam.privacy.accounting import epsilon, zero_sum_leak
from dfedsam.privacy.base import clipped_sum
from dfedsam.privacy.mechanisms import shared_noise, zero_sum_noise
from dfedsam.random import RandomStream

SETTING = {"objective": LogisticRegression(features=4), "topology": "ring", "peers": 6, "seed": 1}


def ran(privacy, algorithm=None, rounds=3, **options):
    return simulate(algorithm=algorithm or DFedAvg(local_steps=2), privacy=privacy, rounds=rounds, **SETTING | options)


def test_one_example_more_moves_the_clipped_sum_by_at_most_c():
    rng = np.random.default_rng(0)
    slopes = 10.0 ** rng.uniform(-3, 3, (5, 2, 9)) * rng.normal(size=(5, 2, 9))
    slopes[0, 0, 0] = np.inf
    whole = clipped_sum(slopes, np.ones((5, 9)), 0.7)
    for one in range(9):
        without = np.ones((5, 9))
        without[:, one] = 0
        moved = np.abs(whole - clipped_sum(slopes, without, 0.7))
        assert moved.max() <= 0.7 * (1 + 1e-12)
        padded = clipped_sum(slopes, without, 0.7)
        np.testing.assert_array_equal(clipped_sum(np.delete(slopes, one, axis=2), np.ones((5, 8)), 0.7), padded)


def released(privacy, problem, draws=400):
    """Slopes of one peer's block at many rounds, less those without noise, shape (draws, p, q)."""
    found, x = [], np.zeros((6, problem.dim), np.float64)
    u = np.random.default_rng(0).normal(size=(6, 3, problem.dim))
    for t in range(draws):
        stream = RandomStream(0, "", t, 0, range(6))
        batch = privacy.minibatch(problem, stream, slice(0, 6))
        counter = QueryCounter.zero(6)
        oracle = Oracle(problem, batch, slice(0, 6), stream, counter, None, privacy)
        candidates = np.concatenate([x[:, None] + 1e-4 * u, x[:, None] - 1e-4 * u], axis=1)
        found.append(oracle.slopes(candidates, slice(3), slice(3, None), 2e-4))
        assert counter.queries.tolist() == [6] * 6
    return np.array(found)


@pytest.mark.parametrize("mechanism", [Gaussian(noise=2.0, clip=0.5), Laplace(noise=2.0, clip=0.5)])
def test_noise_has_the_size_that_is_counted_and_the_mean_is_that_of_clipped_slopes(mechanism):
    problem = LogisticRegression(features=4).build(6, range(6), 1, np.float64)
    values = released(mechanism, problem)
    sizes, q = problem.sizes()[:, None], 3
    scale = 2.0 * 0.5 / sizes * (q**0.5 if isinstance(mechanism, Gaussian) else 2**0.5 * q)
    np.testing.assert_allclose(values.std(axis=0) / scale, 1, atol=0.2)
    exact = released(replace(mechanism, noise=1e-12), problem, 1)[0]
    assert np.abs(exact).max() <= 0.5, "means of clipped slopes"
    assert (np.abs(values.mean(axis=0) - exact) < 5 * scale / 400**0.5).all()


def test_poisson_sampling_is_unbiased_and_fixed_minibatches_count_an_example_once():
    problem = LogisticRegression(features=4, batch_size=200).build(6, range(6), 1, np.float64)
    exact = released(Gaussian(noise=1e-12), problem, 1)[0]
    sampled = released(Gaussian(noise=1e-12, rate=0.3), problem)
    assert (np.abs(sampled.mean(axis=0) - exact) < 5 * sampled.std(axis=0) / 400**0.5).all()
    assert (np.abs(released(Gaussian(noise=1e-12, clip=1e-3, sampling="fixed"), problem, 3)) <= 1e-3).all()


def test_noise_of_pairs_cancels_in_the_mean_and_has_the_laplacian_as_covariance():
    topology = make("ring", 8)
    W, communicator = topology.weights(0), SingleProcess(8)
    noise = shared_noise(20_000, W, communicator, RandomStream(3, "x", 0, 0, range(8))).astype(np.float64)
    assert np.abs(noise.sum(axis=0)).max() < 1e-5
    L = 2 * np.eye(8) - np.roll(np.eye(8), 1, axis=0) - np.roll(np.eye(8), -1, axis=0)
    np.testing.assert_allclose(noise @ noise.T / 20_000, L, atol=0.06)


def test_zero_sum_noise_cancels_exactly_and_leaks_as_its_covariance_says():
    """Its variance is lemma 3.3's; what it leaks is 1ᵀΣ⁻¹1, with Σ of the messages that others see."""
    topology, draws = make("star", 5), 40_000
    W = topology.weights(0)
    dense, leaks = W.toarray(), []
    for a in range(5):
        to = np.flatnonzero(dense[a])
        w, d = dense[a, to], len(to)
        Z = zero_sum_noise(draws, W, to, np.full(d, a), RandomStream(3, "x", 0, 0, range(5)), np.float64)
        np.testing.assert_allclose(w @ Z, 0, atol=1e-13)
        variance = (d - 1) ** 2 / d**2 + (w @ w - w**2) / (d * w) ** 2
        np.testing.assert_allclose(Z.var(axis=1), variance, rtol=0.04)
        C = np.eye(d) - np.outer(1 / w, w) / d
        seen = (C @ C.T)[np.ix_(to != a, to != a)]
        np.testing.assert_allclose((Z @ Z.T)[np.ix_(to != a, to != a)] / draws, seen, atol=0.06 * seen.max())
        leaks.append(np.linalg.inv(seen).sum())
    np.testing.assert_allclose(zero_sum_leak(W), leaks)
    np.testing.assert_allclose(zero_sum_leak(make("ring", 8).weights(0)), 3 * 2)


def test_zip_dl_keeps_the_mean_whatever_its_noise_and_counts_data_that_stay_in_x():
    quiet, loud = (
        ran(ZipDL(noise=noise, clip=0.01), DFedAvg(estimator=Exact(), local_steps=1), rounds=1) for noise in (1e-9, 1e3)
    )
    np.testing.assert_allclose(loud.x.mean(axis=0), quiet.x.mean(axis=0), atol=1e-5)
    assert np.abs(loud.x).max() > 1 > 1e-2 > np.abs(quiet.x).max()
    # after three rounds the sensitivities were 2, 4 and 6 (of C), on a ring with six times the information of one noise
    result = ran(ZipDL(noise=100.0), rounds=3)
    assert result["epsilon"].iloc[-1] == pytest.approx(epsilon("gaussian", 100 / (6 * (4 + 16 + 36)) ** 0.5, 1, 1e-5))


def test_messages_are_clipped_updates_with_noise():
    result = ran(GaussianMessages(noise=1e-9, clip=0.01), rounds=1)
    assert np.linalg.norm(result.x.mean(axis=0)) <= 0.01 * (1 + 1e-6), "all start at zero"
    loud = ran(GaussianMessages(noise=50.0, clip=0.01), rounds=1, topology="complete")
    correlated = ran(Decor(noise=1e-6, ratio=1e6, clip=0.01), rounds=1, topology="complete")
    assert np.abs(correlated.x).max() < 0.02 < np.abs(loud.x).max(), "shared noise cancels in a complete graph's mean"


def test_the_ledger_counts_and_ends_the_run_where_the_budget_is_spent(tmp_path):
    sam = DFedSAM(local_steps=2, rho=0.01)
    result = ran(Gaussian(noise=3.0, epsilon=4.0), sam, rounds=50, evaluate_every=7, out=tmp_path / "a")
    rounds = int(result["round"].iloc[-1])
    assert 0 < rounds < 50
    assert "privacy budget" in result.stopped

    def spent(rounds):
        return epsilon("gaussian", 3.0 / 2**0.5, 2 * rounds, 1e-5)

    assert result["epsilon"].iloc[-1] == spent(rounds) <= 4 < spent(rounds + 1)
    assert list(result["epsilon"]) == [spent(t) for t in result["round"]]
    again = ran(Gaussian(noise=3.0, epsilon=4.0), sam, rounds=60, evaluate_every=7, out=tmp_path / "a", resume=True)
    assert int(again["round"].iloc[-1]) == rounds, "nothing is left"
    assert f"does not cover round {rounds + 1}, after which ε would be {spent(rounds + 1):.4g}" in again.stopped


def test_a_run_that_its_budget_stopped_goes_on_with_a_larger_one_and_the_same_noise(tmp_path):
    private = Gaussian(noise=3.0, rate=0.3, epsilon=1.0)
    stopped = ran(private, rounds=20, out=tmp_path / "a")
    assert stopped.stopped is not None
    raised = ran(replace(private, epsilon=50.0), rounds=20, out=tmp_path / "a", resume=True)
    whole = ran(replace(private, epsilon=50.0), rounds=20)
    assert (raised.x == whole.x).all()
    assert raised["epsilon"].iloc[-1] == whole["epsilon"].iloc[-1] > 1
    with pytest.raises(ValueError, match="another experiment"):
        ran(replace(private, noise=4.0), rounds=30, out=tmp_path / "a", resume=True)


def test_a_budget_without_noise_lasts_for_the_run_exactly():
    for privacy in (Gaussian(epsilon=3.0, rate=0.5), Decor(epsilon=3.0), Laplace(epsilon=3.0)):
        result = ran(privacy, rounds=4, evaluate_local=False)
        assert result.stopped is None
        assert result["epsilon"].iloc[-1] == pytest.approx(3, rel=1e-4)


def test_private_scalars_work_with_any_gossip_of_them():
    flooded = ran(Gaussian(noise=0.1), DFedAvg(estimator=TwoPoint(shared=True), gossip=Flood(steps=3, rule="median")))
    assert flooded["loss"].iloc[-1] < flooded["loss"].iloc[0]
    assert "epsilon" not in ran(None).metrics


@pytest.mark.parametrize(
    ("privacy", "algorithm", "objective", "message"),
    [
        (Gaussian(noise=1), GradientTracking(), None, "algorithm is gradient_tracking: it must consist of plain local"),
        (Gaussian(noise=1), DFedAvg(estimator=Exact()), None, "estimator is exact: it must use differences of losses"),
        (Gaussian(noise=1), None, Quadratic(), "privacy is gaussian: it must have an objective with one loss per ex"),
        (Decor(noise=1), DFedAvg(gossip=Flood(steps=3)), None, "algorithm.gossip is flood: it must send rows of x"),
        (
            ZipDL(noise=1),
            DFedAvg(gossip=Plain(steps=2)),
            None,
            "algorithm.gossip is plain: it must be one step x ← W x",
        ),
    ],
)
def test_what_a_mechanism_does_not_cover_is_refused(privacy, algorithm, objective, message):
    with pytest.raises(OptionError, match=message):
        ran(privacy, algorithm, objective=objective or SETTING["objective"])

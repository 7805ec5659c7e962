"""BDPL's estimate against the exact expectation over all prompts of a tiny vocabulary."""

from dataclasses import dataclass

import numpy as np
import pytest
from scipy.optimize import minimize

from dfedsam import DPSGD, Quadratic, TwoPoint, simulate, topologies
from dfedsam.checkpoint import load
from dfedsam.communication.single_process import SingleProcess
from dfedsam.objectives import Objective
from dfedsam.objectives.categorical import FORMS, on_simplex
from dfedsam.random import RandomStream
from dfedsam.zeroth_order import PolicyGradient
from tests.dfedsam.zeroth_order.choices import CANDIDATES, TOKENS, Table, asked

CHANCES = np.array([[0.2, 0.5, 0.3], [0.6, 0.1, 0.3]])
PEERS = 20_000


def vector(form: str) -> np.ndarray:
    return (CHANCES if form == "probabilities" else np.log(CHANCES)).reshape(1, -1)


@pytest.mark.parametrize("form", FORMS)
def test_its_mean_is_the_gradient_of_the_expected_loss(form: str) -> None:
    """By differences of the expectation over all nine prompts, along what the simplex leaves free."""
    problem, x = Table(form), vector(form)
    estimates = PolicyGradient(samples=4, clip=0)(asked(problem, PEERS), np.repeat(x, PEERS, axis=0), None, "descent")[
        0
    ]
    step, exact = 1e-5, []
    for move in np.eye(x.size) * step:
        chances = [(x[0] + sign * move).reshape(TOKENS, CANDIDATES) for sign in (1, -1)]
        if form == "logits":
            chances = [np.exp(one) / np.exp(one).sum(axis=1, keepdims=True) for one in chances]
        up, down = (problem.expected(one) for one in chances)
        exact.append((up - down) / (2 * step))
    free = np.kron(np.eye(TOKENS), np.eye(CANDIDATES) - 1 / CANDIDATES)
    error = (estimates - exact) @ (free if form == "probabilities" else np.eye(x.size))
    assert (np.abs(error.mean(axis=0)) < 5 * error.std(axis=0) / PEERS**0.5).all()
    assert error.std(axis=0).min() > 0.01


def test_it_is_half_of_the_papers_formula() -> None:
    """Which is 1/(I − 1) Σ (L_k − L̄) D_k, with D 1/P where a token was drawn and −1/P where not, written plainly."""
    problem, mini, x = (
        Table("probabilities"),
        asked(Table("probabilities"), 3),
        np.repeat(vector("probabilities"), 3, 0),
    )
    found = PolicyGradient(samples=5, clip=0)(mini, x, None, "descent")[0]
    drawn = problem.categorical.draw(problem.categorical.probabilities(x), mini.random("descent"), 5)
    losses = problem.losses(drawn, mini.batch)
    for peer in range(3):
        total = np.zeros(x.shape[1])
        for one, loss in zip(drawn[peer], losses[peer], strict=True):
            total += (loss - losses[peer].mean()) * np.where(one == 1, 1 / x[peer], -1 / x[peer]) / 4
        np.testing.assert_allclose(2 * found[peer], total, rtol=1e-12, atol=1e-12)
    assert (mini.counter.queries == 5).all()


def test_clipping_shortens_what_is_longer_alone() -> None:
    problem, x = Table("logits"), np.repeat(vector("logits"), 50, 0)
    whole, clipped = (
        PolicyGradient(samples=2, clip=clip)(asked(problem, 50), x, None, "descent")[0] for clip in (0, 0.3)
    )
    norms = np.linalg.norm(whole, axis=1)
    assert (norms > 0.3).any()
    assert (norms < 0.3).any()
    np.testing.assert_allclose(clipped, whole * np.minimum(1, 0.3 / np.maximum(norms, 1e-300))[:, None], rtol=1e-12)


def test_draws_follow_the_probabilities_and_never_what_has_none() -> None:
    problem = Table("probabilities")
    chances = np.array([[0.0, 0.5, 0.5], [1.0, 0.0, 0.0]])
    drawn = problem.categorical.draw(np.repeat(chances[None], 4, 0), RandomStream(0, "c", 0, 0, range(4)), 5000)
    share = problem.categorical.rows(drawn).mean(axis=(0, 1))
    assert (share[chances == 0] == 0).all()
    assert np.abs(share - chances).max() < 5 * 0.5 / 20_000**0.5


def test_the_projection_is_the_nearest_point_of_the_simplex() -> None:
    """Against a general-purpose solver of the same problem."""
    rows = np.random.default_rng(0).normal(size=(6, 5))
    found = on_simplex(rows)
    np.testing.assert_allclose(on_simplex(found), found, atol=1e-15)
    for row, near in zip(rows, found, strict=True):
        rule = {"type": "eq", "fun": lambda p: p.sum() - 1}
        solved = minimize(
            lambda p, row=row: ((p - row) ** 2).sum(), np.full(5, 0.2), bounds=[(0, 1)] * 5, constraints=rule, tol=1e-12
        )
        np.testing.assert_allclose(near, solved.x, atol=1e-5)


@dataclass(frozen=True)
class Tabled(Objective):
    """Makes a Table."""

    form: str

    def build(self, peers, block, seed, dtype):
        return Table(self.form)


@pytest.mark.parametrize(("form", "lr"), [("probabilities", 0.02), ("logits", 0.5)])
def test_peers_agree_on_the_best_prompt(form: str, lr: float, tmp_path) -> None:
    algorithm = DPSGD(estimator=PolicyGradient(samples=8), lr=lr)
    options = {"objective": Tabled(form), "topology": topologies.make("ring", 5), "evaluate_every": 150}
    rows = simulate(**options, algorithm=algorithm, rounds=150, out=tmp_path / "run").rows
    table = Table(form).table
    assert rows[-1]["loss"] < table.min() + 0.1 * (table.mean() - table.min())
    assert rows[-1]["queries"] == 150 * 8
    x = load(tmp_path / "run" / "checkpoint.safetensors", SingleProcess(5))[0]["x"]
    if form == "probabilities":
        np.testing.assert_allclose(Table(form).categorical.rows(x).sum(axis=-1), 1, atol=1e-5)
        assert x.min() >= 0


@pytest.mark.parametrize("form", FORMS)
def test_gossip_preserves_the_mean_of_distributions_or_their_geometric_mean(form: str) -> None:
    categorical, rng = Table(form).categorical, np.random.default_rng(0)
    x = rng.normal(size=(5, TOKENS * CANDIDATES))
    categorical.project(x)
    mixed = topologies.make("ring", 5).weights(0) @ x
    before, after = categorical.probabilities(x), categorical.probabilities(mixed)
    np.testing.assert_allclose(after.sum(axis=-1), 1, rtol=1e-12)
    if form == "probabilities":
        np.testing.assert_allclose(categorical.rows(mixed), after, atol=1e-15)  # none leaves the simplex
        means = [chances.mean(axis=0) for chances in (before, after)]
    else:
        means = [np.exp(np.log(chances).mean(axis=0)) for chances in (before, after)]
        means = [mean / mean.sum(axis=-1, keepdims=True) for mean in means]
    np.testing.assert_allclose(*means, rtol=1e-12)


def test_estimators_say_before_the_run_what_they_cannot_do(tmp_path) -> None:
    options = {"topology": topologies.make("ring", 5), "out": tmp_path / "run"}
    with pytest.raises(ValueError, match="estimator is policy_gradient: it needs discrete prompts"):
        simulate(**options, objective=Quadratic(), algorithm=DPSGD(estimator=PolicyGradient()))
    with pytest.raises(ValueError, match="estimator is two_point: it must not need directional derivatives"):
        simulate(**options, objective=Tabled("logits"), algorithm=DPSGD(estimator=TwoPoint()))
    assert not (tmp_path / "run").exists()
    for bad in ({"samples": 1}, {"clip": -1}):
        with pytest.raises(ValueError, match=r"(samples|clip) is .*: it must be|must be"):
            PolicyGradient(**bad)

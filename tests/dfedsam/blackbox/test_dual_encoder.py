"""A dual encoder's scores are those of a plain forward pass of the model, in both modes."""

import functools
import json
from pathlib import Path

import numpy as np
import pytest
import torch
import transformers

from dfedsam.blackbox import DualEncoderConfig
from dfedsam.blackbox.base import TaskSpec
from dfedsam.blackbox.dual_encoder import DualEncoder
from dfedsam.data.split import Examples

CLASSES = ("bad film", "good")
TEXTS = ("a text about the graph", "it was not very good", "sum", "a plot of the line and the edge", "the root", "loss")
EXAMPLES = np.array([[0, 3, 2], [5, 1, -1]])
MODES = ("words", "text")


def box(folder: Path, *, texts: tuple[str, ...] = TEXTS, **options) -> DualEncoder:
    examples = Examples(texts=texts, labels=np.zeros(len(texts), np.int64), classes=(0, 1))
    usual = {"words": CLASSES, "examples": examples, "prompt": "a text about", "dtype": np.dtype(np.float64)}
    config = DualEncoderConfig(**{name: options.pop(name) for name in ("mode", "scale") if name in options})
    made = config.build(TaskSpec(**{"model": str(folder), **usual, **options}))
    assert isinstance(made, DualEncoder)
    return made


@pytest.fixture(scope="module")
def prompts() -> np.ndarray:
    return np.random.default_rng(0).normal(size=(2, 3, 4, 16))


@functools.cache
def plain_model(folder: Path) -> tuple:
    transformers.logging.disable_progress_bar()
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    return tokenizer, transformers.BertModel.from_pretrained(folder, dtype=torch.float64).eval()


def plain_vector(folder: Path, text: str, prompt: np.ndarray | None, pooling: str = "mean") -> np.ndarray:
    """Vector of one text, with a soft prompt after [CLS] or without: the oracle, one sequence at a time."""
    tokenizer, model = plain_model(folder)
    ids = torch.tensor(tokenizer(text).input_ids)
    with torch.no_grad():
        rows = model.embeddings.word_embeddings(ids)
        if prompt is not None:
            rows = torch.cat([rows[:1], torch.tensor(prompt), rows[1:]])
        hidden = model(inputs_embeds=rows[None]).last_hidden_state[0]
    pooled = hidden[0] if pooling == "cls" else hidden.mean(dim=0)
    return (pooled / pooled.norm()).numpy()


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("cut", [False, True])
def test_scores_are_those_of_a_plain_forward(encoder_folder: Path, prompts: np.ndarray, mode: str, cut: bool) -> None:
    answers = box(encoder_folder, mode=mode, scale=7.0, cut_at_peers=cut).scores(prompts, EXAMPLES)
    assert answers.shape == (2, 3, 3, 2)
    for peer, row in enumerate(EXAMPLES):
        numbers = row[row >= 0]
        for query, prompt in enumerate(prompts[peer]):
            before_words, before_text = (prompt, None) if mode == "words" else (None, prompt)
            words = np.stack([plain_vector(encoder_folder, word, before_words) for word in CLASSES])
            texts = np.stack([plain_vector(encoder_folder, TEXTS[i], before_text) for i in numbers])
            np.testing.assert_allclose(
                answers[peer, query, : len(numbers)], 7.0 * texts @ words.T, rtol=1e-10, atol=1e-12
            )


@pytest.mark.parametrize("mode", MODES)
def test_padded_batches_score_the_same(
    encoder_folder: Path, prompts: np.ndarray, mode: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on a GPU, where lengths are rounded up and masked."""
    bare = box(encoder_folder, mode=mode)
    padded = box(encoder_folder, mode=mode)
    monkeypatch.setattr(padded._forward.batches, "pads", True)
    for one, other in zip(bare.scores(prompts, EXAMPLES), padded.scores(prompts, EXAMPLES), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("mode", MODES)
def test_small_batches_score_the_same(
    encoder_folder: Path, prompts: np.ndarray, mode: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = box(encoder_folder, mode=mode).scores(prompts, EXAMPLES)
    monkeypatch.setattr("dfedsam.blackbox.forward._CPU_TOKENS", 16)
    for one, other in zip(whole, box(encoder_folder, mode=mode).scores(prompts, EXAMPLES), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-10, atol=1e-12)


def test_cls_pooling_is_taken_from_the_folder(encoder_folder: Path, tmp_path: Path) -> None:
    for file in encoder_folder.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    (tmp_path / "1_Pooling").mkdir()
    kinds = (("", "Transformer"), ("1_Pooling", "Pooling"))
    modules = [{"path": path, "type": f"sentence_transformers.models.{kind}"} for path, kind in kinds]
    modules = [{"idx": i, "name": str(i), **module} for i, module in enumerate(modules)]
    (tmp_path / "modules.json").write_text(json.dumps(modules))
    pooling = {"word_embedding_dimension": 16, "pooling_mode_cls_token": True, "pooling_mode_mean_tokens": False}
    (tmp_path / "1_Pooling" / "config.json").write_text(json.dumps(pooling))
    scores = box(tmp_path, scale=1.0).zero_shot(np.arange(2))
    words, texts = (np.stack([plain_vector(tmp_path, t, None, "cls") for t in some]) for some in (CLASSES, TEXTS[:2]))
    np.testing.assert_allclose(scores, texts @ words.T, rtol=1e-10)


@pytest.mark.parametrize("mode", MODES)
def test_the_meter_counts_queries_examples_and_tokens(encoder_folder: Path, prompts: np.ndarray, mode: str) -> None:
    encoder = box(encoder_folder, mode=mode)
    encoder.scores(prompts, EXAMPLES, count=False)
    assert encoder.usage.examples == encoder.usage.tokens == 0
    encoder.scores(prompts, EXAMPLES)
    assert encoder.usage.examples == 3 * (3 + 2)
    words = sum(len(word.split()) + 4 + 2 for word in CLASSES)
    texts = sum(len(TEXTS[i].split()) + 4 + 2 for i in EXAMPLES[EXAMPLES >= 0])
    assert encoder.usage.tokens == 3 * (2 * words if mode == "words" else texts)


def test_a_prompt_starts_as_the_embeddings_of_its_words(encoder_folder: Path) -> None:
    tokenizer, model = plain_model(encoder_folder)
    table = model.get_input_embeddings().weight
    ids = tokenizer("a good plot", add_special_tokens=False).input_ids
    np.testing.assert_allclose(box(encoder_folder, prompt="a good plot").prompt, table[ids].detach().numpy())


@pytest.mark.parametrize("mode", MODES)
def test_a_prompt_of_real_words_is_that_text(encoder_folder: Path, mode: str) -> None:
    encoder = box(encoder_folder, mode=mode, scale=1.0)
    prompt = encoder.prompt[None, None]
    (scores,) = encoder.scores(prompt, EXAMPLES[:1])
    before = "a text about "
    words = [(before if mode == "words" else "") + word for word in CLASSES]
    texts = [(before if mode == "text" else "") + TEXTS[i] for i in EXAMPLES[0]]
    words, texts = (np.stack([plain_vector(encoder_folder, t, None) for t in some]) for some in (words, texts))
    np.testing.assert_allclose(scores[0], texts @ words.T, rtol=1e-10)


@pytest.mark.parametrize("mode", MODES)
def test_gradients_agree_with_finite_differences(encoder_folder: Path, mode: str) -> None:
    encoder = box(encoder_folder, mode=mode)
    random = np.random.default_rng(1)
    at, along = random.normal(size=(2, 4, 16)), random.normal(size=(2, 4, 16))
    labels = np.array([[0, 1, 1], [1, 0, -1]])
    losses, gradients = encoder.gradients(at, EXAMPLES, labels)
    step = 1e-5
    above, below = (encoder.gradients(at + sign * step * along, EXAMPLES, labels)[0] for sign in (1, -1))
    slopes = (gradients * along).sum(axis=(1, 2))
    np.testing.assert_allclose(slopes, (above - below) / (2 * step), rtol=1e-6)
    for loss, scores, row in zip(losses, encoder.scores(at[:, None], EXAMPLES), labels, strict=True):
        own = row[row >= 0]
        chances = np.exp(scores[0]) / np.exp(scores[0]).sum(axis=1, keepdims=True)
        assert loss == pytest.approx(-np.log(chances[np.arange(len(own)), own]).mean())


def test_texts_are_cut(encoder_folder: Path) -> None:
    long, cut = ("sum " * 100).strip(), ("sum " * 5).strip()
    encoder = box(encoder_folder, texts=(long, cut), max_tokens=5)
    scores = encoder.zero_shot(np.arange(2))
    np.testing.assert_allclose(scores[0], scores[1], rtol=1e-12)  # a batch need not round its rows alike


def test_texts_are_cut_where_the_model_stops_reading(encoder_folder: Path) -> None:
    long, prompt = ("sum " * 100).strip(), ("loss " * 40).strip()  # the model reads 64 tokens
    encoder = box(encoder_folder, texts=(long, long + " line"), prompt=prompt, mode="text")
    (scores,) = encoder.scores(encoder.prompt[None, None], np.arange(2)[None])
    np.testing.assert_allclose(scores[0, 0], scores[0, 1], rtol=1e-12)
    with pytest.raises(ValueError, match=r"prompt is .*: it must leave room for a text: .* it is 62 tokens long"):
        box(encoder_folder, prompt=("loss " * 62).strip())


def test_a_prompt_of_no_tokens(encoder_folder: Path) -> None:
    with pytest.raises(ValueError, match=r"prompt is .: it must have tokens, but the model .* finds none in it"):
        box(encoder_folder, prompt="\u200b")


def test_a_word_of_no_tokens(encoder_folder: Path) -> None:
    with pytest.raises(ValueError, match=r"words is good, .: it must have tokens: .* finds nothing"):
        box(encoder_folder, words=("good", "\u200b"))

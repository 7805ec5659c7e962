"""Masked and causal language models score as a plain forward pass of the model does."""

import re
from pathlib import Path

import numpy as np
import pytest
import torch

from dfedsam.blackbox import BlackBoxConfig, CausalLMConfig, MaskedLMConfig
from dfedsam.blackbox.base import TaskSpec
from dfedsam.blackbox.causal_lm import CausalLM
from dfedsam.blackbox.language_model import LanguageModel
from dfedsam.blackbox.templates import Template, tasks
from dfedsam.data.split import Examples
from tests.dfedsam.blackbox.language_models import CAUSAL, MASKED, TEXTS, plain_scores

WORDS = ("bad", "great")
EXAMPLES = np.array([[0, 3, 2], [5, 1, -1]])
SECONDS = TEXTS[::-1]
MASKED_BOXES = (
    MaskedLMConfig(),
    MaskedLMConfig(template="{text} It was <mask> {prompt}"),
    MaskedLMConfig(template="mrpc"),
)
CAUSAL_BOXES = (
    CausalLMConfig(),
    CausalLMConfig(template="{text} {prompt}"),
    CausalLMConfig(template="{prompt} {text} It was"),
    CausalLMConfig(template="{text1} ? {prompt} {text2} :", cache=0),
)
BOXES = [(kind, model) for kind in MASKED for model in MASKED_BOXES]
BOXES += [(kind, model) for kind in CAUSAL for model in CAUSAL_BOXES]
CASES = [pytest.param(kind, model, id=f"{kind} {model.template}") for kind, model in BOXES]


@pytest.fixture(scope="module")
def prompts() -> np.ndarray:
    return np.random.default_rng(0).normal(size=(2, 3, 4, 16))


def box(folder: Path, model: BlackBoxConfig, **options) -> LanguageModel:
    seconds = SECONDS if model.parsed().pair else ()  # type: ignore[attr-defined]
    examples = Examples(texts=TEXTS, labels=np.zeros(len(TEXTS), np.int64), classes=(0, 1), seconds=seconds)
    usual = {"words": WORDS, "examples": examples, "prompt": "a film", "dtype": np.dtype(np.float64)}
    made = model.build(TaskSpec(**{"model": str(folder), **usual, **options}))
    assert isinstance(made, LanguageModel)
    return made


def as_text(model: BlackBoxConfig, number: int) -> str:
    """A template with one example filled in, by hand."""
    text = model.parsed().text  # type: ignore[attr-defined]
    return text.replace("{text1}", TEXTS[number]).replace("{text2}", SECONDS[number]).replace("{text}", TEXTS[number])


@pytest.mark.parametrize(("kind", "model"), CASES)
@pytest.mark.parametrize("way", ["whole", "cut at peers", "padded", "small batches"])
def test_scores_are_those_of_a_plain_forward(
    folders: dict[str, Path],
    prompts: np.ndarray,
    kind: str,
    model: BlackBoxConfig,
    way: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    made = box(folders[kind], model, cut_at_peers=way == "cut at peers")
    if way == "padded":  # as on a GPU, where lengths are rounded up and masked
        monkeypatch.setattr(made._forward.batches, "pads", True)
    if way == "small batches":
        monkeypatch.setattr("dfedsam.blackbox.forward._CPU_TOKENS", 16)
    for _ in range(2):  # the second time from what was kept
        for own, row, answers in zip(prompts, EXAMPLES, made.scores(prompts, EXAMPLES), strict=True):
            assert answers.shape == (3, 3, 2)
            numbers = row[row >= 0]
            for query, prompt in enumerate(own):
                oracle = [plain_scores(folders[kind], as_text(model, i), prompt, WORDS) for i in numbers.tolist()]
                np.testing.assert_allclose(answers[query, : len(numbers)], oracle, rtol=1e-9, atol=1e-11)
    shown = [plain_scores(folders[kind], as_text(model, i), None, WORDS) for i in (4, 1)]
    np.testing.assert_allclose(made.zero_shot(np.array([4, 1])), shown, rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize(("kind", "model"), CASES)
def test_gradients_agree_with_finite_differences_and_tokens_are_counted(
    folders: dict[str, Path], kind: str, model: BlackBoxConfig
) -> None:
    made = box(folders[kind], model)
    random = np.random.default_rng(1)
    at, along = random.normal(size=(2, 4, 16)), random.normal(size=(2, 4, 16))
    labels = np.array([[0, 1, 1], [1, 0, -1]])
    _, gradients = made.gradients(at, EXAMPLES, labels)
    step, rtol = (1e-3, 1e-2) if kind == "llama" else (1e-5, 1e-5)  # Llama's norms round to single precision
    above, below = (made.losses((at + sign * step * along)[:, None], EXAMPLES, labels)[:, 0] for sign in (1, -1))
    np.testing.assert_allclose((gradients * along).sum(axis=(1, 2)), (above - below) / (2 * step), rtol=rtol)
    kept = made.keeps if isinstance(made, CausalLM) else False
    read = [len(ids) - kept * place for ids, place in zip(made._contents.ids, made._contents.offsets, strict=True)]
    assert made.usage.examples == 2 * 5
    assert made.usage.tokens == 2 * sum(read[i] + 4 for i in EXAMPLES[EXAMPLES >= 0])


@pytest.mark.parametrize("kind", ["roberta", "gpt2"])
def test_a_prompt_of_real_words_is_that_text(folders: dict[str, Path], kind: str) -> None:
    """p₀ is the embeddings of the words as they stand there, and a longer prompt repeats them."""
    model = MaskedLMConfig() if kind == "roberta" else CausalLMConfig()
    for tokens, words in ((0, "a film"), (5, "a film a film a")):
        made = box(folders[kind], model, prompt=words if not tokens else "a film", prompt_tokens=tokens)
        if tokens and kind == "roberta":
            continue  # the second "a" begins without a blank, as no text has it
        (scores,) = made.scores(made.prompt[None, None], EXAMPLES[:1])
        oracle = [
            plain_scores(folders[kind], "{prompt}" + as_text(model, i).replace("{prompt}", words), None, WORDS)
            for i in EXAMPLES[0].tolist()
        ]
        np.testing.assert_allclose(scores[0], oracle, rtol=1e-9)


def test_a_text_is_read_once_and_the_memory_for_it_has_a_bound(folders: dict[str, Path], prompts: np.ndarray) -> None:
    lengths: list[int] = []

    def made_with(cache: float) -> CausalLM:
        made = box(folders["gpt2"], CausalLMConfig(cache=cache))
        assert isinstance(made, CausalLM)
        layer = made.loaded.model.transformer.h[0]
        layer.register_forward_pre_hook(lambda module, args: lengths.append(args[0].shape[0] * args[0].shape[1]))
        return made

    made = made_with(1.0)
    texts = int(sum(made._contents.offsets[i] for i in EXAMPLES[EXAMPLES >= 0]))
    for read in (texts, 0):
        lengths.clear()
        made.scores(prompts, EXAMPLES)
        assert sum(lengths) == read + 3 * 5 * (4 + 2)  # " It was" follows the prompt's four
    held = sum(
        kept.numel() * kept.element_size() for layers in made._kept.values() for layer in layers for kept in layer
    )
    assert held == made._bytes == texts * 2 * 2 * 16 * 8  # keys and values, two layers, sixteen doubles
    some = made_with(0.6 * held / 2**30)
    for count in (False, True):
        for _ in range(2):
            for one, other in zip(
                some.scores(prompts, EXAMPLES, count=count), made.scores(prompts, EXAMPLES), strict=True
            ):
                np.testing.assert_array_equal(one, other)
        assert 0 < some._bytes <= (0.6 if count else 0.3) * held


def test_long_texts_are_cut_to_what_the_model_reads(folders: dict[str, Path]) -> None:
    for kind, model in (
        ("bert", MaskedLMConfig()),
        ("roberta", MaskedLMConfig(template="mrpc")),
        ("gpt2", CausalLMConfig()),
    ):
        texts = ("the sum " * 100 + "bad", "the sum " * 100 + "good", "sum")
        examples = Examples(texts=texts, labels=np.zeros(3, np.int64), classes=(0, 1))
        if model.parsed().pair:
            examples = Examples(texts=texts, labels=np.zeros(3, np.int64), classes=(0, 1), seconds=texts)
        made = box(folders[kind], model, examples=examples, max_tokens=500)
        assert 61 <= max(made._contents.lengths) + 2 <= 64  # the model reads 64 tokens
        (scores,) = made.scores(made.prompt[None, None], np.arange(2)[None])
        np.testing.assert_array_equal(scores[0, 0], scores[0, 1])
        short = box(folders[kind], model, examples=examples, max_tokens=5)
        frame = box(folders[kind], model, examples=examples, max_tokens=1)._contents.lengths[0]
        count = 2 if model.parsed().pair else 1
        off = 0 if kind == "bert" else count  # a piece may fall apart otherwise where the text is cut
        assert abs(short._contents.lengths[0] - frame - 4 * count) <= off
        with pytest.raises(ValueError, match=r"prompt_tokens is 62: .* leaves no room for a text in the 64 tokens"):
            box(folders[kind], model, prompt_tokens=62)


def test_a_text_that_holds_the_mask_does_not_move_it(folders: dict[str, Path]) -> None:
    examples = Examples(texts=("a <mask> sum", "a sum"), labels=np.zeros(2, np.int64), classes=(0, 1))
    made = box(folders["roberta"], MaskedLMConfig(template="{prompt} {text} It was <mask> ."), examples=examples)
    assert all(ids.count(made.loaded.tokenizer.mask_token_id) == 1 for ids in made._contents.ids)


def test_bfloat16_is_near(folders: dict[str, Path], prompts: np.ndarray) -> None:
    for kind, options in (("roberta", {}), ("llama", {"template": "{text} {prompt}"})):
        model = MaskedLMConfig if kind == "roberta" else CausalLMConfig
        whole = box(folders[kind], model(**options))
        half = box(folders[kind], model(**options, precision="bfloat16"))
        assert half.dtype == torch.bfloat16
        assert half.prompt.dtype == np.float64
        for one, other in zip(half.scores(prompts, EXAMPLES), whole.scores(prompts, EXAMPLES), strict=True):
            assert one.dtype == np.float64
            np.testing.assert_allclose(one, other, atol=0.05 * np.abs(other).max())


def test_a_batch_that_does_not_fit_is_halved(
    folders: dict[str, Path], prompts: np.ndarray, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """With a memory that holds so many tokens; there is no GPU in the tests."""
    oracle = box(folders["bert"], MaskedLMConfig()).scores(prompts, EXAMPLES)
    made = box(folders["bert"], MaskedLMConfig())
    sizes: list[int] = []

    def limit(holds: int) -> None:
        def run(module: object, args: object, kwargs: dict) -> None:
            shape = kwargs["inputs_embeds"].shape
            if shape[0] * shape[1] > holds:
                raise torch.OutOfMemoryError("CUDA out of memory.")
            sizes.append(shape[0])

        made.loaded.model.register_forward_pre_hook(run, with_kwargs=True)

    monkeypatch.setattr(made._forward.batches, "pads", True)
    limit(60)
    before = -1
    for _ in range(2):
        before = made._forward.batches.halvings
        for one, other in zip(made.scores(prompts, EXAMPLES), oracle, strict=True):
            np.testing.assert_allclose(one, other, rtol=1e-9, atol=1e-11)
        assert max(sizes) > 1
    assert made._forward.batches.halvings == before > 0  # found once
    (note,) = caplog.messages
    assert re.search(r"cpu has no memory for a batch of \d+ sequences of \d+ tokens; one of [234] fits", note)
    limit(10)
    with pytest.raises(ValueError, match=r"a batch of one sequence of .* tokens, and not even that") as caught:
        made.scores(prompts, EXAMPLES)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("kind", "model", "wrong", "message"),
    [
        ("bert", MaskedLMConfig(), {"words": ("bads", "great")}, r"one token of the model, but bads is 2 \(bad ##s\)"),
        ("gpt2", CausalLMConfig(), {"words": ("badgraph", "bad")}, "badgraph and bad both begin with Ġ"),
        ("bert", MaskedLMConfig(), {"words": ("dreadful", "great")}, "vocabulary lacks dreadful"),
        ("bert", MaskedLMConfig(), {"words": ("Great", "great")}, "Great and great are the same tokens"),
        ("bert", MaskedLMConfig(), {"prompt": "\u200b"}, "prompt is .* finds none in it"),
        (
            "gpt2",
            MaskedLMConfig(),
            {},
            r"must be of a family that AutoModelForMaskedLM supports, but is gpt2; name one of .*roberta",
        ),
        ("roberta", CausalLMConfig(), {}, "AutoModelForCausalLM supports, but is roberta; .*gpt2"),
    ],
)
def test_what_only_the_model_shows(
    folders: dict[str, Path], kind: str, model: BlackBoxConfig, wrong: dict, message: str
) -> None:
    with pytest.raises(ValueError, match=message) as caught:
        box(folders[kind], model, **wrong)
    assert "\n" not in str(caught.value)


def test_an_encoder_has_no_head(encoder_folder: Path) -> None:
    with pytest.raises(ValueError, match="all weights that AutoModelForMaskedLM needs, but lacks cls"):
        box(encoder_folder, MaskedLMConfig())


@pytest.mark.parametrize(
    ("kind", "template", "message"),
    [
        (MaskedLMConfig, "{prompt} {text} It was .", "it must have <mask> once, but has it 0 times"),
        (MaskedLMConfig, "{prompt} It was <mask> .", "must have {text} once"),
        (MaskedLMConfig, "{text} It was <mask> .", "must have {prompt} once"),
        (MaskedLMConfig, "{prompt} {text} {text} <mask>", "must have {text} once, but has it 2 times"),
        (MaskedLMConfig, "{prompt} {text1} <mask>", "must have {text2} once"),
        (MaskedLMConfig, "{prompt} {text1} {text2} {text} <mask>", "{text}, or {text1} and {text2}, not both"),
        (MaskedLMConfig, "sst3", "template is sst3: it must be one of sst2, yelp, ag_news"),
        (CausalLMConfig, "{prompt} {text} It was <mask>", "must not have <mask>"),
        (CausalLMConfig, "{prompt} {sentence}", "must not have {sentence}"),
    ],
)
def test_templates_that_will_not_do(kind: type, template: str, message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        kind(template=template)


def test_the_tasks_are_those_of_bbt() -> None:
    assert list(tasks()) == ["sst2", "yelp", "ag_news", "dbpedia", "mrpc", "rte", "snli"]
    for name, task in tasks().items():
        pair = name in ("mrpc", "rte", "snli")
        assert Template.named(task["masked"], "masked").pair == Template.named(task["causal"], "causal").pair == pair
        assert MaskedLMConfig(template=name).words() == CausalLMConfig(template=name).words() == tuple(task["words"])
        texts = ("one", "two") if pair else ("one",)
        left, right = Template.named(name, "masked").sides(*texts, mask="[MASK]")
        assert left == ""
        assert right.count("[MASK]") == 1
        assert all(text in right for text in texts)
    assert len(MaskedLMConfig(template="dbpedia").words()) == 14


def test_a_prompt_that_merges_with_the_template_is_said(
    folders: dict[str, Path], caplog: pytest.LogCaptureFixture
) -> None:
    for kind, model in (("gpt2", CausalLMConfig()), ("roberta", MaskedLMConfig())):
        box(folders[kind], model)
    assert not caplog.messages
    box(folders["gpt2"], CausalLMConfig(template="{text} {prompt}d It was"), prompt="goo")
    assert re.search("one by one are other tokens than together, for example in: sum good It was bad", caplog.text)

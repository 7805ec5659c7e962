"""Families of models that differ in their head, embeddings, caches or tokenizers score as the plain text does."""

import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
import transformers
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

from dfedsam.blackbox import BlackBoxConfig, CausalLMConfig, DualEncoderConfig, EndpointConfig, MaskedLMConfig
from dfedsam.blackbox.base import TaskSpec
from dfedsam.blackbox.language_model import LanguageModel
from dfedsam.data.split import Examples
from tests.dfedsam.blackbox.completions_server import KEY, serve
from tests.dfedsam.blackbox.language_models import CORPUS

TEXTS = (
    "sum",
    "a plot of the line and the edge",
    "it was not very good and " * 3 + "the graph of the loss",
    "the root",
)
WORDS, PROMPT = ("bad", "great"), "good film"
SIZES = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 32}
SIZES |= {"vocab_size": 420, "max_position_embeddings": 128, "initializer_range": 0.3}
LLAMA = SIZES | {"num_key_value_heads": 1, "bos_token_id": 0, "eos_token_id": 2}
WINDOW = {"head_dim": 8, "sliding_window": 6}
OPT = {"vocab_size": 420, "ffn_dim": 32, "word_embed_proj_dim": 16, "init_std": 0.3, "pad_token_id": 1}
LATENT = {"q_lora_rank": 8, "kv_lora_rank": 8, "qk_nope_head_dim": 8, "qk_rope_head_dim": 4, "v_head_dim": 8}
EXPERTS = {"n_routed_experts": 4, "num_experts_per_tok": 2, "n_group": 1, "topk_group": 1, "moe_intermediate_size": 16}
LONG = {"short_factor": [1.0, 1.1, 1.2, 1.3], "long_factor": [2.0, 3.0, 4.0, 5.0], "rope_theta": 10000.0}
LONG |= {"rope_type": "longrope", "original_max_position_embeddings": 24}
ENCODER = {"max_position_embeddings": 130, "pad_token_id": 1}
CAUSAL: dict[str, dict] = {
    "OPT": SIZES | OPT,
    "Gemma": LLAMA | {"head_dim": 8},
    "Gemma2": LLAMA | WINDOW | {"query_pre_attn_scalar": 8},
    "Mistral": LLAMA | WINDOW,
    "Phi3": LLAMA | {"sliding_window": 6, "pad_token_id": 3},
    "BioGpt": SIZES,
    "GPTNeoX": SIZES | {"bos_token_id": 0, "eos_token_id": 2},
    "Bloom": {"vocab_size": 420, "hidden_size": 16, "n_layer": 2, "n_head": 2, "initializer_range": 0.3},
    "DeepseekV3": LLAMA | {"num_key_value_heads": 2, "first_k_dense_replace": 1} | LATENT | EXPERTS,
}
MASKED: dict[str, dict] = {
    "MPNet": SIZES | ENCODER,
    "DebertaV2": SIZES | {"relative_attention": True, "pos_att_type": ["p2c", "c2p"], "type_vocab_size": 0},
    "ModernBert": SIZES | {"local_attention": 6, "global_attn_every_n_layers": 2, "pad_token_id": 1},
    "MobileBert": SIZES | {"embedding_size": 16, "intra_bottleneck_size": 16, "true_hidden_size": 16},
}


def tokenizer(folder: Path, template: str = "<s> $A", **marks) -> None:
    """A byte-level BPE, as GPT-2 has it, that puts its special tokens as the template says."""
    own = Tokenizer(models.BPE(unk_token=None))
    own.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    own.decoder = decoders.ByteLevel()
    special = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=420, special_tokens=special, initial_alphabet=alphabet, show_progress=False
    )
    own.train_from_iterator([*CORPUS, *TEXTS], trainer)
    known = [(token, own.token_to_id(token)) for token in special]
    own.post_processor = processors.TemplateProcessing(single=template, special_tokens=known)
    save(folder, own, **marks)


def save(folder: Path, own: Tokenizer, **marks) -> None:
    marks = {"bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>", **marks}
    transformers.PreTrainedTokenizerFast(tokenizer_object=own, **marks).save_pretrained(folder)


def build(folder: Path, architecture: str, options: dict, config: str = "") -> Path:
    """A model of random weights."""
    transformers.logging.disable_progress_bar()
    torch.manual_seed(1)
    name = architecture.removesuffix("ForCausalLM").removesuffix("ForMaskedLM").removesuffix("Model")
    own = getattr(transformers, config or f"{name}Config")(**options)
    getattr(transformers, architecture)(own).save_pretrained(folder)
    transformers.logging.enable_progress_bar()
    return folder


def box(folder: Path, config: BlackBoxConfig, **options) -> LanguageModel:
    examples = Examples(texts=TEXTS, labels=np.zeros(len(TEXTS), np.int64), classes=(0, 1))
    usual = {"model": str(folder), "words": WORDS, "examples": examples, "prompt": PROMPT}
    return config.build(TaskSpec(**{**usual, **options}))  # type: ignore[return-value]


def plain(folder: Path, template: str) -> np.ndarray:
    """Logits of the label words by the plain model on the plain texts, one at a time."""
    own = transformers.AutoTokenizer.from_pretrained(folder)
    auto = transformers.AutoModelForMaskedLM if "<mask>" in template else transformers.AutoModelForCausalLM
    transformers.logging.disable_progress_bar()
    model = auto.from_pretrained(folder, dtype=torch.float32).eval()
    transformers.logging.enable_progress_bar()
    words = [own(f"film {word}", add_special_tokens=False).input_ids[-1] for word in WORDS]
    rows = []
    for text in TEXTS:
        ids = own(template.replace("{text}", text).replace("{prompt}", PROMPT)).input_ids
        if auto is transformers.AutoModelForCausalLM and ids[-1] == own.eos_token_id:
            ids = ids[:-1]
        at = ids.index(own.mask_token_id) if own.mask_token else -1
        with torch.no_grad():
            rows.append(model(input_ids=torch.tensor([ids])).logits[0, at, words].numpy())
    return np.stack(rows)


def agrees(made: LanguageModel, expected: np.ndarray, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without padding, with it, and from what was kept."""
    prompts = np.repeat(made.prompt[None, None], 2, axis=1)
    for pads in (False, True, True):
        monkeypatch.setattr(made._forward.batches, "pads", pads)
        scores = made.scores(prompts, np.arange(len(TEXTS))[None])[0]
        np.testing.assert_allclose(scores, np.stack([expected] * 2), rtol=1e-4, atol=1e-5 * np.abs(expected).max())


@pytest.mark.parametrize("template", ["{text} {prompt} It was", "{prompt} {text} It was"])
@pytest.mark.parametrize("family", CAUSAL)
def test_causal_families(family: str, template: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tokenizer(tmp_path)
    config = "Gemma2Config" if family == "Gemma2" else ""
    build(tmp_path, f"{family}ForCausalLM", CAUSAL[family], config)
    agrees(box(tmp_path, CausalLMConfig(template=template)), plain(tmp_path, template), monkeypatch)


@pytest.mark.filterwarnings("ignore:Initializing zero-element")  # MobileBERT's
@pytest.mark.parametrize("family", MASKED)
def test_masked_families(family: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mask = transformers.AddedToken("<mask>", lstrip=True, special=True)
    tokenizer(tmp_path, "<s> $A </s>", mask_token=mask, pad_token="<pad>")
    build(tmp_path, f"{family}ForMaskedLM", MASKED[family])
    template = "{text} It was <mask> {prompt}"
    agrees(box(tmp_path, MaskedLMConfig(template=template)), plain(tmp_path, template), monkeypatch)


def test_a_shortcut_that_changes_scores_is_not_taken_and_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    tokenizer(tmp_path)
    sizes = {"vocab_size": 420, "n_embd": 16, "n_layer": 2, "n_head": 2, "n_positions": 128}
    build(tmp_path, "OpenAIGPTLMHeadModel", sizes, "OpenAIGPTConfig")  # keeps no keys and values
    made = box(tmp_path, CausalLMConfig())
    assert not made.keeps  # type: ignore[attr-defined]
    assert made._trims
    (note,) = caplog.messages
    assert "shortcuts that change its scores are not used: kept keys and values; it is slower" in note
    agrees(made, plain(tmp_path, CausalLMConfig.template), monkeypatch)


def test_positions_that_depend_on_the_whole_length_keep_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    tokenizer(tmp_path)
    options = LLAMA | {"num_key_value_heads": 2, "pad_token_id": 3, "rope_parameters": LONG}
    build(tmp_path, "Phi3ForCausalLM", options | {"original_max_position_embeddings": 24})
    made = box(tmp_path, CausalLMConfig())
    assert made._contents.offsets.max() < 24 + 4 < made._contents.lengths.max() + 8
    assert any("positions depend on the whole length" in message for message in caplog.messages)
    prompts, expected = made.prompt[None, None], plain(tmp_path, CausalLMConfig.template)
    np.testing.assert_allclose(made.scores(prompts, np.arange(4)[None])[0, 0], expected, rtol=1e-4, atol=1e-5)


def test_the_label_word_follows_the_template_where_a_tokenizer_ends_texts(tmp_path, monkeypatch) -> None:
    tokenizer(tmp_path, "<s> $A </s>")
    build(tmp_path, "LlamaForCausalLM", LLAMA)
    agrees(box(tmp_path, CausalLMConfig()), plain(tmp_path, CausalLMConfig.template), monkeypatch)


def test_a_normalizer_that_prepends_a_blank_makes_no_token_of_it_after_the_prompt(tmp_path, monkeypatch) -> None:
    """Llama 2's, in the generic class."""
    own = Tokenizer(models.BPE(unk_token="<unk>"))
    own.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    own.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="never")
    trainer = trainers.BpeTrainer(vocab_size=300, special_tokens=["<unk>", "<s>", "</s>"], show_progress=False)
    own.train_from_iterator([*CORPUS, *TEXTS], trainer)
    own.pre_tokenizer = None  # type: ignore[assignment]
    begin = [("<s>", own.token_to_id("<s>"))]
    own.post_processor = processors.TemplateProcessing(single="<s> $A", special_tokens=begin)
    save(tmp_path, own)
    build(tmp_path, "LlamaForCausalLM", LLAMA)
    agrees(box(tmp_path, CausalLMConfig()), plain(tmp_path, CausalLMConfig.template), monkeypatch)


def test_a_class_word_after_a_prompt_has_its_blank(tmp_path: Path) -> None:
    tokenizer(tmp_path, "<s> $A </s>", pad_token="<pad>")
    build(tmp_path, "RobertaModel", SIZES | ENCODER | {"type_vocab_size": 1})
    made = box(tmp_path, DualEncoderConfig(scale=1.0), prompt="a text about")
    scores = made.scores(made.prompt[None, None], np.arange(4)[None])[0, 0]
    bare = box(tmp_path, DualEncoderConfig(scale=1.0), words=tuple(f"a text about {word}" for word in WORDS))
    np.testing.assert_allclose(scores, bare.zero_shot(np.arange(4)), rtol=1e-4, atol=1e-6)


def test_an_endpoint_gets_the_embeddings_that_the_model_computes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Gemma's module scales its table."""
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    tokenizer(tmp_path)
    build(tmp_path, "Gemma2ForCausalLM", CAUSAL["Gemma2"], "Gemma2Config")
    here, expected = box(tmp_path, CausalLMConfig()), plain(tmp_path, CausalLMConfig.template)
    with serve(tmp_path) as server:
        cache = str(tmp_path / "answers.sqlite")
        made = box(tmp_path, EndpointConfig(url=server.url, served="m", logprobs=420, cache_path=cache))
        np.testing.assert_allclose(made.prompt, here.prompt, rtol=1e-6)
        assert made.embedding_std == pytest.approx(here.embedding_std, rel=1e-5)
        scores = made.scores(made.prompt[None, None], np.arange(4)[None])[0, 0]
    np.testing.assert_allclose(scores[:, 1] - scores[:, 0], expected[:, 1] - expected[:, 0], rtol=1e-4, atol=1e-5)


def test_what_a_model_cannot_do_is_said_with_its_name(tmp_path: Path) -> None:
    tokenizer(tmp_path, "<s> $A </s>", pad_token="<pad>")
    build(tmp_path, "RobertaForMaskedLM", SIZES | ENCODER | {"type_vocab_size": 1})
    with pytest.raises(ValueError, match=f"model is {tmp_path}: it must have a mask token"):
        box(tmp_path, MaskedLMConfig())
    tokenizer(tmp_path)
    build(tmp_path, "LlamaForCausalLM", LLAMA | {"vocab_size": 300})
    with pytest.raises(ValueError, match=f"model is {tmp_path}: it must embed all tokens of its tokenizer, but token"):
        box(tmp_path, CausalLMConfig())
    options = LLAMA | {"num_local_experts": 4, "num_experts_per_tok": 2}
    build(tmp_path, "MixtralForCausalLM", options)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with pytest.raises(ValueError, match=r"it must run on embeddings in torch\.float64, but fails"):
            box(tmp_path, CausalLMConfig(), dtype=np.dtype(np.float64))
    bart = {"vocab_size": 420, "d_model": 16, "encoder_layers": 1, "decoder_layers": 1, "pad_token_id": 1}
    build(tmp_path, "BartForConditionalGeneration", bart, "BartConfig")
    with pytest.raises(ValueError, match="it must be of a family that AutoModelForMaskedLM supports, but is bart"):
        box(tmp_path, MaskedLMConfig())


def test_attention_is_transformers_own_choice_with_an_option(tmp_path: Path) -> None:
    tokenizer(tmp_path)
    build(tmp_path, "LlamaForCausalLM", LLAMA)
    for attention, expected in (("auto", "sdpa"), ("eager", "eager")):
        made = box(tmp_path, CausalLMConfig(attention=attention))  # type: ignore[arg-type]
        assert made.loaded.model.config._attn_implementation == expected
    with pytest.raises(ValueError, match="attention is fast: it must be one of auto, sdpa, eager"):
        CausalLMConfig(attention="fast")  # type: ignore[arg-type]

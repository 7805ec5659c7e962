"""Small language models with random weights, in folders as a user has them, and a plain forward of each."""

import functools
from pathlib import Path

import numpy as np
import torch
import transformers
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers

TEXTS = (
    "a text about the graph",
    "it was not very good",
    "sum",
    "a plot of the line and the edge",
    "the root",
    "loss of the very good film",
)
CORPUS = [*TEXTS, "It was bad . It was great .", "no yes ? , :", "bad good film great terrible"] * 8
MASKED, CAUSAL = ("bert", "roberta"), ("gpt2", "llama")


def byte_level(folder: Path, *, roberta: bool) -> None:
    """A byte-level BPE, as GPT-2 and RoBERTa have it, learnt from the corpus."""
    tokenizer = Tokenizer(models.BPE(unk_token=None))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    special = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"] if roberta else ["<s>", "</s>"]
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=420, special_tokens=special, initial_alphabet=alphabet, show_progress=False
    )
    tokenizer.train_from_iterator(CORPUS, trainer)
    begin, end = ("<s>", tokenizer.token_to_id("<s>")), ("</s>", tokenizer.token_to_id("</s>"))
    if roberta:
        tokenizer.post_processor = processors.TemplateProcessing(single="<s> $A </s>", special_tokens=[begin, end])
        marks = {"bos_token": "<s>", "pad_token": "<pad>", "eos_token": "</s>", "unk_token": "<unk>"}
        marks["mask_token"] = transformers.AddedToken("<mask>", lstrip=True, special=True)
    else:
        marks = {"bos_token": "<s>", "eos_token": "</s>"}
    transformers.PreTrainedTokenizerFast(tokenizer_object=tokenizer, **marks).save_pretrained(folder)


def build(kind: str, folder: Path, *, width: int = 16, layers: int = 2, heads: int = 2) -> Path:
    """A model of one of the kinds, in a folder."""
    transformers.logging.disable_progress_bar()
    torch.manual_seed(1)
    if kind == "bert":
        words = sorted({word for text in CORPUS for word in text.lower().split()})
        (folder / "vocab.txt").write_text("\n".join(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *words, "##s"]))
        tokenizer = transformers.BertTokenizer(str(folder / "vocab.txt"))
        tokenizer.save_pretrained(folder)
    else:
        byte_level(folder, roberta=kind == "roberta")
        tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    reads = 64 if width == 16 else 128
    common = {"vocab_size": len(tokenizer), "initializer_range": 0.3 if width == 16 else 0.02}
    sizes = {"hidden_size": width, "num_hidden_layers": layers, "num_attention_heads": heads}
    sizes |= {"intermediate_size": 2 * width if width == 16 else 4 * width, "max_position_embeddings": reads}
    if kind == "bert":
        model = transformers.BertForMaskedLM(transformers.BertConfig(**common, **sizes))
    elif kind == "roberta":
        sizes |= {"max_position_embeddings": reads + 2, "type_vocab_size": 1}
        ids = {"pad_token_id": 1, "bos_token_id": 0, "eos_token_id": 2}
        model = transformers.RobertaForMaskedLM(transformers.RobertaConfig(**common, **sizes, **ids))
    elif kind == "gpt2":
        config = transformers.GPT2Config(
            n_embd=width, n_layer=layers, n_head=heads, n_positions=reads, bos_token_id=0, eos_token_id=1, **common
        )
        model = transformers.GPT2LMHeadModel(config)
    else:
        config = transformers.LlamaConfig(**common, **sizes, num_key_value_heads=1, tie_word_embeddings=True)
        model = transformers.LlamaForCausalLM(config)
    model.save_pretrained(folder)
    transformers.logging.enable_progress_bar()
    return folder


@functools.cache
def plain_model(folder: Path) -> tuple:
    """Tokenizer and model, loaded in the usual way, in double precision."""
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    config = transformers.AutoConfig.from_pretrained(folder)
    auto = transformers.AutoModelForMaskedLM if tokenizer.mask_token else transformers.AutoModelForCausalLM
    transformers.logging.disable_progress_bar()
    model = auto.from_pretrained(folder, dtype=torch.float64, config=config).eval()
    transformers.logging.enable_progress_bar()
    return tokenizer, model


def plain_scores(folder: Path, text: str, prompt: np.ndarray | None, words: tuple[str, ...]) -> np.ndarray:
    """The oracle, one sequence at a time: `text` is filled in but for {prompt}; logits of the words' own tokens.

    The whole vocabulary's logits at all places are taken, and the right ones of them read.
    """
    tokenizer, model = plain_model(folder)
    left, _, right = text.replace("<mask>", tokenizer.mask_token or "").partition("{prompt}")
    whole = tokenizer("a").input_ids  # with the special tokens around
    place = whole.index(tokenizer("a", add_special_tokens=False).input_ids[0])
    before = [*whole[:place], *tokenizer(left.rstrip(), add_special_tokens=False).input_ids]
    after = [*tokenizer(right, add_special_tokens=False).input_ids, *whole[place + 1 :]]
    own = torch.tensor(np.empty((0, 16)) if prompt is None else prompt)
    with torch.no_grad():
        table = model.get_input_embeddings().weight
        start, end = (table[torch.tensor(ids, dtype=torch.long)] for ids in (before, after))
        logits = model(inputs_embeds=torch.cat([start, own, end])[None]).logits[0]
    at = len(logits) - 1
    if tokenizer.mask_token:
        at = [*before, *[-1] * len(own), *after].index(tokenizer.mask_token_id)
    ids = [tokenizer(f"film {word}", add_special_tokens=False).input_ids[-1] for word in words]
    return logits[at, ids].numpy()

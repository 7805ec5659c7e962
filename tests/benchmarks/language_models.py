"""Language models of random weights: queries a second against the bare model; what a prompt after the text saves."""

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from dfedsam.blackbox import BlackBoxConfig, CausalLMConfig, MaskedLMConfig
from dfedsam.blackbox.base import TaskSpec
from dfedsam.blackbox.language_model import LanguageModel
from dfedsam.data.split import Examples
from tests.benchmarks import Row, seconds
from tests.dfedsam.blackbox.language_models import build

TOKENS, PROMPT, QUERIES, EXAMPLES = 64, 8, 8, 16
SIZE = {"layers": 6, "width": 384, "heads": 6}


def box(kind: str, model: BlackBoxConfig, folder: Path) -> LanguageModel:
    """A model of MiniLM's size, with texts of 64 tokens."""
    texts = tuple(" ".join(["very"] * (TOKENS - 1) + [word]) for word in ("bad", "good") * (EXAMPLES // 2))
    examples = Examples(texts=texts, labels=np.arange(EXAMPLES) % 2, classes=(0, 1))
    task = TaskSpec(
        model=str(build(kind, folder, **SIZE)),
        words=("bad", "great"),
        examples=examples,
        prompt="a film",
        prompt_tokens=PROMPT,
    )
    made = model.build(task)
    assert isinstance(made, LanguageModel)
    return made


def asker(made: LanguageModel) -> Callable[[], object]:
    """Asks for all queries on all examples."""
    prompts = np.random.default_rng(0).normal(size=(1, QUERIES, PROMPT, made.width)).astype(np.float32)
    return lambda: made.scores(prompts, np.arange(EXAMPLES)[None])


def bare(made: LanguageModel) -> Callable[[], None]:
    """A loop over the inputs that the base model got when it was asked, without head, templates or bookkeeping."""
    import torch
    from transformers import DynamicCache

    model, calls = made.loaded.model.base_model, []

    def note(module: object, args: tuple, kwargs: dict[str, Any]) -> None:
        own = dict(kwargs)
        cache = own.pop("past_key_values", None)
        kept = None
        if cache is not None:
            kept = [(layer.keys[layer.sequences], layer.values[layer.sequences]) for layer in cache.layers]
        calls.append((own, kept))

    asker(made)()  # what is read once an example is no part of a query
    hook = model.register_forward_pre_hook(note, with_kwargs=True)
    asker(made)()
    hook.remove()

    def loop() -> None:
        with torch.inference_mode():
            for own, kept in calls:
                model(**own, **({} if kept is None else {"past_key_values": DynamicCache(kept)}))

    return loop


def run() -> list[Row]:
    """Both kinds against their bare models, then a causal model's two places of the prompt."""
    rows = []
    with tempfile.TemporaryDirectory() as scratch:
        before, after = CausalLMConfig(template="{prompt} {text}"), CausalLMConfig(template="{text} {prompt}")
        made = {
            "masked, prompt before the text": box("roberta", MaskedLMConfig(), _folder(scratch, "a")),
            "causal, prompt before the text": box(
                "gpt2", CausalLMConfig(template="{prompt} {text}"), _folder(scratch, "b")
            ),
            "causal, prompt after the text": box(
                "gpt2", CausalLMConfig(template="{text} {prompt}"), _folder(scratch, "c")
            ),
        }
        asked = {name: asker(one) for name, one in made.items()}
        floors = {name: bare(one) for name, one in made.items()}
        for name in made:
            took = seconds({"asked": asked[name], "bare": floors[name]}, repeats=5)
            rate = {which: QUERIES / time for which, time in took.items()}
            rows.append(
                Row(
                    what=f"queries of a language model ({name}), {EXAMPLES} texts of {TOKENS} tokens",
                    floor="a bare loop of the base model on the same inputs",
                    ratio=took["bare"] / took["asked"],
                    target=0.9,
                    figures=f"{rate['asked']:.1f} against {rate['bare']:.1f} a second",
                )
            )
        before, after = (f"causal, prompt {place} the text" for place in ("before", "after"))
        took = seconds({name: asked[name] for name in (before, after)}, repeats=5)
    rows.append(
        Row(
            what=f"a prompt of {PROMPT} tokens after a text of {TOKENS} whose keys and values are kept",
            floor="the same prompt before the text",
            ratio=took[before] / took[after],
            target=4,
            figures=f"{QUERIES / took[after]:.1f} against {QUERIES / took[before]:.1f} queries a second",
        )
    )
    return rows


def _folder(scratch: str, name: str) -> Path:
    path = Path(scratch, name)
    path.mkdir()
    return path

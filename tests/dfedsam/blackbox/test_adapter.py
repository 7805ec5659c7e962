"""Exported prompts, loaded by peft onto the model as a user would, score as the black box does."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
import transformers
from peft import PeftModel

from dfedsam.blackbox import BlackBoxConfig, CausalLMConfig, DualEncoderConfig, MaskedLMConfig
from dfedsam.blackbox.adapter import export
from dfedsam.data.split import IID
from dfedsam.objectives import DiscretePrompt, FullPrompt, PromptGenerator, PromptTuning, RandomProjection
from dfedsam.objectives.prompt.problem import PromptProblem

FRONT = CausalLMConfig(template="{prompt} {text} It was")
BOXES: list[tuple[str, BlackBoxConfig, object]] = [
    ("gpt2", FRONT, RandomProjection(dim=5)),
    ("llama", FRONT, FullPrompt()),
    ("gpt2", FRONT, DiscretePrompt(count=6, form="logits")),
    ("roberta", MaskedLMConfig(), FullPrompt()),
    ("bert", MaskedLMConfig(), FullPrompt()),
    ("encoder", DualEncoderConfig(mode="text"), FullPrompt()),
]


@pytest.fixture
def saved(reviews: Path, folders: dict[str, Path], encoder_folder: Path, tmp_path: Path):
    def make(kind: str, model: BlackBoxConfig, parameters, **more) -> tuple[PromptProblem, np.ndarray, Path]:
        """A problem, a random point of it, and a run's folder with that as its mean."""
        folder = encoder_folder if kind == "encoder" else folders[kind]
        usual = {"data": str(reviews), "words": "bad, good", "model": str(folder), "blackbox": model, "split": IID()}
        usual |= {"min_examples": 3, "prompt": "a film", "prompt_tokens": 3, "parameters": parameters}
        problem = PromptTuning(**{**usual, **more}).build(3, range(3), 0, np.float32)
        assert isinstance(problem, PromptProblem)
        x = problem.start() + np.random.default_rng(0).normal(size=problem.dim).astype(np.float32)
        (tmp_path / "run").mkdir()
        problem.save(x, tmp_path / "run" / "prompt.safetensors")
        return problem, x, tmp_path / "run"

    return make


@pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing`:FutureWarning")  # of peft's, to transformers
@pytest.mark.parametrize(("kind", "model", "parameters"), BOXES, ids=repr)
def test_peft_gives_the_same_scores(saved, kind: str, model: BlackBoxConfig, parameters, tmp_path: Path) -> None:
    problem, x, run = saved(kind, model, parameters)
    written = export(run, tmp_path / "adapter")
    notes = json.loads((tmp_path / "adapter" / "dfedsam.json").read_text())
    tokenizer = transformers.AutoTokenizer.from_pretrained(notes["model"])
    transformers.logging.disable_progress_bar()
    base = getattr(transformers, notes["load_model_with"]).from_pretrained(notes["model"])
    adapted = PeftModel.from_pretrained(base, str(tmp_path / "adapter")).eval()
    numbers = problem.test[:4]
    (scores,) = problem.black_box.scores(problem.map.prompts(x)[None, None], numbers[None], count=False)

    def read(text: str) -> tuple[torch.Tensor, list[int]]:
        ids = [*tokenizer(text, add_special_tokens=False).input_ids, *notes["tokens_after"]]
        with torch.no_grad():
            out = adapted(input_ids=torch.tensor([ids]), attention_mask=torch.ones(1, len(ids)))
        return (out.last_hidden_state if kind == "encoder" else out.logits)[0], ids

    for number, expected in zip(numbers, scores[0], strict=True):
        filled = notes["template"].replace("{text}", problem.black_box.task.examples.texts[number])
        if kind == "encoder":
            vector = torch.nn.functional.normalize(read(filled)[0].mean(dim=0), dim=0)
            words = torch.from_numpy(problem.black_box._bare.numpy())
            found = problem.black_box.scale * words @ vector
        else:
            logits, ids = read(filled.replace("<mask>", tokenizer.mask_token or ""))
            at = -1 if tokenizer.mask_token is None else ids.index(tokenizer.mask_token_id) - len(ids)
            own = [tokenizer(f"film {word}", add_special_tokens=False).input_ids[-1] for word in notes["words"]]
            found = logits[at, own]
        np.testing.assert_allclose(found.numpy(), expected, rtol=1e-4, atol=1e-5)
    is_text = isinstance(parameters, DiscretePrompt)
    assert (tmp_path / "adapter" / "prompt.txt" in written) == is_text
    if is_text:
        assert (tmp_path / "adapter" / "prompt.txt").read_text() == f"{problem.map.text(x)}\n"


def test_what_an_adapter_cannot_hold_is_refused(saved, encoder_folder: Path, tmp_path: Path) -> None:
    _, _, run = saved("gpt2", CausalLMConfig(), FullPrompt())
    with pytest.raises(ValueError, match=r"its template is {text} {prompt} It was, but peft puts a prompt before"):
        export(run, tmp_path / "adapter")
    (run / "prompt.safetensors").write_bytes(b"mine")
    with pytest.raises(ValueError, match=r"prompt\.safetensors cannot be read"):
        export(run, tmp_path / "adapter")
    run.rename(tmp_path / "other")
    _, _, run = saved("encoder", DualEncoderConfig(mode="words"), FullPrompt())
    with pytest.raises(ValueError, match="its prompt stands before the class words, and an adapter's before the text"):
        export(run, tmp_path / "adapter")
    run.rename(tmp_path / "words")
    _, _, run = saved("gpt2", FRONT, PromptGenerator(encoder=str(encoder_folder)))
    with pytest.raises(ValueError, match="its prompt depends on the example"):
        export(run, tmp_path / "adapter")
    assert not (tmp_path / "adapter").exists()

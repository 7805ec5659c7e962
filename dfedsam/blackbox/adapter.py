"""A tuned soft prompt as a prompt-tuning adapter, which the library peft loads onto the model."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import torch
from safetensors import safe_open
from safetensors.torch import save_file

from dfedsam.blackbox.loading import CAUSAL_LM, MASKED_LM, SENTENCE_ENCODER, load
from dfedsam.blackbox.tokens import special_tokens
from dfedsam.errors import first_line
from dfedsam.run_folder import PROMPT, RunFolder

_KINDS = {  # black box: transformers' class of the model, and peft's name of the task
    "causal_lm": (CAUSAL_LM, "CAUSAL_LM"),
    "endpoint": (CAUSAL_LM, "CAUSAL_LM"),
    "masked_lm": (MASKED_LM, "FEATURE_EXTRACTION"),
    "dual_encoder": (SENTENCE_ENCODER, "FEATURE_EXTRACTION"),
}


def export(run: Path, out: Path) -> list[Path]:
    """Write a finished run's mean prompt as a PEFT adapter into a folder that must not exist yet.

    peft puts an adapter's rows before all other tokens. Therefore the special tokens at the start of a text become the
    adapter's first rows, and users must pass texts with the special tokens at the end only.

    Returns:
        The files: adapter_config.json and adapter_model.safetensors, which peft reads; dfedsam.json, which describes
        the input format; and prompt.txt for a discrete prompt.

    Raises:
        ValueError: if the run has no prompt, or one that peft cannot place; nothing is written then.
    """
    prompt, notes = _read(run)
    kind, task = _KINDS[notes["blackbox"]]
    try:
        from peft import PromptTuningConfig
    except ImportError as error:
        raise ValueError(f'an adapter needs {error.name}; install it by pip install "dfedsam[peft]"') from None
    loaded = load(notes["model"], torch.float32, kind)
    before, after = special_tokens(loaded.tokenizer)
    with torch.no_grad():
        leading = loaded.model.get_input_embeddings()(torch.tensor(before, dtype=torch.long, device=loaded.device))
    rows = torch.cat([leading.cpu(), prompt.float()])
    try:
        out.mkdir(parents=True)
    except OSError as error:
        raise ValueError(
            f"out is {out}: it must be a folder that can be created ({error.strerror}); choose another"
        ) from None
    try:
        config = PromptTuningConfig(
            task_type=task,
            base_model_name_or_path=notes["model"],
            num_virtual_tokens=len(rows),
            token_dim=rows.shape[1],
            num_transformer_submodules=1,
            inference_mode=True,
        )
        config.save_pretrained(str(out))
        save_file({"prompt_embeddings": rows.contiguous()}, out / "adapter_model.safetensors")
        use = {
            "model": notes["model"],
            "load_model_with": kind,
            "template": notes["template"].removeprefix("{prompt}").rstrip(),
            "words": json.loads(notes["words"]),
            "how_to_use": "Pass the filled template to the adapted model, from its first blank on, tokenised with "
            "add_special_tokens=False and followed by tokens_after; the adapter's rows stand for the tokenizer's first "
            "special tokens and the prompt.",
            "tokens_after": [] if kind == CAUSAL_LM else after,
        }
        (out / "dfedsam.json").write_text(json.dumps(use, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
        written = [out / "adapter_config.json", out / "adapter_model.safetensors", out / "dfedsam.json"]
        if "text" in notes:
            (out / "prompt.txt").write_text(notes["text"] + "\n", encoding="utf-8")
            written.append(out / "prompt.txt")
    except BaseException:  # a part of an adapter would be taken for one
        shutil.rmtree(out)
        raise
    return written


def _read(run: Path) -> tuple[torch.Tensor, dict[str, str]]:
    """A run's soft prompt (tokens, width) and its metadata, if they can become an adapter."""
    file = run / PROMPT
    what = f"folder is {run}"
    if not file.is_file():
        raise ValueError(f"{what}: it must be a run's folder that has a {PROMPT}; let the run finish first")
    if (folder := RunFolder(run)).config.is_file():
        folder.read_config()  # refuses a format that this version would misread
    try:
        with safe_open(file, "pt") as tensors:
            notes = tensors.metadata() or {}
            prompt = tensors.get_tensor("prompt") if "prompt" in tensors.keys() else None  # noqa: SIM118
    except Exception as error:  # safetensors has its own exceptions
        raise ValueError(f"{what}: its {PROMPT} cannot be read ({first_line(error)})") from None
    if notes.get("parameters") == "prompt_generator":
        raise ValueError(f"{what}: its prompt depends on the example, which an adapter cannot represent; use {PROMPT}")
    if prompt is None and "text" in notes:
        raise ValueError(f"{what}: its prompt is text, which prompt.txt there has; an adapter needs a soft prompt")
    if prompt is None or notes.get("blackbox") not in _KINDS:
        raise ValueError(f"{what}: it holds no prompt of a model; an adapter is made for {', '.join(_KINDS)}")
    if "{text" not in notes["template"]:
        raise ValueError(
            f"{what}: its prompt stands before the class words, and an adapter's before the text; tune one with "
            "blackbox.mode text, or use prompt.safetensors"
        )
    if not notes["template"].startswith("{prompt}"):
        raise ValueError(
            f"{what}: its template is {notes['template']}, but peft puts a prompt before the text; tune one with a "
            "template that begins with {prompt}"
        )
    return prompt, notes

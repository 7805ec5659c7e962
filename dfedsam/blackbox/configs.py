"""The options of each black box, and how they build it from a task. Does not import torch, or httpx."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, get_args

from dfedsam.blackbox.base import BlackBox, Mode, TaskSpec
from dfedsam.blackbox.templates import Kind, Template, is_task, tasks
from dfedsam.errors import OptionError
from dfedsam.options import Options, at_least, one_of, option, positive, whole_number
from dfedsam.registry import import_object

Precision = Literal["run", "float32", "bfloat16"]
Attention = Literal["auto", "sdpa", "eager", "flash_attention_2"]
_DEVICES = re.compile(r"auto|cpu|mps|cuda(:\d+)?")


@dataclass(frozen=True, kw_only=True)
class BlackBoxConfig(Options, ABC):
    """The options of a black box."""

    takes_images: ClassVar[bool] = False
    is_remote: ClassVar[bool] = False

    @abstractmethod
    def build(self, task: TaskSpec) -> BlackBox:
        """Load the model and prepare the task's examples.

        Raises:
            ValueError: for any mistake in the options, the model or the words, in one line.
        """

    def words(self) -> tuple[str, ...]:
        """The built-in class words, in the order of the labels; () if there are none."""
        return ()

    def check_texts(self, seconds: tuple[str, ...], text_column: str) -> None:
        """Raise OptionError unless the black box accepts the examples: single texts, or pairs with these second texts.

        `text_column` is the option, for the message.
        """
        if seconds:
            rule = "must name one column: pairs of texts need a template"
            raise OptionError("text_column", text_column, rule, "choose a blackbox that has one, such as masked_lm")


@dataclass(frozen=True, kw_only=True)
class LocalConfig(BlackBoxConfig):
    """Shared options of black boxes whose model runs in this process.

    Args:
        precision: type of the model's weights: "run" (the run's dtype), "float32", or "bfloat16", which halves the
            memory and is fast on GPUs.
        device: device of the model: "auto" (a GPU if there is one, distributed over the ranks of a machine), "cpu",
            "cuda", "cuda:1", …, "mps". Batches are as large as its memory allows.
        attention: transformers' implementation of attention; "auto": its own choice for the model.
    """

    cost_options: ClassVar[tuple[str, ...]] = ("device",)
    precision: Precision = option("run", one_of, get_args(Precision))
    device: str = "auto"
    attention: Attention = option("auto", one_of, get_args(Attention))

    def __post_init__(self) -> None:
        super().__post_init__()
        if not _DEVICES.fullmatch(self.device):
            raise OptionError("device", self.device, "must be auto, cpu, cuda, cuda:N or mps")

    def loading(self, task: TaskSpec) -> dict[str, Any]:
        """How to load the model: torch's type and device, and the attention.

        Raises:
            OptionError: if the device does not exist.
        """
        import torch

        from dfedsam.blackbox.loading import find_device

        dtype = getattr(torch, task.dtype.name if self.precision == "run" else self.precision)
        attention = None if self.attention == "auto" else self.attention
        return {"dtype": dtype, "device": find_device(self.device), "attention": attention}


@dataclass(frozen=True, kw_only=True)
class DualEncoderConfig(LocalConfig):
    """A sentence encoder: class scores are scaled cosines of a text's vector with the class words' vectors.

    Args:
        mode: the position of the prompt: before the "words" (class words; texts are embedded once) or before the "text"
            (the examples, as in BBT and FedBPT; a query costs a forward pass of the minibatch).
        scale: factor of the cosines, the inverse temperature, above 0.
    """

    public_name: ClassVar[str] = "dual_encoder"
    mode: Mode = option("words", one_of, get_args(Mode))
    scale: float = option(20.0, positive, "20 is common")

    def build(self, task: TaskSpec) -> BlackBox:
        from dfedsam.blackbox.dual_encoder import DualEncoder

        return DualEncoder(task, mode=self.mode, scale=self.scale, **self.loading(task))


@dataclass(frozen=True, kw_only=True)
class ImageTextConfig(LocalConfig):
    """CLIP or SigLIP: class scores are scaled cosines of an image's vector with the class words' vectors.

    The objective's `data` is a folder that holds a folder of images for each class, or a data set with a column of
    images, which is its `text_column`. Takes models of
    transformers' CLIPModel and SiglipModel, with their own image processor.

    Args:
        frame: width in pixels of a frame that is the prompt, added to every image, at least 1; 0: the prompt is soft
            tokens before the class words (CoOp), and images pass through the model once.
    """

    public_name: ClassVar[str] = "image_text"
    takes_images: ClassVar[bool] = True
    frame: int = option(0, whole_number, 0)

    def build(self, task: TaskSpec) -> BlackBox:
        from dfedsam.blackbox.image_text import ImageText

        return ImageText(task, frame=self.frame, **self.loading(task))


@dataclass(frozen=True, kw_only=True)
class TemplatedConfig(BlackBoxConfig):
    """Shared options of black boxes that insert a text into a template."""

    template_kind: ClassVar[Kind] = "causal"
    template: str = ""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.parsed()

    def parsed(self) -> Template:
        """The template, or that of the named task."""
        return Template.named(self.template, self.template_kind)

    def words(self) -> tuple[str, ...]:
        return tuple(tasks()[self.template]["words"]) if is_task(self.template) else ()

    def check_texts(self, seconds: tuple[str, ...], text_column: str) -> None:
        self.parsed().check_texts(seconds, text_column)


@dataclass(frozen=True, kw_only=True)
class ServiceConfig(Options):
    """Shared options of language models behind an HTTP endpoint.

    A budget is exact: it is compared with the total cost recorded in the file before each request, including retries. A
    run that exceeds it drops the unfinished round; once resumed, it reads answers that are paid for from the file.

    Args:
        url: the server's address with its version, such as http://localhost:8000/v1; https if a key is sent
            to another machine.
        key_variable: the environment variable that holds the key; the key is sent, but never written anywhere.
        in_flight: concurrent requests, at least 1.
        retries: how often a request is repeated after 408, 409, 425, 429, 5xx, no answer, or an invalid answer.
        timeout: time limit of an answer in seconds, above 0.
        backoff: seconds before the first retry, above 0; doubled for each further one, up to a minute.
        requests_per_minute: requests sent a minute by all who share `cache_path`, evenly, above 0; null: no limit.
        tokens_per_minute: tokens sent a minute, likewise.
        budget_requests: requests that may be paid for, by all ranks and runs that share `cache_path`; a run stops
            before the first one beyond it, and can be resumed with a larger budget. 0 for no limit.
        budget_tokens: tokens that may be sent, likewise.
        cache_path: file that stores every answer, so that none is paid for twice; empty: one in the cache folder.
    """

    confirmed: ClassVar[tuple[str, ...]] = ("url", "key_variable")  # a file alone may not choose them
    cache_name: ClassVar[str] = "endpoint.sqlite"
    cost_options: ClassVar[tuple[str, ...]] = (
        *("in_flight", "retries", "timeout", "backoff", "requests_per_minute", "tokens_per_minute"),
        *("budget_requests", "budget_tokens", "cache_path"),
    )
    url: str = "http://localhost:8000/v1"
    key_variable: str = "OPENAI_API_KEY"
    in_flight: int = option(16, whole_number, 1)
    retries: int = option(5, whole_number, 0)
    timeout: float = option(60.0, positive)
    backoff: float = option(1.0, positive)
    requests_per_minute: float | None = option(None, positive)
    tokens_per_minute: float | None = option(None, positive)
    budget_requests: int = option(0, whole_number, 0)
    budget_tokens: int = option(0, whole_number, 0)
    cache_path: str = ""

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.url.startswith(("http://", "https://")):
            raise OptionError("url", self.url, "must begin with http:// or https://", f"such as {ServiceConfig.url}")


@dataclass(frozen=True, kw_only=True)
class LanguageModelConfig(LocalConfig, TemplatedConfig):
    """Shared options of language models that run in this process."""


@dataclass(frozen=True, kw_only=True)
class MaskedLMConfig(LanguageModelConfig):
    """A masked language model, such as RoBERTa or BERT: class scores are the label words' logits at the mask.

    Source: Sun et al. (2022), "Black-box tuning for language-model-as-a-service" (BBT), section 3. The soft prompt
    starts as the embeddings of real tokens, and z through a projection is added to them. Label words must be single
    tokens; they are tokenised as in the template, after a blank if the mask follows one (BBT's own code omits that
    blank). Takes any model of transformers' AutoModelForMaskedLM.

    Args:
        template: the template around the text, with {prompt}, {text} (or {text1} and {text2}) and <mask>; or the name
            of a task for its template and words in BBT: sst2, yelp, ag_news, dbpedia, mrpc, rte, snli.
    """

    public_name: ClassVar[str] = "masked_lm"
    template_kind: ClassVar[Kind] = "masked"
    template: str = "{prompt} . {text} . It was <mask> ."

    def build(self, task: TaskSpec) -> BlackBox:
        from dfedsam.blackbox.language_model import MaskedLM

        return MaskedLM(task, template=self.parsed(), **self.loading(task))


@dataclass(frozen=True, kw_only=True)
class CausalLMConfig(LanguageModelConfig):
    """A causal language model, such as GPT-2, Llama or Qwen: class scores are the label words' logits at the end.

    With {prompt} after {text} the text's keys and values are computed once, and a query costs only the prompt's tokens
    and those after it. Takes any model of transformers' AutoModelForCausalLM.

    Args:
        template: the template around the text, with {prompt} and {text} (or {text1} and {text2}); the label word
            follows it. Or the name of a task for our template and BBT's words: sst2, yelp, ag_news, dbpedia, mrpc, rte,
            snli.
        cache: memory for the texts' keys and values, in GiB, at least 0; those of further texts are recomputed.
    """

    public_name: ClassVar[str] = "causal_lm"
    cost_options: ClassVar[tuple[str, ...]] = (*LanguageModelConfig.cost_options, "cache")
    template: str = "{text} {prompt} It was"
    cache: float = option(2.0, at_least, 0)

    def build(self, task: TaskSpec) -> BlackBox:
        from dfedsam.blackbox.causal_lm import CausalLM

        return CausalLM(task, template=self.parsed(), cache_bytes=self.cache * 2**30, **self.loading(task))


@dataclass(frozen=True, kw_only=True)
class FunctionConfig(BlackBoxConfig):
    """Any Python function: `losses(prompts, examples)`, called once for each peer.

    It takes prompts (q, tokens, width), which start at 0, and a list of b examples, each a dict with "text", "label"
    (the class's number), "word" (its class word) and, for pairs, "text2". It returns the losses (q,), or class
    scores (q, b, classes), which also determine the accuracy. It must depend only on its arguments. It is called once,
    on one example, before the run.

    Args:
        path: its import path, such as mymodule.losses.
        width: length of the prompt's rows, at least 1; the objective's prompt_tokens are their number (0: one).
    """

    public_name: ClassVar[str] = "function"
    runs_code: ClassVar[bool] = True  # so that a file cannot choose it without permission
    path: str
    width: int = option(16, whole_number, 1)

    def check_texts(self, seconds: tuple[str, ...], text_column: str) -> None:
        """Accept both."""

    def build(self, task: TaskSpec) -> BlackBox:
        from dfedsam.blackbox.function import Function

        return Function(task, import_object("path", self.path), path=self.path, width=self.width)

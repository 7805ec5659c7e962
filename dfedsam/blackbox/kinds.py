"""The black boxes that there are, as options: each builds its box from what an objective gives. No torch here."""

import re
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, ClassVar

from dfedsam import validation
from dfedsam.blackbox.base import BlackBox, TaskSpec
from dfedsam.blackbox.templates import Template, is_task, tasks

PRECISIONS = ("run", "float32", "bfloat16")
_DEVICES = re.compile(r"auto|cpu|mps|cuda(:\d+)?")


@dataclass(frozen=True, kw_only=True)
class Model(ABC):
    """The options of a black box."""

    @abstractmethod
    def build(self, given: TaskSpec) -> BlackBox:
        """Load the model and what it needs of the examples.

        Raises:
            ValueError: for every mistake in the options, the model or the words, in one line.
        """

    READS_IMAGES: ClassVar[bool] = False

    def words(self) -> tuple[str, ...]:
        """The class words that it brings, in the order of the labels; () for none."""
        return ()

    def limits(self) -> dict[str, int]:
        """What may be asked for in all, by the names of the problem's counts; none by default."""
        return {}

    def check_texts(self, seconds: tuple[str, ...], text_column: str) -> None:
        """Raise ValueError unless it takes what the examples are: single texts, or pairs with `seconds`."""
        if seconds:
            raise ValueError(
                f"text_column is {text_column}: pairs of texts need a template; choose a blackbox that has one, "
                "such as masked_lm"
            )


@dataclass(frozen=True, kw_only=True)
class LocalModel(Model):
    """What black boxes share whose model runs here.

    Args:
        precision: type of the model's weights: "run" (the run's dtype), "float32", or "bfloat16", which halves the
            memory and is fast on GPUs.
        device: where it runs: "auto" (a GPU where there is one, dealt over the ranks of a machine), "cpu", "cuda",
            "cuda:1", …, "mps". Batches are as large as its memory takes, which is found out by itself.
    """

    precision: str = "run"
    device: str = "auto"

    def __post_init__(self) -> None:
        validation.one_of("precision", self.precision, PRECISIONS)
        if not _DEVICES.fullmatch(self.device):
            raise ValueError(f"device is {self.device}: it must be auto, cpu, cuda, cuda:N or mps")

    def dtype(self, given: TaskSpec) -> Any:
        """The weights' type, of torch."""
        import torch

        return getattr(torch, given.dtype.name if self.precision == "run" else self.precision)

    def place(self) -> Any:
        """The device, of torch.

        Raises:
            ValueError: if it is not there.
        """
        from dfedsam.blackbox import models

        return models.device(self.device)


@dataclass(frozen=True, kw_only=True)
class DualEncoder(LocalModel):
    """A sentence encoder: class scores are scaled cosines of a text's vector with the class words' vectors.

    The objective's `mode` says what the prompt is set before, and its `scale` what cosines are multiplied by.
    """

    def build(self, given: TaskSpec) -> BlackBox:
        """See Model.build."""
        from dfedsam.blackbox.dual_encoder import DualEncoderBox

        return DualEncoderBox(given, dtype=self.dtype(given), device=self.place())


@dataclass(frozen=True, kw_only=True)
class ImageText(LocalModel):
    """CLIP: class scores are its scaled cosines of an image's vector with the class words' vectors.

    The objective's `data` is a folder that holds a folder of images a class, or a data set with a column of images,
    which is its `text_column`. Takes models of transformers' CLIPModel, with their own image processor.

    Args:
        frame: width in pixels of a frame that is the prompt, added to every image, at least 1; 0: the prompt is soft
            tokens before the class words (CoOp), and images pass through the model once.
    """

    READS_IMAGES: ClassVar[bool] = True
    frame: int = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        validation.whole_number("frame", self.frame, 0)

    def build(self, given: TaskSpec) -> BlackBox:
        """See Model.build."""
        from dfedsam.blackbox.image_text import ImageTextBox

        return ImageTextBox(given, frame=self.frame, dtype=self.dtype(given), device=self.place())


@dataclass(frozen=True, kw_only=True)
class Templated(Model):
    """What black boxes share that set a text in a template."""

    KIND: ClassVar[str] = "causal"
    template: str = ""

    def __post_init__(self) -> None:
        self.parsed()

    def parsed(self) -> Template:
        """The template itself, where a task's name is given."""
        return Template.named(self.template, self.KIND)

    def words(self) -> tuple[str, ...]:
        """A task's words."""
        return tuple(tasks()[self.template]["words"]) if is_task(self.template) else ()

    def check_texts(self, seconds: tuple[str, ...], text_column: str) -> None:
        """See Model.check_texts."""
        self.parsed().check_texts(seconds, text_column)


@dataclass(frozen=True, kw_only=True)
class LanguageModel(LocalModel, Templated):
    """A language model that runs here."""

    def __post_init__(self) -> None:
        LocalModel.__post_init__(self)
        Templated.__post_init__(self)


@dataclass(frozen=True, kw_only=True)
class MaskedLM(LanguageModel):
    """A masked language model, such as RoBERTa or BERT: class scores are the label words' logits at the mask.

    Source: Sun et al. (2022), "Black-box tuning for language-model-as-a-service" (BBT), section 3. The soft prompt
    starts as the embeddings of real tokens, and z through a projection is added to them. Label words must be single
    tokens; they are read as they stand in the template, after a blank where the mask has one before it (BBT's own code
    leaves that blank out). Takes any model of transformers' AutoModelForMaskedLM.

    Args:
        template: what the text is set in, with {prompt}, {text} (or {text1} and {text2}) and <mask>; or a task's name
            for its template and words in BBT: sst2, yelp, ag_news, dbpedia, mrpc, rte, snli.
    """

    KIND: ClassVar[str] = "masked"
    template: str = "{prompt} . {text} . It was <mask> ."

    def build(self, given: TaskSpec) -> BlackBox:
        """See Model.build."""
        from dfedsam.blackbox.masked_lm import MaskedLMBox

        return MaskedLMBox(given, template=self.parsed(), dtype=self.dtype(given), device=self.place())


@dataclass(frozen=True, kw_only=True)
class CausalLM(LanguageModel):
    """A causal language model, such as GPT-2, Llama or Qwen: class scores are the label words' logits at the end.

    With {prompt} after {text} the text's keys and values are computed once, and a query costs the prompt's tokens and
    those after it alone. Takes any model of transformers' AutoModelForCausalLM.

    Args:
        template: what the text is set in, with {prompt} and {text} (or {text1} and {text2}), the label word follows;
            or a task's name for a template of ours and BBT's words: sst2, yelp, ag_news, dbpedia, mrpc, rte, snli.
        cache: memory for the texts' keys and values, in GiB, at least 0; those of texts beyond it are computed anew.
    """

    template: str = "{text} {prompt} It was"
    cache: float = 2.0

    def __post_init__(self) -> None:
        super().__post_init__()
        validation.at_least("cache", self.cache, 0)

    def build(self, given: TaskSpec) -> BlackBox:
        """See Model.build."""
        from dfedsam.blackbox.causal_lm import CausalLMBox

        return CausalLMBox(
            given, template=self.parsed(), cache=self.cache * 2**30, dtype=self.dtype(given), device=self.place()
        )

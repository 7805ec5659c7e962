"""Maps from a peer's vector to the soft prompt: the identity, or a random projection."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from dfedsam.blackbox.base import BlackBox, TaskSpec
from dfedsam.errors import OptionError
from dfedsam.names import snake_case
from dfedsam.objectives.categorical import Categorical
from dfedsam.options import Options, one_of, option, positive, whole_number
from dfedsam.random import generator
from dfedsam.registry import public_name

Distribution = Literal["normal", "uniform", "orthonormal"]


class PromptMap(ABC):
    """From parameters (…, dim) to prompts, soft (…, tokens, width) or text (…, tokens), and gradients back.

    Attributes:
        dim: number of parameters.
        unit: the step in one parameter that moves the prompt's numbers by about one.
        categorical: how parameters represent distributions over tokens, if they do.
        has_gradients: whether `pull_back` is available.
        per_example: whether each example has its own prompt, by `prompts_for` instead of `prompts`.
    """

    dim: int
    unit: float = 1.0
    categorical: Categorical | None = None
    has_gradients: bool = True
    per_example: bool = False

    @abstractmethod
    def start(self) -> NDArray:
        """The parameters of the initial prompt, shape (dim,)."""

    @abstractmethod
    def prompts(self, x: NDArray) -> NDArray:
        """Prompts of parameters (…, dim): soft (…, tokens, width), or token numbers (…, tokens)."""

    def prompts_for(self, x: NDArray, examples: NDArray) -> NDArray:
        """Soft prompts (…, b, tokens, width) of parameters (…, dim) for examples (…, b), if `per_example`."""
        raise NotImplementedError

    def pull_back(self, gradients: NDArray) -> NDArray:
        """Gradients by the parameters (…, dim), from gradients by the prompts (…, tokens, width)."""
        raise NotImplementedError

    def text(self, x: NDArray) -> str | None:
        """The prompt of parameters (dim,) as text; None if it does not consist of real tokens."""
        return None

    def tensors(self, x: NDArray) -> dict[str, NDArray]:
        """The arrays to save for parameters (dim,), by name."""
        return {"prompt": self.prompts(x[None])[0]}

    def card(self, card: dict[str, str]) -> dict[str, str]:
        """The metadata saved with them, based on the black box's."""
        return card


@dataclass(frozen=True, kw_only=True)
class PromptParameters(Options, ABC):
    """The options of a PromptMap.

    Attributes:
        soft: whether its prompts are soft; otherwise they are text.
    """

    soft: ClassVar[bool] = True

    def check(self, black_box: BlackBox) -> None:
        """Raise OptionError unless the black box takes this kind of prompts."""
        if not (black_box.takes_soft_prompts if self.soft else black_box.takes_text_prompts):
            kind, other = ("soft", "discrete_prompt") if self.soft else ("text", "full_prompt")
            rule = f"must suit the blackbox, but {snake_case(type(black_box).__name__)} takes no {kind} prompts here"
            raise OptionError("parameters", public_name(self), rule, f"choose others, such as {other}")

    @abstractmethod
    def build(self, black_box: BlackBox, task: TaskSpec, seed: int) -> PromptMap:
        """Make the map, whose initial prompt is that of the black box.

        Raises:
            ValueError: if the options do not suit the black box, in one line.
        """


@dataclass(frozen=True, kw_only=True)
class FullPrompt(PromptParameters):
    """The parameters are the soft prompt's own numbers, token by token; dim = tokens · width."""

    def build(self, black_box: BlackBox, task: TaskSpec, seed: int) -> PromptMap:
        return _Identity(black_box.prompt)


class _Identity(PromptMap):
    def __init__(self, prompt: NDArray) -> None:
        self._prompt = prompt
        self.dim = prompt.size

    def start(self) -> NDArray:
        return self._prompt.ravel().copy()

    def prompts(self, x: NDArray) -> NDArray:
        return x.reshape(*x.shape[:-1], *self._prompt.shape)

    def pull_back(self, gradients: NDArray) -> NDArray:
        return gradients.reshape(*gradients.shape[:-2], self.dim)


@dataclass(frozen=True, kw_only=True)
class RandomProjection(PromptParameters):
    """p = A z + p₀ with a fixed random A (tokens · width, dim), as in BBT (Sun et al., ICML 2022, section 3).

    z starts at 0. The entries of A have standard deviation scale · s / (√dim · sigma), where s is that of the model's
    word embeddings; so entries of z of about `sigma` give a prompt as large as word embeddings, times `scale`.

    Args:
        dim: length of z, at least 1.
        scale: BBT's α, above 0.
        sigma: the intended size of z's entries, above 0.
        distribution: "normal" or "uniform" entries of A, or "orthonormal": orthogonal columns of equal length, so that
            all directions of z move the prompt equally far; dim must then be at most tokens · width.
    """

    dim: int = option(500, whole_number, 1)
    scale: float = option(1.0, positive)
    sigma: float = option(1.0, positive)
    distribution: Distribution = option("normal", one_of, get_args(Distribution))

    def build(self, black_box: BlackBox, task: TaskSpec, seed: int) -> PromptMap:
        prompt, rng = black_box.prompt, generator(seed, "prompt projection")
        shape = (prompt.size, self.dim)
        unit = rng.uniform(-1, 1, shape) * 3**0.5 if self.distribution == "uniform" else rng.standard_normal(shape)
        if self.distribution == "orthonormal":
            if self.dim > prompt.size:
                rule = f"must be at most the prompt's {prompt.size} numbers (tokens times width) if orthonormal"
                raise OptionError("dim", self.dim, rule, "lower it, or choose normal")
            unit = np.linalg.qr(unit)[0] * prompt.size**0.5
        deviation = self.scale * black_box.embedding_std / (self.dim**0.5 * self.sigma)
        return _Projection((unit * deviation).astype(prompt.dtype), prompt)


class _Projection(PromptMap):
    def __init__(self, matrix: NDArray, prompt: NDArray) -> None:
        self._matrix, self._prompt = matrix, prompt
        self.dim = matrix.shape[1]
        self.unit = float(1 / (matrix.std() * self.dim**0.5))

    def start(self) -> NDArray:
        return np.zeros(self.dim, self._matrix.dtype)

    def prompts(self, x: NDArray) -> NDArray:
        return (x @ self._matrix.T).reshape(*x.shape[:-1], *self._prompt.shape) + self._prompt

    def pull_back(self, gradients: NDArray) -> NDArray:
        return gradients.reshape(*gradients.shape[:-2], self._prompt.size) @ self._matrix

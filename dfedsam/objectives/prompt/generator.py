"""A prompt generator: a peer's vector is a small neural network that maps an example's features to a prompt."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import DTypeLike, NDArray

from dfedsam.blackbox.base import BlackBox, TaskSpec
from dfedsam.errors import OptionError
from dfedsam.objectives.prompt.parameters import PromptMap, RandomProjection
from dfedsam.options import option, whole_number
from dfedsam.random import generator


@dataclass(frozen=True, kw_only=True)
class PromptGenerator(RandomProjection):
    """A separate prompt for each example: p = A z + p₀, where z = W₂ tanh(W₁ f + b₁) + b₂ and f are its features.

    The vector is W₁, b₁, W₂ and b₂, row by row; W₁ starts random and the others at 0, so that all start with p₀. f is
    √width times the text's unit vector by a frozen sentence encoder that the peers run themselves; A is as in
    random_projection. Any estimator of losses tunes it; the paper uses FedBBPT with SPSA-GC. In a dual encoder's mode
    "words" the class words are encoded again for each example, so that "text" is cheaper.

    Source: Lin et al. (2023), "Efficient federated prompt tuning for black-box large pre-trained models" (Fed-BBPT),
    whose coordinator is that of BlackVIP (Oh et al., 2023): frozen encoder, trainable trigger, trainable decoder. Here
    the trigger, which all examples share, is b₁; the decoder is of two layers and a fixed A.

    Args:
        hidden: units of the hidden layer, at least 1.
        dim: length of z, at least 1.
        encoder: a folder with a sentence encoder, or a hub name: how the peers compute features. It is not queried.
        scale: BBT's α, above 0.
        sigma: the intended size of z's entries, above 0.
        distribution: distribution of A's entries: "normal", "uniform" or "orthonormal".
    """

    hidden: int = option(8, whole_number, 1)
    dim: int = 32
    encoder: str = "sentence-transformers/all-MiniLM-L6-v2"

    def build(self, black_box: BlackBox, task: TaskSpec, seed: int) -> PromptMap:
        projection = super().build(black_box, task, seed)
        mlp = MLP(inputs=self._features(task), hidden=self.hidden, outputs=self.dim)
        return _Generated(
            mlp, projection, black_box.prompt, self.encoder, generator(seed, "prompt generator"), task.dtype
        )

    def _features(self, task: TaskSpec) -> NDArray:
        """Features of all examples, (n, width); of pairs, of the two texts together."""
        from dfedsam.blackbox.configs import DualEncoderConfig
        from dfedsam.blackbox.dual_encoder import DualEncoder

        examples = task.examples
        if examples.seconds:
            both = (" ".join(pair) for pair in zip(examples.texts, examples.seconds, strict=True))
            examples = replace(examples, texts=tuple(both), seconds=())
        encoder_task = replace(task, model=self.encoder, examples=examples, prompt="a", prompt_tokens=0)
        try:
            vectors = DualEncoder(encoder_task, **DualEncoderConfig().loading(encoder_task)).bare_vectors()
        except ValueError as error:
            raise OptionError("encoder", self.encoder, f"must be a sentence encoder, but {error}") from None
        return vectors * vectors.dtype.type(vectors.shape[1] ** 0.5)


@dataclass(frozen=True, kw_only=True)
class MLP:
    """The small network, and the features it reads.

    Args:
        inputs: features of all examples, shape (n, width).
        hidden: units of the hidden layer.
        outputs: length of its output.
    """

    inputs: NDArray
    hidden: int
    outputs: int

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Names and shapes of the parameters, in their order in a vector."""
        width = self.inputs.shape[1]
        shapes: dict[str, tuple[int, ...]] = {"first.weight": (self.hidden, width), "first.bias": (self.hidden,)}
        return shapes | {"second.weight": (self.outputs, self.hidden), "second.bias": (self.outputs,)}

    @property
    def dim(self) -> int:
        """The number of parameters."""
        return sum(int(np.prod(shape)) for shape in self.shapes.values())

    def parameters(self, x: NDArray) -> dict[str, NDArray]:
        """The parameters by name, from vectors (…, dim)."""
        ends = np.cumsum([int(np.prod(shape)) for shape in self.shapes.values()])
        pieces = np.split(x, ends[:-1], axis=-1)
        return {
            name: piece.reshape(*x.shape[:-1], *shape)
            for (name, shape), piece in zip(self.shapes.items(), pieces, strict=True)
        }

    def __call__(self, x: NDArray, examples: NDArray) -> NDArray:
        """The network's output for vectors (…, dim) and examples (…, b), shape (…, b, outputs).

        Each vector has its own matrix products, so that no bit of a row depends on other rows.
        """
        p = self.parameters(x)
        hidden = np.matmul(self.inputs[examples], p["first.weight"].swapaxes(-1, -2)) + p["first.bias"][..., None, :]
        return np.matmul(np.tanh(hidden), p["second.weight"].swapaxes(-1, -2)) + p["second.bias"][..., None, :]


class _Generated(PromptMap):
    """Prompts by example."""

    has_gradients = False
    per_example = True

    def __init__(
        self, mlp: MLP, projection: PromptMap, prompt: NDArray, encoder: str, rng: np.random.Generator, dtype: DTypeLike
    ) -> None:
        self.mlp, self._projection, self._prompt, self._encoder = mlp, projection, prompt, encoder
        self.dim = mlp.dim
        first = rng.standard_normal(mlp.shapes["first.weight"]) / mlp.inputs.shape[1] ** 0.5
        self._start = np.zeros(self.dim, dtype)
        self._start[: first.size] = first.ravel()

    def start(self) -> NDArray:
        return self._start.copy()

    def prompts(self, x: NDArray) -> NDArray:
        raise NotImplementedError

    def prompts_for(self, x: NDArray, examples: NDArray) -> NDArray:
        return self._projection.prompts(self.mlp(x, examples))

    def tensors(self, x: NDArray) -> dict[str, NDArray]:
        """The generator by its layers, A transposed as "projection", and p₀ as "prompt"."""
        columns = self._projection.prompts(np.eye(self.mlp.outputs, dtype=x.dtype)) - self._prompt
        projection = columns.reshape(self.mlp.outputs, -1)
        return self.mlp.parameters(x) | {"projection": projection, "prompt": self._prompt}

    def card(self, card: dict[str, str]) -> dict[str, str]:
        how = (
            "An example's prompt is prompt + z projection, where z = second.weight tanh(first.weight f + first.bias) + "
            "second.bias and f is √width times the encoder's unit vector of its text. "
        )
        return card | {"encoder": self._encoder, "how_to_use": how + card["how_to_use"]}

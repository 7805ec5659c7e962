"""A prompt generator: a peer's vector is a small mlp, which makes a prompt of each example's features."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dfedsam import validation
from dfedsam.blackbox.base import BlackBox, TaskSpec
from dfedsam.blackbox.kinds import DualEncoder
from dfedsam.objectives.prompt_parameters import PromptMap, RandomProjection
from dfedsam.random import generator


@dataclass(frozen=True, kw_only=True)
class PromptGenerator(RandomProjection):
    """A prompt of its own for each example: p = A z + p₀, where z = W₂ tanh(W₁ f + b₁) + b₂ and f are its features.

    The vector is W₁, b₁, W₂ and b₂, row by row; W₁ starts random and the others at 0, so that all start with p₀. f is
    √width times the text's unit vector by a frozen sentence encoder of the peers' own; A is as in random_projection.
    Any estimator of queries tunes it, and FedBBPT by SPSA-GC as its paper has it. In a dual encoder's mode "words" the
    class words go through the model anew for each example, so that "text" is the cheaper one.

    Source: Lin et al. (2023), "Efficient federated prompt tuning for black-box large pre-trained models" (Fed-BBPT),
    whose coordinator is that of BlackVIP (Oh et al., 2023): frozen encoder, trainable trigger, trainable decoder. Here
    the trigger, which all examples share, is b₁; the decoder is of two layers and a fixed A.

    Args:
        hidden: units of the hidden layer, at least 1.
        dim: length of z, at least 1.
        encoder: a folder with a sentence encoder, or a hub name: what the peers read features by. It is not queried.
        scale: BBT's α, above 0.
        sigma: the size of z's entries that is meant, above 0.
        distribution: of A: "normal", "uniform" or "orthonormal".
    """

    hidden: int = 8
    dim: int = 32
    encoder: str = "sentence-transformers/all-MiniLM-L6-v2"

    def __post_init__(self) -> None:
        super().__post_init__()
        validation.whole_number("hidden", self.hidden, 1)

    def build(self, box: BlackBox, given: TaskSpec, seed: int) -> PromptMap:
        """See PromptParameters.build. Loads the encoder, and reads every text with it once."""
        projection = super().build(box, given, seed)
        mlp = MLP(inputs=self._features(given), hidden=self.hidden, outputs=self.dim)
        return Generated(mlp, projection, generator(seed, "prompt generator"), given.dtype)

    def _features(self, given: TaskSpec) -> NDArray:
        """Features of all examples, (n, width); of pairs, of the two texts together."""
        from dfedsam.blackbox.dual_encoder import DualEncoderBox

        examples = given.examples
        if examples.seconds:
            both = (" ".join(pair) for pair in zip(examples.texts, examples.seconds, strict=True))
            examples = replace(examples, texts=tuple(both), seconds=())
        own = replace(given, model=self.encoder, examples=examples, mode="words", prompt="a", prompt_tokens=0)
        try:
            encoder = DualEncoder().build(own)
        except ValueError as error:
            raise ValueError(f"encoder is {self.encoder}: {error}") from None
        assert isinstance(encoder, DualEncoderBox)
        vectors = encoder.bare_vectors()
        return vectors * vectors.dtype.type(vectors.shape[1] ** 0.5)


@dataclass(frozen=True, kw_only=True)
class MLP:
    """The small mlp, and the features it reads.

    Args:
        inputs: features of all examples, shape (n, width).
        hidden: units of the hidden layer.
        outputs: length of what it gives.
    """

    inputs: NDArray
    hidden: int
    outputs: int

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Of the parameters, in the order in which they lie in a vector."""
        width = self.inputs.shape[1]
        shapes: dict[str, tuple[int, ...]] = {"first.weight": (self.hidden, width), "first.bias": (self.hidden,)}
        return shapes | {"second.weight": (self.outputs, self.hidden), "second.bias": (self.outputs,)}

    @property
    def dim(self) -> int:
        """Parameters in all."""
        return sum(int(np.prod(shape)) for shape in self.shapes.values())

    def parts(self, x: NDArray) -> dict[str, NDArray]:
        """The parameters by name, from vectors (…, dim)."""
        ends = np.cumsum([int(np.prod(shape)) for shape in self.shapes.values()])
        pieces = np.split(x, ends[:-1], axis=-1)
        return {
            name: piece.reshape(*x.shape[:-1], *shape)
            for (name, shape), piece in zip(self.shapes.items(), pieces, strict=True)
        }

    def __call__(self, x: NDArray, examples: NDArray) -> NDArray:
        """What vectors (…, dim) give for examples (…, b), shape (…, b, outputs).

        In products of matrices of one vector each: no bit of a row depends on which others are beside it.
        """
        own = self.parts(x)
        hidden = (
            np.matmul(self.inputs[examples], own["first.weight"].swapaxes(-1, -2)) + own["first.bias"][..., None, :]
        )
        return np.matmul(np.tanh(hidden), own["second.weight"].swapaxes(-1, -2)) + own["second.bias"][..., None, :]


class Generated(PromptMap):
    """Prompts by example; `prompts`, which knows of none, is of no use here."""

    def __init__(self, mlp: MLP, projection: PromptMap, random: np.random.Generator, dtype: Any) -> None:
        self.mlp, self.projection = mlp, projection
        self.dim = mlp.dim
        first = random.standard_normal(mlp.shapes["first.weight"]) / mlp.inputs.shape[1] ** 0.5
        self._start = np.zeros(self.dim, dtype)
        self._start[: first.size] = first.ravel()

    def start(self) -> NDArray:
        return self._start.copy()

    def prompts(self, x: NDArray) -> NDArray:
        raise ValueError("parameters is PromptGenerator: its prompts depend on the example")

    def prompts_for(self, x: NDArray, examples: NDArray) -> NDArray:
        """Soft prompts (…, b, tokens, width) that vectors (…, dim) make of examples (…, b)."""
        return self.projection.prompts(self.mlp(x, examples))

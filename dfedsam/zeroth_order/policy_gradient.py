"""BDPL's estimate of the gradient with respect to the distributions that discrete prompts are drawn from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dfedsam.context import Oracle
from dfedsam.errors import OptionError
from dfedsam.objectives.base import Problem
from dfedsam.options import at_least, option, whole_number
from dfedsam.zeroth_order.base import MOST_QUERIES, Estimator


@dataclass(frozen=True, kw_only=True)
class PolicyGradient(Estimator):
    """The gradient of discrete prompts' expected loss with respect to their tokens' distributions. Costs I queries.

    I prompts are drawn; with L̄ the mean of their losses the estimate is 1/(I − 1) Σ_k (L_k − L̄) ∇ log p(prompt k). That
    is 1/I Σ_k (L_k − the mean of the other losses) ∇ log p(prompt k), with the leave-one-out baseline. For candidates
    of positive probability it is unbiased up to a constant per token, which the projection on the simplex
    removes. A candidate of probability 0 is never drawn and its entry of the estimate is 0, whatever its derivative; so
    a token whose distribution has become certain does not move again. Logits never reach 0.

    Source: Diao et al. (2023), "Black-box prompt learning for pre-trained language models" (BDPL). There ∇ log p is 1/P
    for what was drawn and −1/P for what was not; in this sum that is exactly twice our 1/P and 0. So
    BDPL's steps correspond to twice its learning rate here.

    Args:
        samples: I, prompts drawn for an estimate, at least 2.
        clip: the largest norm of an estimate; longer ones are scaled down to it; 0 for no limit. BDPL's 3 is 1.5 here.
    """

    samples: int = option(20, whole_number, 2, most=MOST_QUERIES)
    clip: float = option(1.5, at_least, 0)

    def check(self, problem: Problem) -> None:
        if problem.categorical is None:
            raise OptionError(
                "estimator",
                "policy_gradient",
                "needs discrete prompts, but this objective has none",
                "choose --objective prompt_tuning --objective.parameters discrete_prompt, or the estimator two_point",
            )

    def queries(self, dim: int) -> int:
        return self.samples

    def estimate(self, oracle: Oracle, x: NDArray, state: Any, purpose: str) -> tuple[NDArray, Any]:
        choices = oracle.problem.categorical
        assert choices is not None  # as `check` has made sure
        chances = choices.probabilities(x)
        drawn = choices.draw(chances, oracle.random(purpose), self.samples)
        losses = oracle.losses(drawn)
        above = (losses - losses.mean(axis=1, keepdims=True)) / (self.samples - 1)
        estimates = choices.slopes(np.matmul(above[:, None].astype(x.dtype, copy=False), drawn)[:, 0], chances)
        if self.clip:
            norms = np.sqrt(np.einsum("pd,pd->p", estimates, estimates))
            estimates *= (self.clip / np.maximum(norms, self.clip))[:, None].astype(x.dtype)
        return estimates, state

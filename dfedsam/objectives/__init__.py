"""Objectives: the functions to minimise."""

from dfedsam.objectives.base import Objective, Problem
from dfedsam.objectives.hidden_prompt import HiddenPrompt
from dfedsam.objectives.logistic_regression import LogisticRegression
from dfedsam.objectives.prompt.discrete import DiscretePrompt
from dfedsam.objectives.prompt.generator import PromptGenerator
from dfedsam.objectives.prompt.parameters import FullPrompt, PromptParameters, RandomProjection
from dfedsam.objectives.prompt.tuning import PromptTuning
from dfedsam.objectives.quadratic import Quadratic

__all__ = [
    "DiscretePrompt",
    "FullPrompt",
    "HiddenPrompt",
    "LogisticRegression",
    "Objective",
    "Problem",
    "PromptGenerator",
    "PromptParameters",
    "PromptTuning",
    "Quadratic",
    "RandomProjection",
]

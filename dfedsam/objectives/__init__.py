"""Objectives: what is minimised."""

from dfedsam.objectives.base import Objective, Problem
from dfedsam.objectives.discrete_prompts import DiscretePrompt
from dfedsam.objectives.logistic_regression import LogisticRegression
from dfedsam.objectives.prompt_generator import PromptGenerator
from dfedsam.objectives.prompt_parameters import FullPrompt, PromptParameters, RandomProjection
from dfedsam.objectives.prompt_tuning import PromptTuning
from dfedsam.objectives.quadratic import Quadratic

__all__ = [
    "DiscretePrompt",
    "FullPrompt",
    "LogisticRegression",
    "Objective",
    "Problem",
    "PromptGenerator",
    "PromptParameters",
    "PromptTuning",
    "Quadratic",
    "RandomProjection",
]

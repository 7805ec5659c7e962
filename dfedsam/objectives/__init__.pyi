# What the package offers. lazy_loader reads this file and loads a name when it is first used.
from .base import Objective as Objective, Problem as Problem
from .hidden_prompt import HiddenPrompt as HiddenPrompt
from .logistic_regression import LogisticRegression as LogisticRegression
from .prompt.discrete import DiscretePrompt as DiscretePrompt
from .prompt.generator import PromptGenerator as PromptGenerator
from .prompt.parameters import (
    FullPrompt as FullPrompt,
    PromptParameters as PromptParameters,
    RandomProjection as RandomProjection,
)
from .prompt.tuning import PromptTuning as PromptTuning
from .quadratic import Quadratic as Quadratic

"""Objectives: what is minimised."""

from dfedsam.objectives.base import Objective, Problem
from dfedsam.objectives.logistic_regression import LogisticRegression
from dfedsam.objectives.quadratic import Quadratic

__all__ = ["LogisticRegression", "Objective", "Problem", "Quadratic"]

"""Differential privacy: mechanisms that add noise, and the ledger of what they cost."""

from dfedsam.privacy.base import MessagePrivacy, Privacy, ScalarPrivacy
from dfedsam.privacy.mechanisms import Decor, Gaussian, GaussianMessages, Laplace

__all__ = ["Decor", "Gaussian", "GaussianMessages", "Laplace", "MessagePrivacy", "Privacy", "ScalarPrivacy"]

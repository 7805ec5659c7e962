"""Adversaries: which peers attack, and what they send."""

from dfedsam.adversary.attacks import (
    ALIE,
    IPM,
    ConstantAttack,
    Dissensus,
    LabelFlip,
    Mimic,
    RandomNoise,
    SignFlip,
    Silent,
    Spectral,
)
from dfedsam.adversary.base import Adversary, Attackers, View

__all__ = [
    "ALIE",
    "IPM",
    "Adversary",
    "Attackers",
    "ConstantAttack",
    "Dissensus",
    "LabelFlip",
    "Mimic",
    "RandomNoise",
    "SignFlip",
    "Silent",
    "Spectral",
    "View",
]

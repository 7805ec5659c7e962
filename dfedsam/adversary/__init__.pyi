# What the package offers. lazy_loader reads this file and loads a name when it is first used.
from .attacks import (
    ALIE as ALIE,
    IPM as IPM,
    ConstantAttack as ConstantAttack,
    Dissensus as Dissensus,
    LabelFlip as LabelFlip,
    Mimic as Mimic,
    RandomNoise as RandomNoise,
    SignFlip as SignFlip,
    Silent as Silent,
    Spectral as Spectral,
)
from .base import Adversary as Adversary, Attackers as Attackers, View as View

# What the package offers. lazy_loader reads this file and loads a name when it is first used.
from .base import MessagePrivacy as MessagePrivacy, Privacy as Privacy, ScalarPrivacy as ScalarPrivacy
from .mechanisms import (
    Decor as Decor,
    Gaussian as Gaussian,
    GaussianMessages as GaussianMessages,
    Laplace as Laplace,
    ZipDL as ZipDL,
)

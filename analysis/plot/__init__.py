"""Figures: each function takes tables or arrays and returns a matplotlib figure."""

import os
import sys
from contextlib import suppress

if "matplotlib" not in sys.modules:
    # A foreign MPLBACKEND keeps matplotlib from being imported, though figures here need no backend
    _backend = os.environ.pop("MPLBACKEND", None)
    import matplotlib as mpl

    if _backend is not None:
        os.environ["MPLBACKEND"] = _backend
        with suppress(ValueError):
            mpl.rcParams["backend"] = _backend

"""Figures: each function takes tables or arrays and returns a matplotlib figure."""

import os
import sys
from contextlib import suppress

if "matplotlib" not in sys.modules:
    # An unknown MPLBACKEND makes the import of matplotlib fail, although figures here need no backend
    _backend = os.environ.pop("MPLBACKEND", None)
    import matplotlib as mpl

    if _backend is not None:
        os.environ["MPLBACKEND"] = _backend
        with suppress(ValueError):
            mpl.rcParams["backend"] = _backend

"""Who talks to whom: graphs, mixing matrices W, and their spectra.

from dfedsam.topologies import make, spectrum
spectrum(make("torus", 16))["gap"]      # 0.4

Options of a topology that do not fit raise an OptionError, whose hint says what would. W is of shape (n, n), csr,
float64, with sorted indices, and W[i, j] is the weight with which peer i takes in the row of peer j.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)

"""dfedsam: a decentralised peer-to-peer gossip simulator for black-box prompt tuning.

from dfedsam import DFedSAM, Quadratic, make, simulate
simulate(objective=Quadratic(dim=50), topology=make("ring", 16), algorithm=DFedSAM(), rounds=30)
"""

import os

import lazy_loader

# Threads of torch wait for one another in a loop, by default for milliseconds, which on a busy machine takes the time
# of those that have work. Torch reads this when it is loaded.
if "OMP_WAIT_POLICY" not in os.environ:
    os.environ.setdefault("GOMP_SPINCOUNT", "10000")

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)

"""dfedsam: a decentralised peer-to-peer gossip simulator for black-box prompt tuning.

from dfedsam import DFedSAM, Quadratic, make, simulate
simulate(objective=Quadratic(dim=50), topology=make("ring", 16), algorithm=DFedSAM(), rounds=30)
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)

"""Tables, figures and reports of run folders; uses topologies, but not the simulator."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)

"""Black boxes: models that answer queries with class scores. This module exports their options, without torch."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)

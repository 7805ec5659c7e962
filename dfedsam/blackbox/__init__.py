"""Black boxes: models that answer queries with class scores. What is named here are their options, without torch."""

from dfedsam.blackbox.kinds import CausalLM, DualEncoder, ImageText, LanguageModel, MaskedLM, Model
from dfedsam.blackbox.kinds_elsewhere import Endpoint, Function

__all__ = ["CausalLM", "DualEncoder", "Endpoint", "Function", "ImageText", "LanguageModel", "MaskedLM", "Model"]

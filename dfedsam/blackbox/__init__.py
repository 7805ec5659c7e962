"""Black boxes: models that answer queries with class scores. What is named here are their options, without torch."""

from dfedsam.blackbox.kinds import CausalLM, DualEncoder, LanguageModel, MaskedLM, Model

__all__ = ["CausalLM", "DualEncoder", "LanguageModel", "MaskedLM", "Model"]

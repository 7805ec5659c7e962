"""Black boxes: models that answer queries with class scores. What is named here are their options, without torch."""

from dfedsam.blackbox.kinds import CausalLM, DualEncoder, MaskedLM, Model

__all__ = ["CausalLM", "DualEncoder", "MaskedLM", "Model"]

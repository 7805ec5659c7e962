"""Black boxes: models that answer queries with class scores. This module exports their options, without torch."""

from dfedsam.blackbox.configs import (
    BlackBoxConfig,
    CausalLMConfig,
    DualEncoderConfig,
    FunctionConfig,
    ImageTextConfig,
    MaskedLMConfig,
)
from dfedsam.blackbox.endpoint_config import EndpointConfig

__all__ = [
    "BlackBoxConfig",
    "CausalLMConfig",
    "DualEncoderConfig",
    "EndpointConfig",
    "FunctionConfig",
    "ImageTextConfig",
    "MaskedLMConfig",
]

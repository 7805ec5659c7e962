# What the package offers. lazy_loader reads this file and loads a name when it is first used.
from .configs import (
    BlackBoxConfig as BlackBoxConfig,
    CausalLMConfig as CausalLMConfig,
    DualEncoderConfig as DualEncoderConfig,
    FunctionConfig as FunctionConfig,
    ImageTextConfig as ImageTextConfig,
    MaskedLMConfig as MaskedLMConfig,
)
from .editor import ChatEditor as ChatEditor, Editor as Editor
from .endpoint_config import EndpointConfig as EndpointConfig

"""Act in bfloat16: the weights of linear and convolutional layers are stored so, once.

Everything else (norms, residual sums, scales, softmax of scores on a GPU) stays in float32.
"""

from contextlib import AbstractContextManager

import torch
from torch import nn


def lower(module: nn.Module) -> None:
    """Store those weights in bfloat16; they are not to be trained afterwards."""
    for layer in module.modules():
        if isinstance(layer, nn.Linear | nn.Conv1d | nn.Conv2d | nn.ConvTranspose1d):
            layer.to(torch.bfloat16)


def autocast(device: torch.device, lowered: bool) -> AbstractContextManager[object]:
    """The context in which a policy's layers run."""
    return torch.autocast(device.type, torch.bfloat16, enabled=lowered)

"""What compiled code takes, and how: images with channels last, as one array of floats."""

from typing import cast

import torch
from torch import Tensor

from lolblur_synth.kernels.simd import Floats


def computed_here(*tensors: Tensor) -> bool:
    """Whether compiled code may take them: float32 on a CPU, not traced, not under autocast."""
    if torch.compiler.is_compiling() or torch.is_autocast_enabled("cpu"):
        return False
    return all(x.device.type == "cpu" and x.dtype == torch.float32 for x in tensors)


def channels_last(images: Tensor) -> Tensor:
    """Images (N, C, H, W) as (N, H, W, C), whole in memory; without a copy of those that lie so."""
    return images.permute(0, 2, 3, 1).contiguous()


def flat(x: Tensor) -> Floats:
    """The memory of a tensor; raises `RuntimeError` where it does not lie there whole and in order."""
    return cast(Floats, x.detach().view(-1).numpy())

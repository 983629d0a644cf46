"""Memory layout of what compiled kernels take: images channels-last (NHWC), as one flat array of floats."""

from typing import cast

from torch import Tensor

from lolblur_synth.kernels.jit import Floats


def channels_last(images: Tensor) -> Tensor:
    """Images (N, C, H, W) as (N, H, W, C), contiguous; without a copy of those that lie so."""
    return images.permute(0, 2, 3, 1).contiguous()


def flat(x: Tensor) -> Floats:
    """The memory of a tensor, shared; raises `RuntimeError` where that is not contiguous."""
    return cast(Floats, x.detach().view(-1).numpy())

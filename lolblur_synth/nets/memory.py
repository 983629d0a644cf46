"""How images lie in memory for compiled code: channels last, as one array of floats."""

from typing import cast

from torch import Tensor

from lolblur_synth.lanes import Floats


def channels_last(images: Tensor) -> Tensor:
    """Images (N, C, H, W) as (N, H, W, C), whole in memory; without a copy of those that lie so."""
    return images.permute(0, 2, 3, 1).contiguous()


def flat(x: Tensor) -> Floats:
    """The memory of a tensor that is whole in it."""
    return cast(Floats, x.detach().numpy().ravel())

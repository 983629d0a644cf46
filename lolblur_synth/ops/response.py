"""Response curves of cameras: how light is encoded in a picture, instead of by sRGB's curve."""

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor

from lolblur_synth.core.colorimetry import srgb_to_linear
from lolblur_synth.ops.response_table import Response


def response_curve(response: Response) -> Callable[[Tensor], Tensor]:
    """A camera's response in place of sRGB's: a function of sRGB, any shape, that gives R(linear light) in [0, 1].

    A table (light, code) is linear between its points; light is clipped to [0, 1]. `srgb` is the identity, without a
    copy.

    >>> response_curve(((0.0, 0.0), (0.5, 0.75), (1.0, 1.0)))(torch.tensor([0.0, 0.735357, 1.0]))
    tensor([0.0000, 0.7500, 1.0000])
    """
    if response == "srgb":
        return _unchanged
    return (
        _by_gamma if response == "gamma2.2" else partial(_by_table, table=torch.tensor(response, dtype=torch.float64).T)
    )


def _unchanged(rgb: Tensor) -> Tensor:
    return rgb


def _by_gamma(rgb: Tensor) -> Tensor:
    return srgb_to_linear(rgb.clamp(0, 1)).pow(1 / 2.2)


def _by_table(rgb: Tensor, table: Tensor) -> Tensor:
    lights, codes = table.to(rgb.device).contiguous()
    light = srgb_to_linear(rgb.clamp(0, 1)).double()  # points may lie closer than float32 tells apart
    at = torch.bucketize(light, lights[1:-1], right=True)
    share = (light - lights[at]) / (lights[at + 1] - lights[at])
    return torch.lerp(codes[at], codes[at + 1], share).to(rgb)

"""Deflicker: take mains flicker out of a frame before anything else looks at it."""

import torch
from torch import Tensor

from lolblur_synth.core.colorimetry import linear_to_srgb, srgb_to_linear

_ROLL_OFF = 8  # as `dim`: what is white stays white, or lamps that clip would flicker the other way round


def deflicker(rgb: Tensor, gains: Tensor, rows: Tensor) -> Tensor:
    """Deflicker: scale linear light by gains that change along the sensor's rows; sRGB (3, H, W) in [0, 1] to the same.

    `gains` (bands,) lie at the middles of equal bands from the sensor's first row to its last; `rows` (H, W) in [0, 1]
    is where on the sensor a pixel comes from. Between the middles they are interpolated.

    >>> frame, rows = torch.full((3, 2, 1), 0.5), torch.tensor([[0.25], [0.75]])
    >>> deflicker(frame, torch.tensor([1.0, 2.0]), rows)[0]
    tensor([[0.5000],
            [0.6852]])
    """
    bands = len(gains)
    place = (rows * bands - 0.5).clamp(0, bands - 1)
    below = place.floor().clamp(max=max(0, bands - 2)).long()
    gain = torch.lerp(gains[below], gains[(below + 1).clamp(max=bands - 1)], place - below)
    roll_off = rgb.amax(0).pow(_ROLL_OFF)
    return linear_to_srgb(srgb_to_linear(rgb) * torch.lerp(gain, torch.ones_like(gain), roll_off)).clamp(0, 1)

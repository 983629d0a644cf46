"""The slight dimming that makes the ground truth."""

from torch import Tensor

_ROLL_OFF = 8  # high enough to leave mid-tones at the plain factor, low enough to keep gradients near white smooth


def dim(rgb: Tensor, factor: float) -> Tensor:
    """Dim: scale sRGB (..., 3, H, W) in [0, 1] by `factor` in (0, 1], rolling off to 1 where a channel reaches 1.

    White stays white: a lamp that was merely scaled would no longer be found as saturated by `darken` (L* > 97) nor by
    `unclip` (L* > 98). One gain per pixel keeps the hue. LOL-Blur's `high_sharp_scaled` is dimmed by an unpublished
    factor; the roll-off is ours.

    >>> import torch
    >>> dim(torch.tensor([0.5, 1.0]).expand(3, 1, 2), 0.8)[0]
    tensor([[0.4004, 1.0000]])
    """
    brightest = rgb.amax(-3, keepdim=True)
    return rgb * (factor + (1 - factor) * brightest.pow(_ROLL_OFF))

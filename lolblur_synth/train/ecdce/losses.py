"""Losses of EC-Zero-DCE, without a reference image; lightness is (N, 1, H, W), L*/100; each returns one number.

`written` is the lightness measured on the picture after RGB · L_low / L, which is up to 0.02 below L_low; `unlit` is 1
where there is no light and 0 in lights, the complement of `light_weight`.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

from lolblur_synth.ops.darken import mean_of


def exposure_loss(written: Tensor, lightness: Tensor, exposure: Tensor, patch: int = 16) -> Tensor:
    """Mean square distance of patch means from the exposure map, or from the input where that is darker already.

    Zero-DCE's eq. 5 with the constant 0.6 replaced by the map (LEDNet, section 3).
    """
    pooled, asked, given = (F.avg_pool2d(image, patch) for image in (written, exposure, lightness))
    return (pooled - torch.minimum(asked, given)).square().mean()


def picture_exposure_loss(written: Tensor, unlit: Tensor, target: Tensor) -> Tensor:
    """Mean square distance of a picture's mean over what is no light from its `target` (N,), see `metering_target`.

    Not in the paper: patches that are each brought to the exposure lose the difference between sky and ground; a
    picture whose mean is brought there does not.
    """
    return (mean_of(written, unlit) - target).square().mean()


def spatial_loss(written: Tensor, lightness: Tensor, unlit: Tensor, gain: Tensor, cell: int = 4) -> Tensor:
    """Mean over cells of the square change of the difference to each of the four neighbours.

    Zero-DCE's eq. 4, with the input's differences multiplied by `gain` (N,), 1 in the paper: a picture that is ten
    times darker cannot keep them. Pairs count as far as both cells are without light.
    """
    unlit = -F.max_pool2d(-unlit, cell)  # of the pixel that is most a light
    change = F.avg_pool2d(written, cell) - gain.view(-1, 1, 1, 1) * F.avg_pool2d(lightness, cell)
    across = (change.diff(dim=3) * unlit[..., 1:] * unlit[..., :-1]).square().sum()
    down = (change.diff(dim=2) * unlit[..., 1:, :] * unlit[..., :-1, :]).square().sum()
    return 2 * (across + down) / change.numel()


def smoothness_loss(maps: Tensor) -> Tensor:
    """Total variation, squared, of curve maps (N, K, h, w): mean square step along each axis (Zero-DCE, eq. 7)."""
    return maps.diff(dim=3).square().mean() + maps.diff(dim=2).square().mean()


def exposure_gain(lightness: Tensor, unlit: Tensor, target: Tensor, power: float) -> Tensor:
    """The gain (N,) of `spatial_loss`: (target / input mean) ** power; 0 is the paper's 1."""
    return (target / mean_of(lightness, unlit).clamp(min=1e-3)).clamp(max=1) ** power

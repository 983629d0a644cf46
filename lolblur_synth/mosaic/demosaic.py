"""Bayer mosaics and their demosaicing: bilinear, Malvar and others (ICASSP 2004), Menon and others (TIP 2007).

A mosaic is (H, W), linear and white-balanced, of any range; a picture (3, H, W). Borders are mirrored about their
pixels, which keeps the pattern.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

from lolblur_synth.core.devices import convolve
from lolblur_synth.kernels.switch import runs_compiled
from lolblur_synth.mosaic.menon import menon
from lolblur_synth.mosaic.menon_compiled import menon_compiled
from lolblur_synth.mosaic.pattern import Demosaic, Pattern, sites

_SMALLEST = 16  # pixels of a side: Menon's window, mirrored
_CROSS = ((0, 1, 0), (1, 4, 1), (0, 1, 0))
_SQUARE = ((1, 2, 1), (2, 4, 2), (1, 2, 1))
# Malvar's filters, of 16: green at red and blue; a colour at green with that colour left and right; the same above and
# below; a colour at the other one (figure 2 of the paper).
_GREEN = ((0, 0, -2, 0, 0), (0, 0, 4, 0, 0), (-2, 4, 8, 4, -2), (0, 0, 4, 0, 0), (0, 0, -2, 0, 0))
_BESIDE = ((0, 0, 1, 0, 0), (0, -2, 0, -2, 0), (-2, 8, 10, 8, -2), (0, -2, 0, -2, 0), (0, 0, 1, 0, 0))
_ABOVE = tuple(zip(*_BESIDE, strict=True))
_ACROSS = ((0, 0, -3, 0, 0), (0, 4, 0, 4, 0), (-3, 0, 12, 0, -3), (0, 4, 0, 4, 0), (0, 0, -3, 0, 0))


def mosaic(rgb: Tensor, pattern: Pattern) -> Tensor:
    """Bayer mosaic of (3, H, W), as (H, W).

    >>> mosaic(torch.tensor([1.0, 2.0, 3.0]).view(3, 1, 1).expand(3, 2, 2), "GRBG")
    tensor([[2., 1.],
            [3., 2.]])
    """
    raw = rgb.new_empty(rgb.shape[1:])
    for channel, (rows, columns) in sites(pattern):
        raw[rows, columns] = rgb[channel, rows, columns]
    return raw


def demosaic(raw: Tensor, pattern: Pattern, method: Demosaic) -> Tensor:
    """Demosaicing of (H, W), as (3, H, W); `ValueError` below 16 pixels a side.

    >>> demosaic(torch.full((16, 16), 0.25), "RGGB", "menon").unique()
    tensor([0.2500])
    """
    if min(raw.shape) < _SMALLEST:
        raise ValueError(f"a mosaic of at least {_SMALLEST} pixels a side, got {tuple(raw.shape)}")
    if method == "menon":
        at = pattern.index("R")
        return (menon_compiled if runs_compiled(raw) else menon)(raw, at // 2, at % 2)
    return bilinear(raw, pattern) if method == "bilinear" else malvar(raw, pattern)


def bilinear(raw: Tensor, pattern: Pattern) -> Tensor:
    """Bilinear demosaicing: the mean of the nearest samples of each colour."""
    planes = raw.new_zeros((3, *raw.shape))
    for channel, (rows, columns) in sites(pattern):
        planes[channel, rows, columns] = raw[rows, columns]
    kernels = torch.tensor((_SQUARE, _CROSS, _SQUARE)).to(raw)[:, None] / 4
    return convolve(_mirrored(planes[None], 1), kernels, groups=3)[0]


def malvar(raw: Tensor, pattern: Pattern) -> Tensor:
    """Linear demosaicing by filters of 5x5 that correct bilinear ones by the Laplacian of the colour that is there."""
    kernels = torch.tensor((_GREEN, _BESIDE, _ABOVE, _ACROSS)).to(raw)[:, None] / 16
    green, beside, above, across = convolve(_mirrored(raw[None, None], 2), kernels)[0]
    rgb = raw.expand(3, -1, -1).clone()
    for channel, place in sites(pattern):
        if channel == 1:
            red_row = "R" in pattern[:2] if place[0].start == 0 else "R" in pattern[2:]
            rgb[(0, *place)], rgb[(2, *place)] = (beside, above)[not red_row][place], (beside, above)[red_row][place]
        else:
            rgb[(1, *place)], rgb[(2 - channel, *place)] = green[place], across[place]
    return rgb


def _mirrored(planes: Tensor, by: int) -> Tensor:
    return F.pad(planes, (by, by, by, by), mode="reflect")

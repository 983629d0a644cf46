"""Difficulty of a pair: PSNR of its blurred against its sharp picture, seen in the same light, and tiers of it.

Dark pictures differ little whatever moves: one blur at exposures of 0.05 and 0.3 has PSNRs up to 9 dB apart, so that
tiers by them would tell how dark a pair is. Seen in the light of the ground truth, they are at most 2 dB apart.
"""

import math
from typing import Literal, get_args

import torch
from torch import Tensor

Tier = Literal["easy", "medium", "hard"]
TIERS: tuple[Tier, ...] = get_args(Tier)
EASY, HARD = 30.0, 24.0  # dB: from this on, and below this; of iPhoneBlur (May 2026)
BOUNDS = f"tiers by PSNR of low_blur against low_sharp in light: easy from {EASY:g} dB, hard below {HARD:g}"
EQUAL = 100.0  # dB, of equal pictures
_NODES = 257  # of the tone curve
_ROWS = 100  # of pixels that are looked at, for the time it takes; the PSNR differs by a tenth of a dB


def tier_of(psnr: float) -> Tier:
    """The tier of a PSNR in light.

    >>> [tier_of(psnr) for psnr in (30, 29.99, 24, 23.99)]
    ['easy', 'medium', 'medium', 'hard']
    """
    return "easy" if psnr >= EASY else "hard" if psnr < HARD else "medium"


def psnr_in_light(blurred: Tensor, sharp: Tensor, truth: Tensor) -> float:
    """PSNR in dB of a dark picture against a sharp one, both brought to the light of the ground truth; at most 100.

    All (3, H, W), sRGB in [0, 1]. One tone curve takes the values of `sharp` to those of `truth` (histogram
    specification, Gonzalez and Woods, "Digital Image Processing", section 3.3), and is applied to both.

    >>> truth = torch.rand(3, 64, 64, generator=torch.Generator().manual_seed(0))
    >>> blurred = truth.roll(3, 2)
    >>> round(psnr_in_light(blurred, truth, truth), 2), round(psnr_in_light(blurred / 4, truth / 4, truth), 2)
    (7.82, 7.82)
    """
    step = max(1, truth.shape[-2] // _ROWS)
    blurred, sharp, truth = (picture[:, ::step, ::step].contiguous() for picture in (blurred, sharp, truth))
    shares = torch.linspace(0, 1, _NODES, device=truth.device)
    nodes, light = (picture.flatten().quantile(shares) for picture in (sharp, truth))
    error = (_through(blurred, nodes, light) - _through(sharp, nodes, light)).square().mean().item()
    return min(EQUAL, -10 * math.log10(error)) if error else EQUAL


def _through(values: Tensor, nodes: Tensor, light: Tensor) -> Tensor:
    """Piecewise linear interpolation of a curve, which stays level beyond its ends."""
    above = torch.searchsorted(nodes, values).clamp(1, len(nodes) - 1)
    low, high = nodes[above - 1], nodes[above]
    share = ((values - low) / (high - low).clamp(min=1e-9)).clamp(0, 1)
    return torch.lerp(light[above - 1], light[above], share)

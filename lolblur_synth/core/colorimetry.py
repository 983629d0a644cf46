"""sRGB, linear light and CIE lightness (IEC 61966-2-1; CIE 15, white point D65)."""

import torch
from torch import Tensor

OPPONENT = torch.tensor([[1, 1, 1], [1, 0, -1], [1, -2, 1]]) / torch.tensor([[3.0], [2.0], [6.0]]).sqrt()  # orthonormal
LUMINANCE = (0.212671, 0.715160, 0.072169)  # the Y row of linear sRGB -> XYZ, as scikit-image and OpenCV have it
_CUBE = 216 / 24389  # CIE epsilon: below it, lightness is a line
_LINE = 24389 / 27  # CIE kappa: the slope of that line


def _join(line: Tensor, power: Tensor, above: Tensor) -> Tensor:
    """Choose per pixel; `torch.where` does the same and is slower on a CPU."""
    return torch.lerp(line, power, above.to(line.dtype))


def srgb_to_linear(srgb: Tensor) -> Tensor:
    """Decode sRGB to linear light; any shape, [0, 1], and on the same curve above 1 for lights beyond clipping.

    >>> srgb_to_linear(torch.tensor([0.0, 0.5, 1.0]))
    tensor([0.0000, 0.2140, 1.0000])
    """
    power = ((srgb.clamp(min=0.04045) + 0.055) / 1.055).pow(2.4)
    return _join(srgb / 12.92, power, srgb > 0.04045)


def linear_to_srgb(linear: Tensor) -> Tensor:
    """Encode linear light as sRGB; any shape; the inverse of `srgb_to_linear`, above 1 too.

    >>> linear_to_srgb(torch.tensor([0.0, 0.2140, 1.0]))
    tensor([0.0000, 0.5000, 1.0000])
    """
    power = 1.055 * linear.clamp(min=0.0031308).pow(1 / 2.4) - 0.055
    return _join(linear * 12.92, power, linear > 0.0031308)


def luminance(linear: Tensor) -> Tensor:
    """CIE Y of linear RGB (..., 3, H, W), as (..., 1, H, W).

    >>> luminance(torch.tensor([0.0, 1.0, 0.0]).view(3, 1, 1)).item()  # green
    0.7151600122451782
    """
    r, g, b = linear.unbind(-3)
    return (LUMINANCE[0] * r + LUMINANCE[1] * g + LUMINANCE[2] * b).unsqueeze(-3)


def luminance_to_lightness(y: Tensor) -> Tensor:
    """CIE L*/100 of luminance relative to white; [0, 1] to [0, 1].

    >>> luminance_to_lightness(torch.tensor([0.0, 0.18, 1.0]))  # black, middle grey, white
    tensor([0.0000, 0.4950, 1.0000])
    """
    return _join(y * (_LINE / 100), 1.16 * y.clamp(min=_CUBE).pow(1 / 3) - 0.16, y > _CUBE)


def lightness_to_luminance(lightness: float) -> float:
    """The luminance relative to white at which CIE L*/100 reaches `lightness`.

    >>> round(lightness_to_luminance(0.98), 3)
    0.949
    """
    return ((lightness + 0.16) / 1.16) ** 3 if lightness > 0.08 else lightness * 100 / _LINE


def lightness(srgb: Tensor) -> Tensor:
    """CIE L*/100 of sRGB (..., 3, H, W), as (..., 1, H, W) in [0, 1].

    >>> lightness(torch.full((3, 1, 1), 0.5)).shape
    torch.Size([1, 1, 1])
    """
    return luminance_to_lightness(luminance(srgb_to_linear(srgb)))

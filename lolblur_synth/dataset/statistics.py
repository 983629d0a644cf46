"""Image statistics that tell a night picture: brightness, lightness, saturation, noise."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Literal, NamedTuple

import numpy as np
import torch
from torch import Tensor

from lolblur_synth.core.colorimetry import lightness

Statistic = Literal["mean", "lightness", "p99_grey", "saturated", "noise_sigma"]


class Band(NamedTuple):
    """The smallest and the largest value of a statistic."""

    low: float
    high: float


@dataclass(frozen=True)
class Meaning:
    """How a statistic is called and written, and its band on photographs of real nights."""

    label: str
    digits: int  # after the point
    night: Band

    def written(self, value: float) -> str:
        """A value with its digits."""
        return f"{value:.{self.digits}f}"

    def side(self, value: float) -> Literal["low", "high"] | None:
        """On which side a value leaves the band, at the digits that this is known to; None where it is within."""
        rounded = round(value, self.digits)
        low, high = self.night
        return None if low <= rounded <= high else "low" if rounded < low else "high"

    @property
    def band(self) -> str:
        """The band of real nights in words."""
        return f"{self.written(self.night.low)} to {self.written(self.night.high)}"


NIGHTS = "the ten photographs of real nights that LEDNet's authors published (8-bit, as released)"
MEANINGS: dict[Statistic, Meaning] = {  # bands by `measure`, over NIGHTS
    "mean": Meaning("mean (of 255)", 1, Band(13.1, 29.1)),
    "lightness": Meaning("mean L*", 1, Band(3.8, 12.3)),
    "p99_grey": Meaning("p99 grey", 0, Band(50, 161)),
    "saturated": Meaning("saturated, %", 2, Band(0, 0.46)),
    "noise_sigma": Meaning("noise sigma (of 255)", 2, Band(0.40, 0.61)),
}
Statistics = Mapping[Statistic, float]


def outside(values: Statistics) -> dict[Statistic, Literal["low", "high"]]:
    """The statistics that leave the bands of real nights, at the digits that these are known to, and on which side.

    >>> outside({"mean": 13.06, "lightness": 20.0, "p99_grey": 80.0, "saturated": 0.1, "noise_sigma": 0.2})
    {'lightness': 'high', 'noise_sigma': 'low'}
    """
    sides = {name: meaning.side(values[name]) for name, meaning in MEANINGS.items()}
    return {name: side for name, side in sides.items() if side}


def mean_statistics(pictures: Sequence[Statistics]) -> dict[Statistic, float]:
    """The mean of each statistic over pictures, of which there is at least one."""
    return {name: fmean(picture[name] for picture in pictures) for name in MEANINGS}


def measure(image: Tensor) -> dict[Statistic, float]:
    """Statistics of an sRGB image (3, H, W) in [0, 1] that tell a night picture.

    `mean` and `p99_grey` on the scale of 255, `lightness` as mean CIE L*, `saturated` as per cent of pixels whose
    largest channel is 250 or more, `noise_sigma` of the green channel on the scale of 255 by Immerkaer (CVIU 1996).

    >>> {name: round(value, 2) for name, value in measure(torch.full((3, 8, 8), 0.2)).items()}
    {'mean': 51.0, 'lightness': 21.25, 'p99_grey': 51.0, 'saturated': 0.0, 'noise_sigma': 0.0}
    """
    grey = (image * image.new_tensor([0.299, 0.587, 0.114])[:, None, None]).sum(0)
    return {
        "mean": 255 * image.mean().item(),
        "lightness": 100 * lightness(image).mean().item(),
        "p99_grey": 255 * torch.quantile(grey.flatten()[:: 1 + grey.numel() // 2**20], 0.99).item(),
        "saturated": 100 * (image.amax(0) >= 250 / 255).float().mean().item(),
        "noise_sigma": 255 * _immerkaer(image[1]),
    }


def _immerkaer(channel: Tensor) -> float:
    kernel = channel.new_tensor([[1, -2, 1], [-2, 4, -2], [1, -2, 1]])
    response = torch.nn.functional.conv2d(channel[None, None], kernel[None, None])
    return float(response.abs().mean().item() * (np.pi / 2) ** 0.5 / 6)

"""The noise model of footage: Poisson-Gaussian variance a x + b per channel, and a spectrum of what is coloured."""

from dataclasses import dataclass
from typing import Literal

from torch import Tensor

from lolblur_synth.core.colorimetry import linear_to_srgb, srgb_to_linear
from lolblur_synth.ops.denoise.anscombe import stabilize, unstabilize

Space = Literal["srgb", "linear"]
Channels = tuple[float, float, float]
FLAT: tuple[tuple[float, ...], ...] = ((1.0,) * 64,) * 3  # the spectrum of white noise


@dataclass(frozen=True)
class NoiseModel:
    """Noise of variance a x + b at value x of [0, 1], per RGB channel, in `space`: encoded values, or linear light.

    `spectrum` (3, 64) holds the variances of the coefficients of the orthonormal 8x8 DCT (8 * vertical + horizontal
    frequency) of the orthonormal opponent channels of stabilised frames, as `to_stable` makes them: all 1 for white
    noise. `sigma` sums it up: the root-mean-square standard deviation over the footage, of sRGB on the scale of 255.
    """

    space: Space
    a: Channels
    b: Channels
    spectrum: tuple[tuple[float, ...], ...]
    sigma: float

    @property
    def white(self) -> bool:
        """Whether all frequencies are alike."""
        return len({value for row in self.spectrum for value in row}) == 1


def white_noise(sigma: float) -> NoiseModel:
    """White noise of one standard deviation, on the scale of 255, in all of sRGB.

    >>> noise = white_noise(5.0)
    >>> noise.white, noise.a, noise.sigma
    (True, (0.0, 0.0, 0.0), 5.0)
    """
    variance = (sigma / 255) ** 2
    return NoiseModel("srgb", (0.0, 0.0, 0.0), (variance, variance, variance), FLAT, sigma)


def to_stable(frame: Tensor, model: NoiseModel) -> Tensor:
    """Give a frame (3, H, W), sRGB in [0, 1], noise of variance 1; as large as needed, 0 for black."""
    a, b = (frame.new_tensor(values)[:, None, None] for values in (model.a, model.b))
    return stabilize(srgb_to_linear(frame) if model.space == "linear" else frame, a, b)


def from_stable(stable: Tensor, model: NoiseModel) -> Tensor:
    """The sRGB frame (3, H, W), at least 0, whose noisy versions have the means `stable` after `to_stable`."""
    a, b = (stable.new_tensor(values)[:, None, None] for values in (model.a, model.b))
    frame = unstabilize(stable, a, b).clamp(min=0)
    return linear_to_srgb(frame) if model.space == "linear" else frame

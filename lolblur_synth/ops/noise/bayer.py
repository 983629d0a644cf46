"""Sensor noise on the Bayer mosaic of a camera, and the development of its raw values.

    exposed sRGB -> linear -> inverse colour matrix -> inverse white balance -> mosaic       (`to_raw`)
    -> Poisson counts -> read noise -> row noise -> converter, which saturates and rounds    (`capture`)
    -> white balance -> demosaicing -> colour matrix -> clip -> sRGB                         (`develop`)

Raw light is 1 where the converter saturates. Nothing is clipped before the noise: light above 1 has noise too, and is
white after it. The order of Brooks et al. (CVPR 2019) and RSBlur (ECCV 2022), who clip first. A full well clips counts
beyond the converter's white, which are white anyway. Another curve than sRGB's replaces it at last (`ops/response.py`).
"""

import torch
from torch import Tensor

from lolblur_synth.core.colorimetry import linear_to_srgb, srgb_to_linear
from lolblur_synth.mosaic.color import Matrix
from lolblur_synth.mosaic.demosaic import demosaic, mosaic
from lolblur_synth.mosaic.pattern import sites
from lolblur_synth.ops.noise.camera import Sensor
from lolblur_synth.ops.noise.levels import tukey_lambda_variance
from lolblur_synth.ops.noise.poisson import poisson

_NO_SHOT = 1e-9  # below it, Poisson counts would lose their digits in float32; a well has a million electrons at most


def add_bayer_noise(exposed: Tensor, generator: torch.Generator, shot: float, read: float, sensor: Sensor) -> Tensor:
    """Add a sensor's noise to exposed sRGB (3, H, W), not clipped above 1; the result is in [0, 1].

    At raw light x, variance = shot x + read, beside that of a row. `generator` is on the CPU, as are all fields that it
    draws: another device differs by rounding alone, which may move a count of electrons by one.
    """
    return develop(capture(to_raw(exposed, sensor), generator, shot, read, sensor), sensor)


def to_raw(exposed: Tensor, sensor: Sensor) -> Tensor:
    """Raw light (H, W) of exposed sRGB (3, H, W) without noise; 1 saturates, more is left as it is."""
    camera = _apply(sensor.color, srgb_to_linear(exposed.clamp(min=0))).clamp(min=0)
    raw = mosaic(camera, sensor.pattern)
    for place, gain in _gains(sensor):
        raw[place] /= gain
    return raw


def capture(raw: Tensor, generator: torch.Generator, shot: float, read: float, sensor: Sensor) -> Tensor:
    """Noise and converter: raw values (H, W), black 0 and white 1, of raw light."""
    fields = torch.randn((2, *raw.shape), generator=generator)
    rows = torch.randn((raw.shape[0], 1), generator=generator).to(raw.device)
    counted, electronic = fields.to(raw.device)
    noisy = raw
    if shot > _NO_SHOT:
        noisy = poisson(raw / shot, counted) * shot
    if read > 0:
        noisy = noisy + read**0.5 * read_field(electronic, sensor.tukey_lambda)
    if sensor.row > 0:
        noisy = noisy + sensor.row**0.5 * rows
    if sensor.converter is None:
        return noisy.clamp(max=1)
    black, span = sensor.converter.black, sensor.converter.span
    levels: Tensor = (noisy * span).round().clamp(-black, span)
    return levels / span


def read_field(normal: Tensor, tukey_lambda: float | None) -> Tensor:
    """Tukey-lambda noise of mean 0 and variance 1, by quantiles of a standard normal field; None is the field itself.

    Long tails for shapes below 0.14, where it is nearly normal (Joiner and Rosenblatt, JASA 1971; ELD, CVPR 2020).

    >>> read_field(torch.tensor([-1.0, 0.0, 1.0]), 1.0)  # uniform
    tensor([-1.1825,  0.0000,  1.1825])
    """
    if tukey_lambda is None:
        return normal
    below: Tensor = torch.special.ndtr(normal)
    above: Tensor = torch.special.ndtr(-normal)
    logistic = abs(tukey_lambda) < 1e-3
    quantile = below.log() - above.log() if logistic else (below**tukey_lambda - above**tukey_lambda) / tukey_lambda
    unit: Tensor = quantile / tukey_lambda_variance(tukey_lambda) ** 0.5
    return unit


def develop(raw: Tensor, sensor: Sensor) -> Tensor:
    """Development of raw values (H, W) to sRGB (3, H, W) in [0, 1].

    What white balance lifts above white is clipped before demosaicing, or saturated light would turn magenta.
    """
    balanced = raw.clone()
    for place, gain in _gains(sensor):
        balanced[place] *= gain
    camera = demosaic(balanced.clamp(max=1), sensor.pattern, sensor.demosaic)
    inverse = torch.tensor(sensor.color, dtype=torch.float64).inverse()
    return linear_to_srgb(_apply(inverse, camera).clamp(0, 1)).clamp(0, 1)


def _gains(sensor: Sensor) -> list[tuple[tuple[slice, slice], float]]:
    gains = sensor.red_gain, 1.0, sensor.blue_gain
    return [(place, gains[channel]) for channel, place in sites(sensor.pattern) if channel != 1]


def _apply(matrix: Matrix | Tensor, rgb: Tensor) -> Tensor:
    return torch.einsum("ij,jhw->ihw", torch.as_tensor(matrix).to(rgb), rgb)

"""Every random value of a sequence: drawn once here, recorded, then applied by the operators."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch

from lolblur_synth.config.cameras import camera_of
from lolblur_synth.config.run import Config, Noise
from lolblur_synth.core.rng import rng_for, torch_rng_for
from lolblur_synth.mosaic.pattern import PATTERNS
from lolblur_synth.ops.isp import Jpeg
from lolblur_synth.ops.noise.camera import Model, Sensor, draw_color, draw_level
from lolblur_synth.ops.noise.levels import LogLinearLevel, NoiseLevel
from lolblur_synth.video.metadata import SUBSAMPLINGS

SPLIT = "split"  # purposes: part of the key, so that no draw depends on how many others were made before it
_NOISE_FIELD = "noise field"


class Defocus(NamedTuple):
    """A generalized Gaussian, the blur of a lens; a list of four in a record."""

    sigma_along: float  # pixels
    sigma_across: float
    angle: float  # radians
    shape: float  # 2 is a Gaussian, 1 has long tails


@dataclass(frozen=True)
class Draws:
    """What one sequence drew; it is in the record."""

    exposure: float  # lightness that unsaturated regions are darkened to, [0, 1]
    dim: float  # brightness factor of the ground truth, [0, 1]
    shutter_ms: float
    streak: float  # sRGB value added to clipped lights, 1 is white
    defocus: Defocus | None  # None: in focus
    shot: float  # noise variance per unit of linear light; of `bayer`, of raw light
    read: float  # noise variance in the dark
    noise: Model = "linear"
    sensor: Sensor | None = None  # of `bayer`
    rolling_ms: float = 0.0  # readout time of a rolling shutter, from the first row to the last
    sharpening: float = 0.0  # amount of unsharp masking
    jpeg: Jpeg | None = None  # None: not compressed
    blur: float | None = None  # wanted mean path, pixels; None: the shutter was drawn


def draw(config: Config, sequence: str) -> Draws:
    """Draw a sequence's values, each from the generator of its own purpose."""

    def uniform(purpose: str, bounds: tuple[float, float]) -> float:
        return float(rng_for(config.seed, sequence, purpose).uniform(*bounds))

    shutters = config.sequences.shutter_ms
    level = draw_noise(config.noise, rng_for(config.seed, sequence, "noise level"))
    return Draws(
        exposure=uniform("exposure", config.darken.exposure),
        dim=uniform("dim", config.darken.dim),
        shutter_ms=shutters[int(rng_for(config.seed, sequence, "shutter").integers(len(shutters)))],
        streak=uniform("streak", config.unclip.strength) / 255,
        defocus=draw_defocus(config, rng_for(config.seed, sequence, "defocus")),
        shot=level.shot,
        read=level.read,
        noise=config.noise.model,
        sensor=draw_sensor(config, sequence, level.row),
        rolling_ms=uniform("rolling shutter", config.camera.rolling_ms),
        sharpening=uniform("sharpening", config.isp.sharpen),
        jpeg=draw_jpeg(config, sequence),
        blur=uniform("blur", config.sequences.blur) if config.sequences.blur else None,
    )


def draw_defocus(config: Config, rng: np.random.Generator) -> Defocus | None:
    """Draw a generalized Gaussian's two sigmas in pixels, angle in radians and shape, or None for a sharp lens."""
    drawn = rng.uniform(size=5)
    if drawn[0] >= config.defocus.probability:
        return None
    (low, high), (flat, steep) = config.defocus.sigma, config.defocus.shape
    sigmas = low + (high - low) * drawn[1:3]
    return Defocus(float(sigmas[0]), float(sigmas[1]), float(np.pi * drawn[3]), float(flat + (steep - flat) * drawn[4]))


def draw_noise(noise: Noise, rng: np.random.Generator) -> NoiseLevel:
    """Draw shot, read and row noise, as the settings or their camera say."""
    if noise.model == "none":
        return NoiseLevel(0.0, 0.0)
    if noise.model == "bayer":
        return draw_level(camera_of(noise.camera)[1], rng)
    return LogLinearLevel(noise.shot, noise.read_slope, noise.read_offset, noise.read_spread).draw(rng)


def draw_sensor(config: Config, sequence: str, row: float) -> Sensor | None:
    """Draw the colours and the pattern of a camera, with this row noise; None where the noise has no sensor."""
    noise = config.noise
    if noise.model != "bayer":
        return None
    name, camera = camera_of(noise.camera)
    color, gains = draw_color(camera, rng_for(config.seed, sequence, "colour matrix"))
    balance = rng_for(config.seed, sequence, "white balance")
    pattern = PATTERNS[int(rng_for(config.seed, sequence, "mosaic").integers(len(PATTERNS)))]
    return Sensor(
        camera=name,
        pattern=(camera.pattern or pattern) if noise.pattern == "any" else noise.pattern,
        color=color,
        red_gain=float(balance.uniform(*noise.red_gain or gains.red)),
        blue_gain=float(balance.uniform(*noise.blue_gain or gains.blue)),
        row=row,
        tukey_lambda=camera.tukey_lambda,
        converter=camera.converter,
        demosaic=noise.demosaic,
    )


def draw_jpeg(config: Config, sequence: str) -> Jpeg | None:
    """Draw quality and chroma subsampling of JPEG; None where it is off."""
    if config.isp.jpeg_quality is None:
        return None
    quality = rng_for(config.seed, sequence, "JPEG quality").integers(*config.isp.jpeg_quality, endpoint=True)
    wanted = config.isp.jpeg_subsampling
    drawn = SUBSAMPLINGS[int(rng_for(config.seed, sequence, "chroma subsampling").integers(len(SUBSAMPLINGS)))]
    return Jpeg(int(quality), drawn if wanted == "any" else wanted)


def noise_generator(seed: int, sequence: str, slot: int) -> torch.Generator:
    """Generator of the noise of one picture, on the CPU, so that a GPU adds the same."""
    return torch_rng_for(seed, sequence, _NOISE_FIELD, slot)

"""Every random value of a sequence: drawn once here, recorded, then applied by the operators."""

from dataclasses import dataclass
from math import exp, log
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from lolblur_synth.config.run import Config, Noise
from lolblur_synth.core.rng import rng_for, torch_rng_for

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
    shot: float  # noise variance per unit of linear light
    read: float  # noise variance in the dark


def draw(config: Config, sequence: str) -> Draws:
    """Draw a sequence's values, each from the generator of its own purpose."""

    def uniform(purpose: str, bounds: tuple[float, float]) -> float:
        return float(rng_for(config.seed, sequence, purpose).uniform(*bounds))

    shutters = config.sequences.shutter_ms
    shot, read = draw_noise(config.noise, rng_for(config.seed, sequence, "noise level"))
    return Draws(
        exposure=uniform("exposure", config.darken.exposure),
        dim=uniform("dim", config.darken.dim),
        shutter_ms=shutters[int(rng_for(config.seed, sequence, "shutter").integers(len(shutters)))],
        streak=uniform("streak", config.unclip.strength) / 255,
        defocus=draw_defocus(config, rng_for(config.seed, sequence, "defocus")),
        shot=shot,
        read=read,
    )


def draw_defocus(config: Config, rng: np.random.Generator) -> Defocus | None:
    """Draw a generalized Gaussian's two sigmas in pixels, angle in radians and shape, or None for a sharp lens."""
    drawn = rng.uniform(size=5)
    if drawn[0] >= config.defocus.probability:
        return None
    (low, high), (flat, steep) = config.defocus.sigma, config.defocus.shape
    sigmas = low + (high - low) * drawn[1:3]
    return Defocus(float(sigmas[0]), float(sigmas[1]), float(np.pi * drawn[3]), float(flat + (steep - flat) * drawn[4]))


def draw_noise(noise: Noise, rng: np.random.Generator) -> tuple[float, float]:
    """Draw shot and read noise: log-uniform, then log-log-linear with a spread (Brooks et al., CVPR 2019, eq. 4)."""
    low, high = noise.shot
    if high == 0:
        return 0.0, 0.0
    log_shot = rng.uniform(log(low), log(high))
    return exp(log_shot), exp(
        noise.read_slope * log_shot + noise.read_offset + noise.read_spread * rng.standard_normal()
    )


def draw_noise_field(seed: int, sequence: str, slot: int, shape: torch.Size) -> Tensor:
    """Standard normal noise of a picture, (3, H, W), on the CPU, so that a GPU adds the same."""
    return torch.randn(shape, generator=torch_rng_for(seed, sequence, _NOISE_FIELD, slot))

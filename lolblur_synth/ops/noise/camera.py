"""Cameras as noise needs them: noise levels, colour matrices, white balance and converter; and what is drawn of one."""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from lolblur_synth.mosaic.color import Matrix, normalized
from lolblur_synth.mosaic.pattern import Demosaic, Pattern
from lolblur_synth.ops.noise.levels import CountedLevel, Interval, LogLinearLevel, NoiseLevel, ScaledLevel

Model = Literal["linear", "bayer", "none"]


@dataclass(frozen=True)
class Gains:
    """Ranges of white-balance gains; green has 1."""

    red: Interval
    blue: Interval


@dataclass(frozen=True)
class Converter:
    """Analogue-digital converter: its bits, the level of no light, and where it saturates, if before its last code."""

    bits: Literal[10, 12, 14, 16]
    black: int
    white: int | None = None

    @property
    def span(self) -> int:
        """Levels from black to white."""
        return ((1 << self.bits) - 1 if self.white is None else self.white) - self.black


@dataclass(frozen=True)
class Camera:
    """A camera, or several whose noise was published as one."""

    level: ScaledLevel | LogLinearLevel | CountedLevel
    matrices: tuple[Matrix, ...]  # XYZ (D65) -> camera RGB, of any scale; a sequence draws one
    gains: Gains | None  # None: those that turn D65 white in the matrix
    converter: Converter | None  # None: not published, so nothing is rounded
    tukey_lambda: float | None  # None: read noise is normal
    pattern: Pattern | None = None  # None: not published, or several cameras


@dataclass(frozen=True)
class Sensor:
    """What a sequence drew of a camera, beside its noise level; it is in the record."""

    camera: str
    pattern: Pattern
    color: Matrix  # linear sRGB -> white-balanced camera RGB; rows sum to 1
    red_gain: float
    blue_gain: float
    row: float  # variance of row noise, of white squared
    tukey_lambda: float | None
    converter: Converter | None
    demosaic: Demosaic


def draw_level(camera: Camera, rng: np.random.Generator) -> NoiseLevel:
    """Draw a camera's noise level; `ValueError` for a level in digital numbers of a camera without a converter."""
    if not isinstance(camera.level, CountedLevel):
        return camera.level.draw(rng)
    if camera.converter is None:
        raise ValueError("a noise level in digital numbers needs a converter")
    return camera.level.draw(rng, camera.converter.span, camera.tukey_lambda)


def draw_color(camera: Camera, rng: np.random.Generator) -> tuple[Matrix, Gains]:
    """Draw a colour matrix of a camera, from linear sRGB to white-balanced camera RGB; with it, the ranges of gains."""
    color, (red, blue) = normalized(camera.matrices[int(rng.integers(len(camera.matrices)))])
    return color, camera.gains or Gains((red, red), (blue, blue))

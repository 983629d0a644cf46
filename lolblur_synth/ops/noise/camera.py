"""Cameras as noise needs them: noise levels, colour matrices, white balance and converter; and what is drawn of one."""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from lolblur_synth.ops.noise.levels import CountedLevel, Interval, LogLinearLevel, NoiseLevel, ScaledLevel

Model = Literal["linear", "bayer", "none"]
Pattern = Literal["RGGB", "BGGR", "GRBG", "GBRG"]  # colours of a mosaic, read in rows
Demosaic = Literal["bilinear", "malvar", "menon"]
PATTERNS: tuple[Pattern, ...] = ("RGGB", "BGGR", "GRBG", "GBRG")
Row = tuple[float, float, float]
Matrix = tuple[Row, Row, Row]
_SRGB_TO_XYZ = (  # IEC 61966-2-1, white point D65
    (0.4124564, 0.3575761, 0.1804375),
    (0.2126729, 0.7151522, 0.0721750),
    (0.0193339, 0.1191920, 0.9503041),
)


@dataclass(frozen=True)
class Gains:
    """Ranges of white-balance gains; green has 1."""

    red: Interval
    blue: Interval


@dataclass(frozen=True)
class Converter:
    """Analogue-digital converter: its bits, and the level of no light."""

    bits: Literal[10, 12, 14]
    black: int

    @property
    def span(self) -> int:
        """Levels from black to white."""
        return (1 << self.bits) - 1 - self.black


@dataclass(frozen=True)
class Camera:
    """A camera, or several whose noise was published as one."""

    level: ScaledLevel | LogLinearLevel | CountedLevel
    matrices: tuple[Matrix, ...]  # XYZ (D65) -> camera RGB, of any scale; a sequence draws one
    gains: Gains | None  # None: those that turn D65 white in the matrix
    converter: Converter | None  # None: not published, so nothing is rounded
    tukey_lambda: float | None  # None: read noise is normal


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


def normalized(xyz_to_camera: Matrix) -> tuple[Matrix, tuple[float, float]]:
    """Colour matrix from linear sRGB with rows that sum to 1, and the gains (red, blue) that this takes out.

    As dcraw and LibRaw derive `rgb_cam` and the multipliers of daylight from Adobe's ColorMatrix: D65 becomes white.

    >>> a7r3 = ((0.664, -0.1847, -0.0503), (-0.5238, 1.301, 0.2474), (-0.0993, 0.1673, 0.6527))
    >>> [round(gain, 2) for gain in normalized(a7r3)[1]]
    [2.74, 1.37]
    """
    products = [[_dot(row, column) for column in zip(*_SRGB_TO_XYZ, strict=True)] for row in xyz_to_camera]
    whites = [sum(row) for row in products]
    red, green, blue = ((r / white, g / white, b / white) for (r, g, b), white in zip(products, whites, strict=True))
    return (red, green, blue), (whites[1] / whites[0], whites[1] / whites[2])


def _dot(row: Row, column: Row) -> float:
    return sum(a * b for a, b in zip(row, column, strict=True))  # no BLAS: it is recorded, and the same everywhere

"""Bayer patterns: which colour a sensor has where; read in rows, so that RGGB has red at (0, 0) and blue at (1, 1)."""

from collections.abc import Iterator
from typing import Literal

Pattern = Literal["RGGB", "BGGR", "GRBG", "GBRG"]
PATTERNS: tuple[Pattern, ...] = ("RGGB", "BGGR", "GRBG", "GBRG")
Demosaic = Literal["bilinear", "malvar", "menon"]  # the sharpest last
Sites = tuple[slice, slice]


def sites(pattern: Pattern) -> Iterator[tuple[int, Sites]]:
    """The four sites of a pattern: the channel (0 is red), and the slices of a picture that have it.

    >>> [channel for channel, _ in sites("GRBG")]
    [1, 0, 2, 1]
    """
    for at, letter in enumerate(pattern):
        yield "RGB".index(letter), (slice(at // 2, None, 2), slice(at % 2, None, 2))

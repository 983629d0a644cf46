"""Bayer patterns: which colour a sensor has where; read in rows, so that RGGB has red at (0, 0) and blue at (1, 1)."""

from collections.abc import Iterator
from typing import Literal

from torch import Tensor

Pattern = Literal["RGGB", "BGGR", "GRBG", "GBRG"]
PATTERNS: tuple[Pattern, ...] = ("RGGB", "BGGR", "GRBG", "GBRG")
Sites = tuple[slice, slice]


def sites(pattern: Pattern) -> Iterator[tuple[int, Sites]]:
    """The four sites of a pattern: the channel (0 is red), and the slices of a picture that have it.

    >>> [channel for channel, _ in sites("GRBG")]
    [1, 0, 2, 1]
    """
    for at, letter in enumerate(pattern):
        yield "RGB".index(letter), (slice(at // 2, None, 2), slice(at % 2, None, 2))


def mosaic(rgb: Tensor, pattern: Pattern) -> Tensor:
    """Bayer mosaic of (3, H, W), as (H, W).

    >>> import torch
    >>> mosaic(torch.tensor([1.0, 2.0, 3.0]).view(3, 1, 1).expand(3, 2, 2), "GRBG")
    tensor([[2., 1.],
            [3., 2.]])
    """
    raw = rgb.new_empty(rgb.shape[1:])
    for channel, (rows, columns) in sites(pattern):
        raw[rows, columns] = rgb[channel, rows, columns]
    return raw

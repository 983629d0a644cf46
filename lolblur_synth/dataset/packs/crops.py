"""Sub-images: crops that cover a picture, by rows, the last of each axis at its end; and the picture of them again."""

from collections.abc import Iterator, Mapping
from typing import NamedTuple

import numpy as np

from lolblur_synth.video.images import Pixels


class Crop(NamedTuple):
    """Where a sub-image lies, and its number from 1 on."""

    number: int
    top: int
    left: int
    side: int

    def of(self, pixels: Pixels) -> Pixels:
        """The sub-image of a picture."""
        return pixels[self.top : self.top + self.side, self.left : self.left + self.side]


def crops(height: int, width: int, side: int, step: int | None) -> Iterator[Crop]:
    """Crops of `side` pixels, every `step`, or by default half of that.

    >>> [(crop.top, crop.left) for crop in crops(5, 7, 4, 2)]
    [(0, 0), (0, 2), (0, 3), (1, 0), (1, 2), (1, 3)]
    """
    number = 0
    for top in _starts(height, side, step or max(1, side // 2)):
        for left in _starts(width, side, step or max(1, side // 2)):
            number += 1
            yield Crop(number, top, left, side)


def _starts(length: int, side: int, step: int) -> list[int]:
    starts = [*range(0, length - side + 1, step)]
    return starts if starts[-1] + side == length else [*starts, length - side]


def joined(shape: tuple[int, int, int], parts: Mapping[Crop, Pixels]) -> Pixels | None:
    """The picture that sub-images are of; None where they do not agree on a pixel that several have."""
    whole = np.zeros(shape, next(iter(parts.values())).dtype)
    for crop, part in parts.items():
        crop.of(whole)[:] = part
    return whole if all(np.array_equal(crop.of(whole), part) for crop, part in parts.items()) else None

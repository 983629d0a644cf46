"""A small dataset in the LOL-Blur layout; each pixel says its row, its column, and of which picture it is."""

from pathlib import Path

import numpy as np

from lolblur_synth.dataset.layout import Split, image_path
from lolblur_synth.video.images import Pixels, write_png

FOLDERS = ("low_blur_noise", "high_sharp_scaled")
SIZE = (40, 56)


def mark(number: int, which: int, size: tuple[int, int] = SIZE, dtype: str = "uint8") -> Pixels:
    """Input (0) or truth (1) of a pair: row, column and 2 number + which, times 129 where there are 16 bits."""
    rows, columns = np.indices(size)
    marked = np.stack([rows, columns, np.full(size, 2 * number + which)], 2)
    return (marked * (129 if dtype == "uint16" else 1)).astype(dtype)


def write_pairs(root: Path, count: int = 6, size: tuple[int, int] = SIZE, dtype: str = "uint8") -> Path:
    """Write `count` pairs, three to a video, and return `root`."""
    for number in range(count):
        for which in (0, 1):
            write_png(picture(root, number, which), mark(number, which, size, dtype))
    return root


def picture(root: Path, number: int, which: int, split: Split = "train") -> Path:
    """Where a picture lies; its folder is made."""
    path = root / image_path(split, FOLDERS[which], number // 3, number % 3)
    path.parent.mkdir(parents=True, exist_ok=True)
    return path

"""Thumbnail: a picture made smaller, to be looked at."""

import cv2
import numpy as np
from numpy.typing import NDArray

from lolblur_synth.video.images import Pixels


def thumbnail(pixels: Pixels, width: int) -> NDArray[np.uint8]:
    """A picture (H, W, 3) of 8 or 16 bits at so many pixels across, by area averaging, as 8-bit RGB.

    >>> thumbnail(np.full((30, 40, 3), 257 * 7, np.uint16), 20)[0, 0].tolist()
    [7, 7, 7]
    """
    height = max(1, round(pixels.shape[0] * width / pixels.shape[1]))
    eight_bit = pixels if pixels.dtype == np.uint8 else (pixels.astype(np.float32) / 257).round().astype(np.uint8)
    if eight_bit.shape[:2] == (height, width):
        return np.asarray(eight_bit, np.uint8)
    return np.asarray(cv2.resize(eight_bit, (width, height), interpolation=cv2.INTER_AREA), np.uint8)

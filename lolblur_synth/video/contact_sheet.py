"""Contact sheet: pictures side by side, to be looked at."""

import numpy as np
from numpy.typing import NDArray

from lolblur_synth.video.images import Pixels


def contact_sheet(rows: list[list[Pixels]], width: int = 480, gap: int = 6) -> NDArray[np.uint8]:
    """Pictures of one size in rows and columns on a grey ground, each `width` pixels wide, as 8-bit RGB."""
    import cv2

    height = round(rows[0][0].shape[0] * width / rows[0][0].shape[1])
    sheet = np.full((gap + len(rows) * (height + gap), gap + len(rows[0]) * (width + gap), 3), 48, np.uint8)
    for row, pictures in enumerate(rows):
        for column, pixels in enumerate(pictures):
            eight_bit = (
                pixels if pixels.dtype == np.uint8 else (pixels.astype(np.float32) / 257).round().astype(np.uint8)
            )
            top, left = gap + row * (height + gap), gap + column * (width + gap)
            resized = cv2.resize(eight_bit, (width, height), interpolation=cv2.INTER_AREA)
            sheet[top : top + height, left : left + width] = resized
    return sheet

"""Contact sheet: pictures side by side, to be looked at."""

import numpy as np
from numpy.typing import NDArray

from lolblur_synth.video.images import Pixels
from lolblur_synth.video.thumbnail import thumbnail


def contact_sheet(rows: list[list[Pixels]], width: int = 480, gap: int = 6) -> NDArray[np.uint8]:
    """Pictures of one size in rows and columns on a grey ground, each `width` pixels wide, as 8-bit RGB."""
    height = round(rows[0][0].shape[0] * width / rows[0][0].shape[1])
    sheet = np.full((gap + len(rows) * (height + gap), gap + len(rows[0]) * (width + gap), 3), 48, np.uint8)
    for row, pictures in enumerate(rows):
        for column, pixels in enumerate(pictures):
            top, left = gap + row * (height + gap), gap + column * (width + gap)
            sheet[top : top + height, left : left + width] = thumbnail(pixels, width)
    return sheet

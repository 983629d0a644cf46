"""Development of RAW frames to scene-linear light: black level, white balance, demosaicing, colour matrix.

In the order and with the demosaicing of sensor noise (`ops/noise/bayer.py`), so that saturated light is white.
"""

import numpy as np
import torch
from numpy.typing import NDArray

from lolblur_synth.mosaic.color import Matrix, normalized
from lolblur_synth.mosaic.demosaic import demosaic
from lolblur_synth.mosaic.pattern import sites
from lolblur_synth.video.headers import UnreadableError
from lolblur_synth.video.metadata import RawDevelopment
from lolblur_synth.video.raw import Raw

_SMALLEST = 16  # pixels of a side


def development_of(raw: Raw) -> RawDevelopment:
    """How all frames of a folder are developed, by the first of them; raises `UnreadableError` without colours."""
    if raw.matrix is None:
        raise UnreadableError("it has no colour matrix, nor has LibRaw one of its camera; write DNG with ColorMatrix1")
    try:
        color, daylight = normalized(raw.matrix)
        inverse = np.linalg.inv(np.array(color))
    except (ZeroDivisionError, np.linalg.LinAlgError):
        raise UnreadableError("its colour matrix cannot be inverted") from None
    red, blue = raw.balance or daylight
    least = min(red, 1.0, blue)
    if not 0 < least <= max(red, blue) < 100:
        raise UnreadableError(f"its white balance has gains of {red:.3g} and {blue:.3g}")
    (a, b, c), (d, e, f), (g, h, i) = inverse.tolist()
    matrix: Matrix = (a, b, c), (d, e, f), (g, h, i)
    return RawDevelopment(
        pattern=raw.pattern,
        black=raw.black,
        white=raw.white,
        gains=(red / least, 1 / least, blue / least),
        gains_source="as shot" if raw.balance else "of D65, as none is told",
        matrix=matrix,
        matrix_source=raw.matrix_source,
    )


def develop_raw(raw: Raw, how: RawDevelopment) -> NDArray[np.float32]:
    """Scene-linear light (H, W, 3) of BT.709's primaries, upright; raises `UnreadableError` for an unlike frame.

    1 is where samples saturate. Integers end there: what white balance lifts above it is clipped before demosaicing, or
    saturated light would turn magenta. Floats go on.
    """
    if (raw.pattern, raw.white) != (how.pattern, how.white):
        told = f"mosaic {raw.pattern} and white level {raw.white:g}, the first {how.pattern} and {how.white:g}"
        raise UnreadableError(f"it has {told}; make them all alike")
    if min(raw.samples.shape) < _SMALLEST:
        raise UnreadableError(f"a mosaic needs {_SMALLEST} pixels each way")
    ends = np.inf if raw.samples.dtype == np.float32 else 1.0
    balanced = torch.from_numpy(raw.samples.astype(np.float32))
    for (channel, place), black in zip(sites(raw.pattern), raw.black, strict=True):
        balanced[place] = (balanced[place] - black) * (how.gains[channel] / (raw.white - black))
    planes = demosaic(balanced.clamp(max=ends), raw.pattern, "menon").numpy()
    light = np.empty((*raw.samples.shape, 3), np.float32)
    for channel, row in enumerate(how.matrix):  # no BLAS: the light is hashed, and the same everywhere
        red, green, blue = (np.float32(value) * plane for value, plane in zip(row, planes, strict=True))
        light[..., channel] = np.clip(red + green + blue, 0, ends)
    return np.ascontiguousarray(np.rot90(light, -raw.turn // 90))

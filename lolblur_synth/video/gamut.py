"""Gamut: from linear RGB of a video's primaries to that of BT.709's, which are sRGB's."""

from collections.abc import Mapping
from functools import cache

import cv2
import numpy as np
from numpy.typing import NDArray

from lolblur_synth.video.icc import matrix_to_bt709
from lolblur_synth.video.metadata import Primaries

_D65 = (0.3127, 0.3290)
_CHROMATICITIES: Mapping[Primaries, tuple[float, ...]] = {  # x and y of white, red, green, blue
    "bt709": (*_D65, 0.64, 0.33, 0.30, 0.60, 0.15, 0.06),
    "bt2020": (*_D65, 0.708, 0.292, 0.170, 0.797, 0.131, 0.046),  # and of BT.2100
    "p3-d65": (*_D65, 0.680, 0.320, 0.265, 0.690, 0.150, 0.060),  # SMPTE EG 432-1
    "p3-dci": (0.314, 0.351, 0.680, 0.320, 0.265, 0.690, 0.150, 0.060),  # SMPTE RP 431-2
    "s-gamut3": (*_D65, 0.730, 0.280, 0.140, 0.855, 0.100, -0.050),  # Sony's summary, as are the next
    "s-gamut3.cine": (*_D65, 0.766, 0.275, 0.225, 0.800, 0.089, -0.087),
    "v-gamut": (*_D65, 0.730, 0.280, 0.165, 0.840, 0.100, -0.030),  # Panasonic's manual
    "apple-wide-gamut": (*_D65, 0.725, 0.301, 0.221, 0.814, 0.068, -0.076),  # Apple Log 2 Profile White Paper
}


@cache
def to_bt709(primaries: Primaries) -> NDArray[np.float64]:
    """The matrix (3, 3); rows sum to 1: white stays white.

    >>> print(to_bt709("bt2020").round(4))
    [[ 1.6605 -0.5876 -0.0728]
     [-0.1246  1.1329 -0.0083]
     [-0.0182 -0.1006  1.1187]]
    """
    return matrix_to_bt709(_CHROMATICITIES[primaries])


def in_bt709(light: NDArray[np.float32], primaries: Primaries) -> NDArray[np.float32]:
    """Linear RGB (H, W, 3) in BT.709's primaries; what is outside of their gamut is clipped at 0, by channel."""
    if primaries != "bt709":
        light = np.asarray(cv2.transform(light, to_bt709(primaries)), np.float32)
    return np.maximum(light, 0, out=light)

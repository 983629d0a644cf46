"""Lanczos resampling: weights of samples between pixels."""

import numpy as np
from numpy.typing import NDArray


def lanczos(reach: int, fractions: int) -> NDArray[np.float32]:
    """Lanczos weights of 2 `reach` samples for each fraction of a pixel, 0 to 1, behind the middle one of them.

    (fractions + 1, 2 reach); Lanczos windows (Duchon, "Lanczos filtering in one and two dimensions", 1979), changed as
    little as makes them keep constants and ramps.

    >>> lanczos(2, 2).round(3)  # at 0, 1/2 and 1
    array([[ 0.   ,  1.   ,  0.   ,  0.   ],
           [-0.068,  0.568,  0.568, -0.068],
           [ 0.   ,  0.   ,  1.   ,  0.   ]], dtype=float32)
    """
    away = np.arange(2 * reach) - (reach - 1) - np.arange(fractions + 1)[:, None] / fractions
    taps = np.sinc(away) * np.sinc(away / reach) * (abs(away) < reach)
    for row, distance in zip(taps, away, strict=True):
        moments = np.stack((np.ones(2 * reach), distance))
        row += np.linalg.pinv(moments) @ ((1, 0) - moments @ row)
    return np.asarray(taps, np.float32)

"""Kernel of `ec_zero_dce.apply_curves`: curve maps are enlarged and applied in one pass; compiled for the CPU."""

import numpy as np

from lolblur_synth.kernels.jit import ONE, Floats, Ints, jit


def places_of(size: int, coarse: int) -> tuple[Ints, Floats]:
    """Bilinear interpolation of `coarse` samples at `size` places: the sample before each, and the next one's share."""
    at = ((np.arange(size) + 0.5) * (coarse / size) - 0.5).clip(0, coarse - 1)
    before = np.minimum(at.astype(np.int64), max(coarse - 2, 0))
    return before, (at - before).astype(np.float32)


@jit
def apply_coarse(
    lightness: Floats, maps: Floats, rows: Ints, down: Floats, columns: Ints, right: Floats, out: Floats
) -> None:
    """Lightness (H, W) by maps (iterations, h, w), at places of `places_of`, into `out`."""
    iterations, coarse_height, coarse_width = maps.shape
    height, width = lightness.shape
    curve = np.empty(coarse_width, np.float32)
    for i in range(height):
        row, tone = out[i], lightness[i]
        for j in range(width):
            row[j] = tone[j]
        for k in range(iterations):
            upper, lower = maps[k, rows[i]], maps[k, min(rows[i] + 1, coarse_height - 1)]
            for j in range(coarse_width):
                curve[j] = upper[j] + down[i] * (lower[j] - upper[j])
            for j in range(width):
                left = columns[j]
                r = curve[left] + right[j] * (curve[min(left + 1, coarse_width - 1)] - curve[left])
                row[j] += r * row[j] * (row[j] - ONE)

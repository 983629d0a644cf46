"""Shrinkage and aggregation of blocks, compiled: what `volumes` and `groups` share."""

from typing import NamedTuple

import numpy as np

from lolblur_synth.kernels.jit import ZERO, Flags, Floats, Ints, Real, jit
from lolblur_synth.kernels.simd import Vec8, broadcast8, load8, load_rows, store, store_rows, transpose8x8
from lolblur_synth.ops.denoise.vbm4d.transforms import AREA, FRAMES, PAD, WINDOW, Planes, ihaar8

QUIET = 0.15  # of the noise's energy: a frequency of time with less in the pilot is what was left of noise
_WINDOW = np.ascontiguousarray(WINDOW.ravel())


class Frames(NamedTuple):
    """Planes of a window of frames, and the variance of their noise."""

    noisy: Planes
    pilot: Planes  # the same frames where coefficients are thresholded
    hard: bool  # they are
    stride: int
    reference: int
    variance: Floats  # (C, 64), by spatial frequency
    mean: Floats  # (C,), over the frequencies


class Trajectories(NamedTuple):
    """Trajectories of the blocks of a grid: where they are in each frame, which makes a volume of each."""

    ys: Ints
    xs: Ints
    places: Floats  # (ny, nx, T, 2)
    valid: Flags  # (ny, nx, T)


class Accumulators(NamedTuple):
    """Running sums of the aggregation; blocks that leave the rows low..high-1 are not added."""

    values: Planes  # with a pilot of the reference frame alone
    weights: Planes
    low: int
    high: int


@jit
def temporal_dct(valid: Flags, table: Floats, matrix: Floats) -> int:
    """The DCT over the valid frames, the others left out, into `matrix` (FRAMES, FRAMES); returns their number."""
    used = 0
    for t in range(len(valid)):
        used += valid[t]
    matrix[:] = ZERO
    column = 0
    for t in range(len(valid)):
        if valid[t]:
            for r in range(FRAMES):
                matrix[r, t] = table[used, r, column]
            column += 1
    return used


@jit
def wiener_shrink(spectrum: Floats, pilot: Floats, loud: Real, variance: Floats, factor: Real, result: Floats) -> Vec8:
    """Wiener shrinkage by a pilot, of which `factor` times is added to `result`; returns the noise variance that stays.

    `loud` and `factor` are numbers, or eights with one for each volume of the stack; where `loud` is zero, nothing is
    left.
    """
    left = broadcast8(ZERO)
    for q in range(AREA):
        guess = load8(pilot, 8 * q)
        power = guess * guess * loud
        gain = power / (power + variance[q])
        store(load8(result, 8 * q) + factor * gain * load8(spectrum, 8 * q), result, 8 * q)
        left += gain * gain * variance[q]
    return left


@jit
def energy(samples: Floats) -> Vec8:
    """The sum of the squares of each eighth sample."""
    found = broadcast8(ZERO)
    for q in range(0, len(samples), 8):
        part = load8(samples, q)
        found += part * part
    return found


@jit
def extract_blocks(stack: Floats, grouped: bool, blocks: Floats) -> None:
    """The blocks of one frame of a stack, one after the other: (MEMBERS, 64); of groups, Haar's inverse of them."""
    for i in range(0, 64, 8):
        part = transpose8x8(load_rows(stack, 8 * i, 8))
        store_rows(ihaar8(part) if grouped else part, blocks, i, 64)


@jit
def aggregate(
    values: Floats, weights: Floats, stride: int, y: int, x: int, blocks: Floats, m: int, weight: Real
) -> None:
    """Aggregate block m: add it to running sums, weighed by `weight` and a Kaiser window."""
    at = (y + PAD) * stride + x + PAD
    for i in range(0, 64, 8):
        share = weight * load8(_WINDOW, i)
        store(load8(values, at) + share * load8(blocks, 64 * m + i), values, at)
        store(load8(weights, at) + share, weights, at)
        at += stride

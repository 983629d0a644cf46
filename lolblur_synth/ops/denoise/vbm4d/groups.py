"""Groups of eight volumes that look alike, weighed by a pilot in four dimensions; compiled by numba."""

import numpy as np

from lolblur_synth.kernels.jit import ONE, ZERO, Floats, Ints, Real, jit
from lolblur_synth.kernels.simd import broadcast8, gather_rows, horizontal_sum, store_rows, transpose8x8
from lolblur_synth.ops.denoise.vbm4d.blocks import (
    QUIET,
    Frames,
    Sums,
    Traced,
    add,
    energy,
    temporal_matrix,
    unload,
    weigh,
)
from lolblur_synth.ops.denoise.vbm4d.trajectories import find_similar
from lolblur_synth.ops.denoise.vbm4d.transforms import (
    FRAMES,
    MEMBERS,
    REACH,
    REACHED,
    REGION,
    ROW,
    SIDE,
    TEMPORAL,
    combine_frames,
    from_spatial_spectrum,
    haar8,
    sample_surrounding,
    to_spatial_spectrum,
)


@jit
def _cut(region: Floats, corners: Ints, stack: Floats) -> None:
    """The spectrum of the members of a group, across it by Haar's wavelet; `corners` are where they start."""
    for i in range(8):
        store_rows(transpose8x8(haar8(gather_rows(region, corners, REACHED * i))), stack, 64 * i, 8)
    to_spatial_spectrum(stack)


@jit
def _factors(matrix: Floats, r: int) -> tuple[Real, ...]:
    row = matrix[r]
    return row[0], row[1], row[2], row[3], row[4], row[5], row[6], row[7], row[8]


@jit
def denoise_groups(frames: Frames, traced: Traced, first: int, last: int, bottom: int, right: int, sums: Sums) -> None:
    """Filter the groups about the volumes of the grid's rows first..last-1 and add them to the running sums.

    A volume is joined by the seven within REACH that are most similar in the pilot; all move as it does, so that one
    surrounding is sampled, and transformed over time, for all. Frequencies of time in which that is quiet in the pilot
    are left out. Only the reference frame is added, for what was sampled between pixels cannot be put back.
    """
    count, channels, stride = traced.valid.shape[2], len(frames.mean), frames.stride
    noisy = np.zeros((FRAMES, REGION), np.float32)
    pilot = np.zeros((FRAMES, REGION), np.float32)
    region, scratch = np.zeros(REGION, np.float32), np.zeros(REACHED * (REACHED + 7), np.float32)
    spectrum, guess, result = np.zeros(ROW, np.float32), np.zeros(ROW, np.float32), np.zeros(ROW, np.float32)
    blocks, corners = np.zeros(ROW, np.float32), np.zeros(MEMBERS, np.int64)
    matrix, found = np.zeros((FRAMES, FRAMES), np.float32), np.zeros((MEMBERS, 2), np.int64)
    for iy in range(first, last):
        for ix in range(len(traced.xs)):
            find_similar(frames.pilot[frames.reference][0], stride, traced.ys[iy], traced.xs[ix], bottom, right, found)
            for m in range(MEMBERS):
                corners[m] = (REACH + found[m, 0] - found[0, 0]) * REACHED + REACH + found[m, 1] - found[0, 1]
            used = temporal_matrix(traced.valid[iy, ix], TEMPORAL, matrix)
            for c in range(channels):
                for t in range(count):
                    if traced.valid[iy, ix, t]:
                        y, x = traced.places[iy, ix, t, 0], traced.places[iy, ix, t, 1]
                        sample_surrounding(frames.noisy[t][c], stride, y, x, scratch, noisy[t])
                        sample_surrounding(frames.pilot[t][c], stride, y, x, scratch, pilot[t])
                result[:] = ZERO
                left = broadcast8(ZERO)
                for r in range(used):
                    factors = _factors(matrix, r)
                    combine_frames(pilot, factors, region)
                    if r > 0 and horizontal_sum(energy(region)) < QUIET * REGION * frames.mean[c]:
                        continue
                    _cut(region, corners, guess)
                    combine_frames(noisy, factors, region)
                    _cut(region, corners, spectrum)
                    left += weigh(spectrum, guess, ONE, frames.variance[c], matrix[r, frames.reference], result)
                from_spatial_spectrum(result)
                unload(result, True, blocks)
                weight = ONE / max(horizontal_sum(left), frames.variance[c, 0])
                values, weights = sums.values[0][c], sums.weights[0][c]
                for m in range(MEMBERS):
                    y, x = found[m, 0], found[m, 1]
                    if sums.low <= y <= sums.high - SIDE:
                        add(values, weights, stride, y, x, blocks, m, weight)

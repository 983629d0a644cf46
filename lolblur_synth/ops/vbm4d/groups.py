"""Groups of eight volumes that look alike, weighed by a pilot in four dimensions; compiled by numba."""

import numpy as np

from lolblur_synth.ops.vbm4d.blocks import QUIET, Frames, Sums, Traced, add, temporal_matrix, unload
from lolblur_synth.ops.vbm4d.trajectories import find_similar
from lolblur_synth.ops.vbm4d.transforms import (
    FRAMES,
    MEMBERS,
    ONE,
    REACH,
    REACHED,
    REGION,
    ROW,
    SIDE,
    SUPPORT,
    TAPS,
    TEMPORAL,
    ZERO,
    Floats,
    Ints,
    Real,
    combine_frames,
    compiled,
    from_spatial_spectrum,
    haar8,
    sample_surrounding,
    side_by_side,
    to_spatial_spectrum,
)


@compiled
def _energy(region: Floats) -> Real:
    total = ZERO
    for q in range(len(region)):
        total += region[q] * region[q]
    return total


@compiled
def _cut(region: Floats, found: Ints, blocks: Floats, stack: Floats) -> None:
    """The members of a group as they lie about the first one: their spectrum, across the group by Haar's wavelet."""
    for m in range(MEMBERS):
        corner = (REACH + found[m, 0] - found[0, 0]) * REACHED + REACH + found[m, 1] - found[0, 1]
        for i in range(8):
            row = region[corner + REACHED * i : corner + REACHED * i + 8]
            block = blocks[64 * m + 8 * i : 64 * m + 8 * i + 8]
            for j in range(8):
                block[j] = row[j]
    b0, b1, b2, b3 = blocks[0:64], blocks[64:128], blocks[128:192], blocks[192:256]
    b4, b5, b6, b7 = blocks[256:320], blocks[320:384], blocks[384:448], blocks[448:512]
    for q in range(64):
        r = haar8(b0[q], b1[q], b2[q], b3[q], b4[q], b5[q], b6[q], b7[q])
        b0[q], b1[q], b2[q], b3[q], b4[q], b5[q], b6[q], b7[q] = r[0], r[1], r[2], r[3], r[4], r[5], r[6], r[7]
    side_by_side(blocks, stack)
    to_spatial_spectrum(stack)


@compiled
def _weigh(spectrum: Floats, pilot: Floats, variance: Floats, factor: Real, result: Floats) -> Real:
    """Add `factor` times what Wiener's weights leave to `result`; returns the variance of the noise that stays."""
    left = ZERO
    for q in range(ROW):
        power = pilot[q] * pilot[q]
        gain = power / (power + variance[q])
        result[q] += factor * gain * spectrum[q]
        left += gain * gain * variance[q]
    return left


@compiled
def denoise_groups(frames: Frames, traced: Traced, first: int, last: int, bottom: int, right: int, sums: Sums) -> None:
    """Filter the groups about the volumes of the grid's rows first..last-1 and add them to the running sums.

    A volume is joined by the seven within REACH that are most similar in the pilot; all move as it does, so that one
    surrounding is sampled, and transformed over time, for all. Frequencies of time in which that is quiet in the pilot
    are left out. Only the reference frame is added, for what was sampled between pixels cannot be put back.
    """
    count, channels, stride = traced.valid.shape[2], len(frames.mean), frames.stride
    noisy = np.zeros((FRAMES, REGION), np.float32)
    pilot = np.zeros((FRAMES, REGION), np.float32)
    region, scratch = np.zeros(REGION, np.float32), np.zeros(SUPPORT * REACHED, np.float32)
    spectrum, guess, result = np.zeros(ROW, np.float32), np.zeros(ROW, np.float32), np.zeros(ROW, np.float32)
    blocks, variance = np.zeros(ROW, np.float32), np.zeros((channels, ROW), np.float32)
    for c in range(channels):
        for q in range(ROW):
            variance[c, q] = frames.variance[c, q // MEMBERS]
    matrix, found = np.zeros((FRAMES, FRAMES), np.float32), np.zeros((MEMBERS, 2), np.int64)
    for iy in range(first, last):
        for ix in range(len(traced.xs)):
            find_similar(frames.pilot[frames.reference][0], stride, traced.ys[iy], traced.xs[ix], bottom, right, found)
            used = temporal_matrix(traced.valid[iy, ix], TEMPORAL, matrix)
            for c in range(channels):
                for t in range(count):
                    if traced.valid[iy, ix, t]:
                        y, x = traced.places[iy, ix, t, 0], traced.places[iy, ix, t, 1]
                        sample_surrounding(frames.noisy[t][c], stride, y, x, TAPS, scratch, noisy[t])
                        sample_surrounding(frames.pilot[t][c], stride, y, x, TAPS, scratch, pilot[t])
                result[:] = ZERO
                left = ZERO
                for r in range(used):
                    combine_frames(pilot, matrix[r], region)
                    if r > 0 and _energy(region) < QUIET * len(region) * frames.mean[c]:
                        continue
                    _cut(region, found, blocks, guess)
                    combine_frames(noisy, matrix[r], region)
                    _cut(region, found, blocks, spectrum)
                    left += _weigh(spectrum, guess, variance[c], matrix[r, frames.reference], result)
                from_spatial_spectrum(result)
                unload(result, True, blocks)
                weight = ONE / max(left, frames.variance[c, 0])
                values, weights = sums.values[0][c], sums.weights[0][c]
                for m in range(MEMBERS):
                    y, x = found[m, 0], found[m, 1]
                    if sums.low <= y <= sums.high - SIDE:
                        add(values, weights, stride, y, x, blocks[64 * m : 64 * (m + 1)], weight)

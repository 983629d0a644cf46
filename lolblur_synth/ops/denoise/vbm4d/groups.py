"""Collaborative filtering: groups of eight similar volumes, Wiener-filtered in four dimensions; compiled."""

import numpy as np

from lolblur_synth.kernels.jit import ONE, ZERO, Floats, Ints, Real, jit
from lolblur_synth.kernels.simd import broadcast8, gather_rows, horizontal_sum, store_rows, transpose8x8
from lolblur_synth.ops.denoise.vbm4d.blocks import (
    QUIET,
    Accumulators,
    Frames,
    Trajectories,
    aggregate,
    energy,
    extract_blocks,
    temporal_dct,
    wiener_shrink,
)
from lolblur_synth.ops.denoise.vbm4d.trajectories import group_similar
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
    haar8,
    sample_surrounding,
    spatial_dct,
    spatial_idct,
)


@jit
def _group_spectrum(region: Floats, corners: Ints, stack: Floats) -> None:
    """The 2-D DCT of the members of a group and Haar's wavelet across them; `corners` are where they start."""
    for i in range(8):
        store_rows(transpose8x8(haar8(gather_rows(region, corners, REACHED * i))), stack, 64 * i, 8)
    spatial_dct(stack)


@jit
def _factors(matrix: Floats, r: int) -> tuple[Real, ...]:
    row = matrix[r]
    return row[0], row[1], row[2], row[3], row[4], row[5], row[6], row[7], row[8]


@jit
def filter_groups(
    frames: Frames, trajectories: Trajectories, first: int, last: int, bottom: int, right: int, sums: Accumulators
) -> None:
    """Filter the groups about the volumes of the grid's rows first..last-1 and add them to the running sums.

    A volume is joined by the seven within REACH that are most similar in the pilot; all move as it does, so that one
    surrounding is sampled, and transformed over time, for all. Frequencies of time in which that is quiet in the pilot
    are left out. Only the reference frame is added, for what was sampled between pixels cannot be put back.
    """
    count, channels, stride = trajectories.valid.shape[2], len(frames.mean), frames.stride
    noisy = np.zeros((FRAMES, REGION), np.float32)
    pilot = np.zeros((FRAMES, REGION), np.float32)
    region, scratch = np.zeros(REGION, np.float32), np.zeros(REACHED * (REACHED + 7), np.float32)
    spectrum, guess, result = np.zeros(ROW, np.float32), np.zeros(ROW, np.float32), np.zeros(ROW, np.float32)
    blocks, corners = np.zeros(ROW, np.float32), np.zeros(MEMBERS, np.int64)
    matrix, found = np.zeros((FRAMES, FRAMES), np.float32), np.zeros((MEMBERS, 2), np.int64)
    for iy in range(first, last):
        for ix in range(len(trajectories.xs)):
            group_similar(
                frames.pilot[frames.reference][0],
                stride,
                trajectories.ys[iy],
                trajectories.xs[ix],
                bottom,
                right,
                found,
            )
            for m in range(MEMBERS):
                corners[m] = (REACH + found[m, 0] - found[0, 0]) * REACHED + REACH + found[m, 1] - found[0, 1]
            used = temporal_dct(trajectories.valid[iy, ix], TEMPORAL, matrix)
            for c in range(channels):
                for t in range(count):
                    if trajectories.valid[iy, ix, t]:
                        y, x = trajectories.places[iy, ix, t, 0], trajectories.places[iy, ix, t, 1]
                        sample_surrounding(frames.noisy[t][c], stride, y, x, scratch, noisy[t])
                        sample_surrounding(frames.pilot[t][c], stride, y, x, scratch, pilot[t])
                result[:] = ZERO
                left = broadcast8(ZERO)
                for r in range(used):
                    factors = _factors(matrix, r)
                    combine_frames(pilot, factors, region)
                    if r > 0 and horizontal_sum(energy(region)) < QUIET * REGION * frames.mean[c]:
                        continue
                    _group_spectrum(region, corners, guess)
                    combine_frames(noisy, factors, region)
                    _group_spectrum(region, corners, spectrum)
                    left += wiener_shrink(spectrum, guess, ONE, frames.variance[c], matrix[r, frames.reference], result)
                spatial_idct(result)
                extract_blocks(result, True, blocks)
                weight = ONE / max(horizontal_sum(left), frames.variance[c, 0])
                values, weights = sums.values[0][c], sums.weights[0][c]
                for m in range(MEMBERS):
                    y, x = found[m, 0], found[m, 1]
                    if sums.low <= y <= sums.high - SIDE:
                        aggregate(values, weights, stride, y, x, blocks, m, weight)

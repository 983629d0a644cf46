"""Single volumes, eight side by side: hard thresholding, or Wiener filtering by a pilot; compiled."""

import numpy as np

from lolblur_synth.kernels.jit import ONE, ZERO, Floats, Ints, Real, jit
from lolblur_synth.kernels.simd import (
    Vec8,
    broadcast8,
    gather_rows,
    greater,
    horizontal_sum,
    load8,
    maximum,
    store,
    store_rows,
    transpose8x8,
)
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
from lolblur_synth.ops.denoise.vbm4d.transforms import (
    AREA,
    FRAMES,
    MEMBERS,
    PAD,
    ROW,
    SIDE,
    TEMPORAL,
    combine_frames,
    sample,
    side_by_side,
    spatial_dct,
    spatial_idct,
    spread_over_frames,
)


@jit
def _load_subpixel(plane: Floats, stride: int, places: Floats, scratch: Floats, blocks: Floats, stack: Floats) -> None:
    """One frame of a stack: the blocks at `places` (MEMBERS, 2), side by side."""
    for m in range(MEMBERS):
        store_rows(sample(plane, stride, places[m, 0], places[m, 1], scratch), blocks, 64 * m, 8)
    side_by_side(blocks, stack)


@jit
def _load_whole(plane: Floats, stride: int, places: Floats, corners: Ints, stack: Floats) -> None:
    """As `_load`, where blocks lie on whole pixels; `corners` (MEMBERS) is scratch."""
    for m in range(MEMBERS):
        corners[m] = (int(places[m, 0]) + PAD) * stride + int(places[m, 1]) + PAD
    for i in range(8):
        store_rows(transpose8x8(gather_rows(plane, corners, i * stride)), stack, 64 * i, 8)


@jit
def _hard_threshold(spectrum: Floats, keep_mean: bool, threshold: Real, variance: Floats) -> Vec8:
    """Hard thresholding: keep what exceeds it; returns the variance of the noise that stays in each volume."""
    left = broadcast8(ZERO)
    for q in range(AREA):
        value = load8(spectrum, 8 * q)
        keep = broadcast8(ONE) if keep_mean and q == 0 else greater(value * value, threshold * variance[q])
        store(keep * value, spectrum, 8 * q)
        left += keep * variance[q]
    return left


@jit
def temporal_factors(matrices: Floats, r: int) -> tuple[Vec8, ...]:
    """Of one frequency of time in each frame and volume: a row of `matrices` (FRAMES, FRAMES, MEMBERS)."""
    at = 8 * FRAMES * r
    return (
        load8(matrices, at), load8(matrices, at + 8), load8(matrices, at + 16),
        load8(matrices, at + 24), load8(matrices, at + 32), load8(matrices, at + 40),
        load8(matrices, at + 48), load8(matrices, at + 56), load8(matrices, at + 64),
    )  # fmt: skip


@jit
def filter_volumes(
    frames: Frames,
    trajectories: Trajectories,
    first: int,
    last: int,
    threshold_dc: Real,
    threshold_ac: Real,
    sums: Accumulators,
) -> None:
    """Filter the volumes of the grid's rows first..last-1 and add them to the running sums.

    Without a pilot what exceeds `threshold_dc` standard deviations in the mean over time, or `threshold_ac` in its
    other frequencies, is kept, and every frame is added. With one, coefficients are shrunk by Wiener's rule,
    frequencies of time that are quiet in the pilot are left out, and only the reference frame is added, for what was
    sampled between pixels cannot be put back.
    """
    count, channels, hard = trajectories.valid.shape[2], len(frames.mean), frames.hard
    noisy, pilot = np.zeros((FRAMES, ROW), np.float32), np.zeros((FRAMES, ROW), np.float32)
    spectrum, guess = np.zeros(ROW, np.float32), np.zeros(ROW, np.float32)
    result, blocks = np.zeros((FRAMES, ROW), np.float32), np.zeros(ROW, np.float32)
    scratch, shares, corners = np.zeros(ROW, np.float32), np.zeros(MEMBERS, np.float32), np.zeros(MEMBERS, np.int64)
    matrix, matrices = np.zeros((FRAMES, FRAMES), np.float32), np.zeros((FRAMES, FRAMES, MEMBERS), np.float32)
    where = np.zeros((FRAMES, MEMBERS, 2), np.float32)
    for iy in range(first, last):
        for ix in range(0, len(trajectories.xs), MEMBERS):
            members = min(MEMBERS, len(trajectories.xs) - ix)
            most = 0
            for m in range(MEMBERS):
                column = ix + min(m, members - 1)
                most = max(most, temporal_dct(trajectories.valid[iy, column], TEMPORAL, matrix))
                matrices[:, :, m] = matrix
                for t in range(count):
                    where[t, m, 0], where[t, m, 1] = (
                        trajectories.places[iy, column, t, 0],
                        trajectories.places[iy, column, t, 1],
                    )
            for c in range(channels):
                variance = frames.variance[c]
                for t in range(count):
                    if hard:
                        _load_whole(frames.noisy[t][c], frames.stride, where[t], corners, noisy[t])
                    else:
                        _load_subpixel(frames.noisy[t][c], frames.stride, where[t], scratch, blocks, noisy[t])
                        _load_subpixel(frames.pilot[t][c], frames.stride, where[t], scratch, blocks, pilot[t])
                result[:] = ZERO
                left = broadcast8(ZERO)
                for r in range(most):
                    factors = temporal_factors(matrices, r)
                    loud = broadcast8(ONE)
                    if not hard:
                        combine_frames(pilot, factors, guess)
                        if r > 0:
                            loud = greater(energy(guess), QUIET * AREA * frames.mean[c])
                        if horizontal_sum(loud) == ZERO:
                            continue
                        spatial_dct(guess)
                    combine_frames(noisy, factors, spectrum)
                    spatial_dct(spectrum)
                    if hard:
                        threshold = threshold_dc if r == 0 else threshold_ac
                        stays = _hard_threshold(spectrum, r == 0, threshold * threshold, variance)
                        if horizontal_sum(stays) == ZERO:
                            continue
                        left += stays
                        spatial_idct(spectrum)
                        spread_over_frames(spectrum, matrices[r], count, result)
                    else:
                        own = load8(matrices, MEMBERS * (FRAMES * r + frames.reference))
                        left += wiener_shrink(spectrum, guess, loud, variance, own, result[0])
                if not hard:
                    spatial_idct(result[0])
                store(ONE / maximum(left, variance[0]), shares, 0)
                for k in range(count if hard else 1):
                    t = k if hard else frames.reference
                    extract_blocks(result[k], False, blocks)
                    values, weights = sums.values[k][c], sums.weights[k][c]
                    for m in range(members):
                        y, x = int(where[t, m, 0]), int(where[t, m, 1])
                        if trajectories.valid[iy, ix + m, t] and sums.low <= y <= sums.high - SIDE:
                            aggregate(values, weights, frames.stride, y, x, blocks, m, shares[m])

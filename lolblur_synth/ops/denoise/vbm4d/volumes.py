"""Single volumes, eight side by side: thresholded, or weighed by a pilot; compiled by numba."""

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
    Frames,
    Sums,
    Traced,
    add,
    energy,
    temporal_matrix,
    unload,
    weigh,
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
    from_spatial_spectrum,
    sample,
    side_by_side,
    spread_over_frames,
    to_spatial_spectrum,
)


@jit
def _load(plane: Floats, stride: int, places: Floats, scratch: Floats, blocks: Floats, stack: Floats) -> None:
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
def _threshold(spectrum: Floats, keep_mean: bool, threshold: Real, variance: Floats) -> Vec8:
    """Keep what exceeds the threshold; returns the variance of the noise that stays in each volume."""
    left = broadcast8(ZERO)
    for q in range(AREA):
        value = load8(spectrum, 8 * q)
        keep = broadcast8(ONE) if keep_mean and q == 0 else greater(value * value, threshold * variance[q])
        store(keep * value, spectrum, 8 * q)
        left += keep * variance[q]
    return left


@jit
def _factors(matrices: Floats, r: int) -> tuple[Vec8, ...]:
    """Of one frequency of time in each frame and volume: a row of `matrices` (FRAMES, FRAMES, MEMBERS)."""
    at = 8 * FRAMES * r
    return (
        load8(matrices, at), load8(matrices, at + 8), load8(matrices, at + 16),
        load8(matrices, at + 24), load8(matrices, at + 32), load8(matrices, at + 40),
        load8(matrices, at + 48), load8(matrices, at + 56), load8(matrices, at + 64),
    )  # fmt: skip


@jit
def denoise_volumes(
    frames: Frames, traced: Traced, first: int, last: int, still: Real, moving: Real, sums: Sums
) -> None:
    """Filter the volumes of the grid's rows first..last-1 and add them to the running sums.

    Without a pilot what exceeds `still` standard deviations in the mean over time, or `moving` in its other
    frequencies, is kept, and every frame is added. With one, coefficients are weighed by Wiener's rule, frequencies of
    time that are quiet in the pilot are left out, and only the reference frame is added, for what was sampled between
    pixels cannot be put back.
    """
    count, channels, hard = traced.valid.shape[2], len(frames.mean), frames.hard
    noisy, pilot = np.zeros((FRAMES, ROW), np.float32), np.zeros((FRAMES, ROW), np.float32)
    spectrum, guess = np.zeros(ROW, np.float32), np.zeros(ROW, np.float32)
    result, blocks = np.zeros((FRAMES, ROW), np.float32), np.zeros(ROW, np.float32)
    scratch, shares, corners = np.zeros(ROW, np.float32), np.zeros(MEMBERS, np.float32), np.zeros(MEMBERS, np.int64)
    matrix, matrices = np.zeros((FRAMES, FRAMES), np.float32), np.zeros((FRAMES, FRAMES, MEMBERS), np.float32)
    where = np.zeros((FRAMES, MEMBERS, 2), np.float32)
    for iy in range(first, last):
        for ix in range(0, len(traced.xs), MEMBERS):
            members = min(MEMBERS, len(traced.xs) - ix)
            most = 0
            for m in range(MEMBERS):
                column = ix + min(m, members - 1)
                most = max(most, temporal_matrix(traced.valid[iy, column], TEMPORAL, matrix))
                matrices[:, :, m] = matrix
                for t in range(count):
                    where[t, m, 0], where[t, m, 1] = traced.places[iy, column, t, 0], traced.places[iy, column, t, 1]
            for c in range(channels):
                variance = frames.variance[c]
                for t in range(count):
                    if hard:
                        _load_whole(frames.noisy[t][c], frames.stride, where[t], corners, noisy[t])
                    else:
                        _load(frames.noisy[t][c], frames.stride, where[t], scratch, blocks, noisy[t])
                        _load(frames.pilot[t][c], frames.stride, where[t], scratch, blocks, pilot[t])
                result[:] = ZERO
                left = broadcast8(ZERO)
                for r in range(most):
                    factors = _factors(matrices, r)
                    loud = broadcast8(ONE)
                    if not hard:
                        combine_frames(pilot, factors, guess)
                        if r > 0:
                            loud = greater(energy(guess), QUIET * AREA * frames.mean[c])
                        if horizontal_sum(loud) == ZERO:
                            continue
                        to_spatial_spectrum(guess)
                    combine_frames(noisy, factors, spectrum)
                    to_spatial_spectrum(spectrum)
                    if hard:
                        threshold = still if r == 0 else moving
                        stays = _threshold(spectrum, r == 0, threshold * threshold, variance)
                        if horizontal_sum(stays) == ZERO:
                            continue
                        left += stays
                        from_spatial_spectrum(spectrum)
                        spread_over_frames(spectrum, matrices[r], count, result)
                    else:
                        own = load8(matrices, MEMBERS * (FRAMES * r + frames.reference))
                        left += weigh(spectrum, guess, loud, variance, own, result[0])
                if not hard:
                    from_spatial_spectrum(result[0])
                store(ONE / maximum(left, variance[0]), shares, 0)
                for k in range(count if hard else 1):
                    t = k if hard else frames.reference
                    unload(result[k], False, blocks)
                    values, weights = sums.values[k][c], sums.weights[k][c]
                    for m in range(members):
                        y, x = int(where[t, m, 0]), int(where[t, m, 1])
                        if traced.valid[iy, ix + m, t] and sums.low <= y <= sums.high - SIDE:
                            add(values, weights, frames.stride, y, x, blocks, m, shares[m])

"""Single volumes, eight side by side: thresholded, or weighed by a pilot; compiled by numba."""

import numpy as np

from lolblur_synth.ops.vbm4d.blocks import QUIET, Frames, Sums, Traced, add, share, temporal_matrix, unload
from lolblur_synth.ops.vbm4d.transforms import (
    AREA,
    FRAMES,
    MEMBERS,
    ONE,
    PAD,
    ROW,
    SIDE,
    TAPS,
    TEMPORAL,
    ZERO,
    Floats,
    Real,
    combine_frames,
    combine_frames_apart,
    compiled,
    from_spatial_spectrum,
    sample,
    side_by_side,
    spread_over_frames,
    spread_over_frames_apart,
    to_spatial_spectrum,
)


@compiled
def _load(plane: Floats, stride: int, places: Floats, scratch: Floats, blocks: Floats, stack: Floats) -> None:
    """One frame of a stack: the blocks at `places` (MEMBERS, 2), side by side."""
    wide = blocks[ROW:]
    for m in range(MEMBERS):
        sample(plane, stride, places[m, 0], places[m, 1], TAPS, scratch, wide)
        for i in range(8):
            block, row = blocks[64 * m + 8 * i : 64 * m + 8 * i + 8], wide[16 * i : 16 * i + 8]
            for j in range(8):
                block[j] = row[j]
    side_by_side(blocks[:ROW], stack)


@compiled
def _load_whole(plane: Floats, stride: int, places: Floats, stack: Floats) -> None:
    """As `_load`, where blocks lie on whole pixels."""
    at = (places[:, 0].astype(np.int64) + PAD) * stride + places[:, 1].astype(np.int64) + PAD
    a0, a1, a2, a3, a4, a5, a6, a7 = at[0], at[1], at[2], at[3], at[4], at[5], at[6], at[7]
    for i in range(8):
        rest = plane[i * stride :]
        m0, m1, m2, m3 = rest[a0 : a0 + 8], rest[a1 : a1 + 8], rest[a2 : a2 + 8], rest[a3 : a3 + 8]
        m4, m5, m6, m7 = rest[a4 : a4 + 8], rest[a5 : a5 + 8], rest[a6 : a6 + 8], rest[a7 : a7 + 8]
        for j in range(8):
            q = 64 * i + 8 * j
            stack[q], stack[q + 1], stack[q + 2], stack[q + 3] = m0[j], m1[j], m2[j], m3[j]
            stack[q + 4], stack[q + 5], stack[q + 6], stack[q + 7] = m4[j], m5[j], m6[j], m7[j]


@compiled
def _threshold(spectrum: Floats, keep_mean: bool, threshold: Real, variance: Floats, left: Floats) -> bool:
    """Keep what exceeds the threshold; `left` gathers the variance of the noise that stays. Whether anything does."""
    kept = ZERO
    for q in range(ROW):
        keep = ONE if spectrum[q] * spectrum[q] > threshold * variance[q] or (keep_mean and q < MEMBERS) else ZERO
        spectrum[q] *= keep
        left[q] += keep * variance[q]
        kept += keep
    return bool(kept > ZERO)


@compiled
def _loud(pilot: Floats, quiet: Real, energies: Floats, loud: Floats) -> bool:
    """Which volumes hold more energy than `quiet`: ones and zeros (64), eight times side by side; whether any does.

    `energies` (64) is scratch.
    """
    energies[:] = ZERO
    for start in range(0, ROW, 64):
        part = pilot[start : start + 64]
        for k in range(64):
            energies[k] += part[k] * part[k]
    for half in (32, 16, 8):
        for k in range(half):
            energies[k] += energies[k + half]
    some = False
    for m in range(MEMBERS):
        some = some or energies[m] >= quiet
        for k in range(8):
            loud[8 * k + m] = ONE if energies[m] >= quiet else ZERO
    return some


@compiled
def _weigh(
    spectrum: Floats, pilot: Floats, loud: Floats, variance: Floats, factor: Floats, left: Floats, result: Floats
) -> None:
    """Add what Wiener's weights leave of each coefficient, times the `factor` of its volume (64), to `result`."""
    for start in range(0, ROW, 64):
        s, p, v = spectrum[start : start + 64], pilot[start : start + 64], variance[start : start + 64]
        n, o = left[start : start + 64], result[start : start + 64]
        for k in range(64):
            power = p[k] * p[k] * loud[k]
            gain = power / (power + v[k])
            o[k] += factor[k] * gain * s[k]
            n[k] += gain * gain * v[k]


@compiled
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
    result = np.zeros((FRAMES, ROW), np.float32)
    scratch, blocks = np.zeros(136, np.float32), np.zeros(ROW + 128, np.float32)
    left, variance, shares = np.zeros(ROW, np.float32), np.zeros(ROW, np.float32), np.zeros(MEMBERS, np.float32)
    energies, loud = np.zeros(AREA, np.float32), np.zeros(AREA, np.float32)
    matrix, apart = np.zeros((FRAMES, FRAMES), np.float32), np.zeros((FRAMES, FRAMES, AREA), np.float32)
    where = np.zeros((FRAMES, MEMBERS, 2), np.float32)
    for iy in range(first, last):
        for ix in range(0, len(traced.xs), MEMBERS):
            members = min(MEMBERS, len(traced.xs) - ix)
            most, least = 0, FRAMES
            for m in range(MEMBERS):
                column = ix + min(m, members - 1)
                used = temporal_matrix(traced.valid[iy, column], TEMPORAL, matrix)
                for k in range(m, AREA, MEMBERS):
                    apart[:, :, k] = matrix
                most, least = max(most, used), min(least, used)
                for t in range(count):
                    where[t, m, 0], where[t, m, 1] = traced.places[iy, column, t, 0], traced.places[iy, column, t, 1]
            same = least == count
            for c in range(channels):
                for q in range(ROW):
                    variance[q] = frames.variance[c, q // MEMBERS]
                for t in range(count):
                    if hard:
                        _load_whole(frames.noisy[t][c], frames.stride, where[t], noisy[t])
                    else:
                        _load(frames.noisy[t][c], frames.stride, where[t], scratch, blocks, noisy[t])
                        _load(frames.pilot[t][c], frames.stride, where[t], scratch, blocks, pilot[t])
                left[:] = ZERO
                result[:] = ZERO
                for r in range(most):
                    if not hard:
                        if same:
                            combine_frames(pilot, matrix[r], guess)
                        else:
                            combine_frames_apart(pilot, apart[r], guess)
                        if not _loud(guess, ZERO if r == 0 else QUIET * AREA * frames.mean[c], energies, loud):
                            continue
                        to_spatial_spectrum(guess)
                    if same:
                        combine_frames(noisy, matrix[r], spectrum)
                    else:
                        combine_frames_apart(noisy, apart[r], spectrum)
                    to_spatial_spectrum(spectrum)
                    if hard:
                        threshold = still if r == 0 else moving
                        if not _threshold(spectrum, r == 0, threshold * threshold, variance, left):
                            continue
                        from_spatial_spectrum(spectrum)
                        if same:
                            spread_over_frames(spectrum, matrix[r], count, result)
                        else:
                            spread_over_frames_apart(spectrum, apart[r], count, result)
                    else:
                        _weigh(spectrum, guess, loud, variance, apart[r, frames.reference], left, result[0])
                if not hard:
                    from_spatial_spectrum(result[0])
                share(left, frames.variance[c, 0], shares)
                for k in range(count if hard else 1):
                    t = k if hard else frames.reference
                    unload(result[k], False, blocks)
                    values, weights = sums.values[k][c], sums.weights[k][c]
                    for m in range(members):
                        y, x = int(where[t, m, 0]), int(where[t, m, 1])
                        if traced.valid[iy, ix + m, t] and sums.low <= y <= sums.high - SIDE:
                            add(values, weights, frames.stride, y, x, blocks[64 * m : 64 * (m + 1)], shares[m])

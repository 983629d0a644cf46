"""Shrinkage of volumes in their spectrum and aggregation of what is left, compiled by numba."""

import numpy as np

from lolblur_synth.ops.vbm4d.trajectories import find_similar
from lolblur_synth.ops.vbm4d.transforms import (
    AREA,
    FRAMES,
    MEMBERS,
    ONE,
    PAD,
    ROW,
    TEMPORAL,
    ZERO,
    Flags,
    Floats,
    Ints,
    combine_frames,
    combine_frames_apart,
    compiled,
    from_spatial_spectrum,
    haar8,
    ihaar8,
    sample,
    to_spatial_spectrum,
)


@compiled
def _load(
    planes: Floats,
    channel: int,
    stride: int,
    places: Floats,
    grouped: bool,
    taps: Floats,
    scratch: Floats,
    blocks: Floats,
    stack: Floats,
) -> None:
    """Fill a stack with the blocks at `places` (T, MEMBERS, 2), transformed across a group, and their DCT."""
    frames = planes.shape[0]
    m0, m1, m2, m3 = blocks[0], blocks[1], blocks[2], blocks[3]
    m4, m5, m6, m7 = blocks[4], blocks[5], blocks[6], blocks[7]
    for t in range(frames):
        for m in range(MEMBERS):
            sample(planes[t, channel], stride, places[t, m, 0], places[t, m, 1], taps, scratch, blocks[m])
        b = stack[ROW * t : ROW * (t + 1)]
        for i in range(8):
            for j in range(8):
                k, q = 16 * i + j, 64 * i + 8 * j
                if grouped:
                    r = haar8(m0[k], m1[k], m2[k], m3[k], m4[k], m5[k], m6[k], m7[k])
                    b[q], b[q + 1], b[q + 2], b[q + 3] = r[0], r[1], r[2], r[3]
                    b[q + 4], b[q + 5], b[q + 6], b[q + 7] = r[4], r[5], r[6], r[7]
                else:
                    b[q], b[q + 1], b[q + 2], b[q + 3] = m0[k], m1[k], m2[k], m3[k]
                    b[q + 4], b[q + 5], b[q + 6], b[q + 7] = m4[k], m5[k], m6[k], m7[k]
    to_spatial_spectrum(stack, frames)


@compiled
def _threshold(stack: Floats, frames: int, threshold: Floats, variance: Floats, left: Floats) -> None:
    """Keep what exceeds the threshold, and the mean of each volume; `left` is the variance of the noise that stays."""
    left[:] = ZERO
    for t in range(frames):
        s = stack[ROW * t : ROW * (t + 1)]
        for q in range(ROW):
            keep = ONE if s[q] * s[q] > threshold[q] or (t == 0 and q < MEMBERS) else ZERO
            s[q] *= keep
            left[q] += keep * variance[q]


@compiled
def _wiener(stack: Floats, pilot: Floats, frames: int, variance: Floats, left: Floats) -> None:
    """Weigh each coefficient by the share of signal that the pilot sees in it."""
    left[:] = ZERO
    for t in range(frames):
        s, p = stack[ROW * t : ROW * (t + 1)], pilot[ROW * t : ROW * (t + 1)]
        for q in range(ROW):
            power = p[q] * p[q]
            gain = power / (power + variance[q])
            s[q] *= gain
            left[q] += gain * gain * variance[q]


@compiled
def _weights(left: Floats, grouped: bool, floor: float, weights: Floats) -> None:
    """The inverse of the noise variance left in each volume, in a group as a whole."""
    weights[:] = ZERO
    for p in range(AREA):
        for m in range(MEMBERS):
            weights[m] += left[MEMBERS * p + m]
    if grouped:
        total = ZERO
        for m in range(MEMBERS):
            total += weights[m]
        weights[:] = total
    for m in range(MEMBERS):
        weights[m] = ONE / max(weights[m], floor)


@compiled
def _unload(stack: Floats, t: int, grouped: bool, blocks: Floats) -> None:
    """The blocks of frame t of a stack, (MEMBERS, 128)."""
    b = stack[ROW * t : ROW * (t + 1)]
    for i in range(8):
        for j in range(8):
            k, q = 16 * i + j, 64 * i + 8 * j
            r = (b[q], b[q + 1], b[q + 2], b[q + 3], b[q + 4], b[q + 5], b[q + 6], b[q + 7])
            if grouped:
                r = ihaar8(r[0], r[1], r[2], r[3], r[4], r[5], r[6], r[7])
            blocks[0, k], blocks[1, k], blocks[2, k], blocks[3, k] = r[0], r[1], r[2], r[3]
            blocks[4, k], blocks[5, k], blocks[6, k], blocks[7, k] = r[4], r[5], r[6], r[7]


@compiled
def _add(
    sums: Floats, weights: Floats, stride: int, y: int, x: int, block: Floats, weight: float, window: Floats
) -> None:
    """Add a block to the running sums."""
    for i in range(8):
        at = (y + PAD + i) * stride + x + PAD
        s, n = sums[at : at + 8], weights[at : at + 8]
        b, w = block[16 * i : 16 * i + 8], window[8 * i : 8 * i + 8]
        for j in range(8):
            s[j] += weight * w[j] * b[j]
            n[j] += weight * w[j]


@compiled
def _temporal_matrices(valid: Flags, cells: Ints, count: int, apart: Floats, table: Floats) -> bool:
    """The temporal transform of each volume, over its valid frames; whether one serves all."""
    frames = valid.shape[2]
    same = True
    for m in range(count):
        iy, ix = cells[m, 0], cells[m, 1]
        used = 0
        for t in range(frames):
            used += valid[iy, ix, t]
        same = same and used == frames
        column = 0
        for t in range(FRAMES):
            inside = t < frames and valid[iy, ix, min(t, frames - 1)]
            for r in range(FRAMES):
                apart[r, t, m] = table[used, r, column] if inside else ZERO
            column += inside
    return same


@compiled
def denoise_volumes(
    noisy: Floats,
    pilot: Floats,
    stride: int,
    reference: int,
    ys: Ints,
    xs: Ints,
    near_y: Ints,
    near_x: Ints,
    first: int,
    last: int,
    places: Floats,
    valid: Flags,
    variance: Floats,
    threshold: float,
    reach: int,
    bottom: int,
    right: int,
    low: int,
    high: int,
    window: Floats,
    taps: Floats,
    table: Floats,
    sums: Floats,
    weights: Floats,
) -> None:
    """Filter the volumes of the grid's rows first..last-1 and add them to the running sums.

    `noisy` and `pilot` are (T, C, samples); without a pilot (T = 0) coefficients are thresholded at `threshold`
    standard deviations and every frame is added to `sums` and `weights` (T, C, samples); with one they are weighed
    by Wiener's rule and only the reference frame is added, for what was sampled between pixels cannot be put back
    (1, C, samples). With a `reach` above 0 each volume is joined by the seven most similar within so many pixels.
    `variance` (C, 64) is the noise's, by spatial frequency. Blocks that leave the rows low..high-1 are not added.
    """
    frames, channels = noisy.shape[0], noisy.shape[1]
    hard, grouped = pilot.shape[0] == 0, reach > 0
    stack, spectrum = np.zeros(FRAMES * ROW, np.float32), np.zeros(FRAMES * ROW, np.float32)
    other, guess = np.zeros(FRAMES * ROW, np.float32), np.zeros(FRAMES * ROW, np.float32)
    scratch, blocks, wide = np.zeros(136, np.float32), np.zeros((MEMBERS, 128), np.float32), np.zeros(576, np.float32)
    left, noise = np.zeros(ROW, np.float32), np.zeros((channels, ROW), np.float32)
    for c in range(channels):
        for q in range(ROW):
            noise[c, q] = variance[c, q // MEMBERS]
    bound = np.float32(threshold * threshold) * noise
    where, share = np.zeros((frames, MEMBERS, 2), np.float32), np.zeros(MEMBERS, np.float32)
    found, cells = np.zeros((MEMBERS, 2), np.int64), np.zeros((MEMBERS, 2), np.int64)
    apart = np.zeros((FRAMES, FRAMES, MEMBERS), np.float32)
    matrix, back = np.zeros((FRAMES, FRAMES), np.float32), np.zeros((FRAMES, FRAMES), np.float32)
    back_apart = np.zeros((FRAMES, FRAMES, MEMBERS), np.float32)
    columns = len(xs)
    total, step = (last - first) * columns, 1 if grouped else MEMBERS
    for number in range(0, total, step):
        count = min(step, total - number)
        for m in range(MEMBERS):
            k = number + (0 if grouped else min(m, count - 1))
            cells[m, 0], cells[m, 1] = first + k // columns, k % columns
        if grouped:
            find_similar(pilot[reference, 0], stride, ys[cells[0, 0]], xs[cells[0, 1]], reach, bottom, right, found)
        for m in range(MEMBERS):
            iy, ix = cells[m, 0], cells[m, 1]
            shift_y, shift_x = 0, 0
            if grouped:
                if m > 0:
                    iy, ix = near_y[found[m, 0]], near_x[found[m, 1]]
                shift_y, shift_x = found[m, 0] - ys[iy], found[m, 1] - xs[ix]
            for t in range(frames):
                where[t, m, 0] = min(max(places[iy, ix, t, 0] + shift_y, ZERO), np.float32(bottom))
                where[t, m, 1] = min(max(places[iy, ix, t, 1] + shift_x, ZERO), np.float32(right))
        same = _temporal_matrices(valid, cells, MEMBERS, apart, table) or grouped
        for r in range(FRAMES):
            for t in range(FRAMES):
                matrix[r, t] = apart[r, t, 0]
                back[t, r] = apart[r, t, 0]
                for m in range(MEMBERS):
                    back_apart[t, r, m] = apart[r, t, m]
        if not hard:  # only the reference frame is wanted back
            back[0] = back[reference]
            back_apart[0] = back_apart[reference]
        returned = frames if hard else 1
        for c in range(channels):
            _load(noisy, c, stride, where, grouped, taps, scratch, blocks, stack)
            if same:
                combine_frames(stack, matrix, frames, spectrum)
            else:
                combine_frames_apart(stack, apart, frames, wide, spectrum)
            if hard:
                _threshold(spectrum, frames, bound[c], noise[c], left)
            else:
                _load(pilot, c, stride, where, grouped, taps, scratch, blocks, other)
                if same:
                    combine_frames(other, matrix, frames, guess)
                else:
                    combine_frames_apart(other, apart, frames, wide, guess)
                _wiener(spectrum, guess, frames, noise[c], left)
            if same:
                combine_frames(spectrum, back, returned, stack)
            else:
                combine_frames_apart(spectrum, back_apart, returned, wide, stack)
            from_spatial_spectrum(stack, returned)
            _weights(left, grouped, variance[c, 0], share)
            for k in range(returned):
                t = k if hard else reference
                _unload(stack, k, grouped, blocks)
                for m in range(MEMBERS if grouped else count):
                    y, x = int(where[t, m, 0]), int(where[t, m, 1])
                    if y < low or y + 8 > high or not valid[cells[m, 0], cells[m, 1], t]:
                        continue
                    _add(sums[k, c], weights[k, c], stride, y, x, blocks[m], share[m], window)


__all__ = ["TEMPORAL", "denoise_volumes"]

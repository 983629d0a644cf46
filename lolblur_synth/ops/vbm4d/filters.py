"""Shrinkage of volumes in their spectrum and aggregation of what is left, compiled by numba."""

from typing import TYPE_CHECKING

import numpy as np

from lolblur_synth.ops.vbm4d.trajectories import find_similar, trace
from lolblur_synth.ops.vbm4d.transforms import (
    AREA,
    FRAMES,
    MEMBERS,
    ONE,
    PAD,
    REACH,
    ROW,
    SIDE,
    TAPS,
    TEMPORAL,
    WIDE,
    WINDOW,
    ZERO,
    Flags,
    Floats,
    Ints,
    Real,
    bands,
    combine_frames,
    combine_frames_apart,
    compiled,
    from_spatial_spectrum,
    haar8,
    ihaar8,
    sample,
    sample_surrounding,
    to_spatial_spectrum,
)
from lolblur_synth.threads import Map

if TYPE_CHECKING:
    from lolblur_synth.ops.vbm4d.stages import Job


@compiled
def _load(
    planes: Floats,
    channel: int,
    stride: int,
    places: Floats,
    found: Ints,
    grouped: bool,
    taps: Floats,
    scratch: Floats,
    blocks: Floats,
    stack: Floats,
) -> None:
    """Fill a stack with the blocks at `places` (T, MEMBERS, 2) and their DCT; across a group by Haar's wavelet.

    The members of a group lie as `found` about the first one and move as it does: one surrounding is sampled for all.
    """
    for t in range(planes.shape[0]):
        if grouped:
            sample_surrounding(planes[t, channel], stride, places[t, 0, 0], places[t, 0, 1], taps, scratch, blocks)
        else:
            for m in range(MEMBERS):
                block = blocks[128 * m : 128 * (m + 1)]
                sample(planes[t, channel], stride, places[t, m, 0], places[t, m, 1], taps, scratch, block)
        b = stack[ROW * t : ROW * (t + 1)]
        for i in range(8):
            if grouped:
                o = (REACH - found[0, 0] + i) * WIDE + REACH - found[0, 1]
                a0, a1 = o + found[0, 0] * WIDE + found[0, 1], o + found[1, 0] * WIDE + found[1, 1]
                a2, a3 = o + found[2, 0] * WIDE + found[2, 1], o + found[3, 0] * WIDE + found[3, 1]
                a4, a5 = o + found[4, 0] * WIDE + found[4, 1], o + found[5, 0] * WIDE + found[5, 1]
                a6, a7 = o + found[6, 0] * WIDE + found[6, 1], o + found[7, 0] * WIDE + found[7, 1]
            else:
                o = 16 * i
                a0, a1, a2, a3, a4, a5, a6, a7 = o, o + 128, o + 256, o + 384, o + 512, o + 640, o + 768, o + 896
            m0, m1, m2, m3 = blocks[a0 : a0 + 8], blocks[a1 : a1 + 8], blocks[a2 : a2 + 8], blocks[a3 : a3 + 8]
            m4, m5, m6, m7 = blocks[a4 : a4 + 8], blocks[a5 : a5 + 8], blocks[a6 : a6 + 8], blocks[a7 : a7 + 8]
            for j in range(8):
                q = 64 * i + 8 * j
                r = (m0[j], m1[j], m2[j], m3[j], m4[j], m5[j], m6[j], m7[j])
                if grouped:
                    r = haar8(r[0], r[1], r[2], r[3], r[4], r[5], r[6], r[7])
                b[q], b[q + 1], b[q + 2], b[q + 3] = r[0], r[1], r[2], r[3]
                b[q + 4], b[q + 5], b[q + 6], b[q + 7] = r[4], r[5], r[6], r[7]
    to_spatial_spectrum(stack, planes.shape[0])


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
def _weights(left: Floats, grouped: bool, floor: Real, weights: Floats) -> None:
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
    """The blocks of frame t of a stack, MEMBERS times 128 samples."""
    b = stack[ROW * t : ROW * (t + 1)]
    for i in range(8):
        for j in range(8):
            k, q = 16 * i + j, 64 * i + 8 * j
            r = (b[q], b[q + 1], b[q + 2], b[q + 3], b[q + 4], b[q + 5], b[q + 6], b[q + 7])
            if grouped:
                r = ihaar8(r[0], r[1], r[2], r[3], r[4], r[5], r[6], r[7])
            blocks[k], blocks[128 + k], blocks[256 + k], blocks[384 + k] = r[0], r[1], r[2], r[3]
            blocks[512 + k], blocks[640 + k], blocks[768 + k], blocks[896 + k] = r[4], r[5], r[6], r[7]


@compiled
def _add(
    sums: Floats, weights: Floats, stride: int, y: int, x: int, block: Floats, weight: Real, window: Floats
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
    first: int,
    last: int,
    places: Floats,
    valid: Flags,
    variance: Floats,
    threshold: Real,
    grouped: bool,
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
    standard deviations and every frame is added to `sums` and `weights` (T, C, samples); with one they are weighed by
    Wiener's rule and only the reference frame is added (1, C, samples), for what was sampled between pixels cannot be
    put back. If `grouped`, each volume is joined by the seven within REACH that are most similar in the pilot.
    `variance` (C, 64) is the noise's, by spatial frequency. Blocks that leave the rows low..high-1 are not added.
    """
    frames, channels = noisy.shape[0], noisy.shape[1]
    hard = pilot.shape[0] == 0
    stack, spectrum = np.zeros(FRAMES * ROW, np.float32), np.zeros(FRAMES * ROW, np.float32)
    other, guess = np.zeros(FRAMES * ROW, np.float32), np.zeros(FRAMES * ROW, np.float32)
    blocks, wide = np.zeros(MEMBERS * 128, np.float32), np.zeros(576, np.float32)
    scratch = np.zeros(16 * WIDE + 8, np.float32)
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
    columns, step = len(xs), 1 if grouped else MEMBERS
    for iy in range(first, last):
        for ix in range(0, columns, step):
            count = min(step, columns - ix)
            for m in range(MEMBERS):
                cells[m, 0], cells[m, 1] = iy, ix + (0 if grouped else min(m, count - 1))
            if grouped:
                find_similar(pilot[reference, 0], stride, ys[iy], xs[ix], bottom, right, found)
            for m in range(MEMBERS):
                for t in range(frames):
                    where[t, m, 0] = places[iy, cells[m, 1], t, 0]
                    where[t, m, 1] = places[iy, cells[m, 1], t, 1]
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
                _load(noisy, c, stride, where, found, grouped, taps, scratch, blocks, stack)
                if same:
                    combine_frames(stack, matrix, frames, spectrum)
                else:
                    combine_frames_apart(stack, apart, frames, wide, spectrum)
                if hard:
                    _threshold(spectrum, frames, bound[c], noise[c], left)
                else:
                    _load(pilot, c, stride, where, found, grouped, taps, scratch, blocks, other)
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
                        if grouped:
                            y, x = found[m, 0], found[m, 1]
                        if y < low or y + 8 > high or not valid[cells[m, 0], cells[m, 1], t]:
                            continue
                        _add(
                            sums[k, c],
                            weights[k, c],
                            stride,
                            y,
                            x,
                            blocks[128 * m : 128 * (m + 1)],
                            share[m],
                            window,
                        )


def work(job: "Job", each: Map) -> None:
    """Trace and filter the volumes of a job, and add them to its sums.

    In bands of rows, by `each`; those that are worked on at the same time write to different rows.
    """
    settings, size, (ys, xs) = job.settings, job.size, job.grid
    frames, stride = len(job.noisy), job.noisy.shape[-1]
    bottom, right = size[0] - SIDE, size[1] - SIDE
    places = np.zeros((len(ys), len(xs), frames, 2), np.float32)
    valid = np.zeros((len(ys), len(xs), frames), np.bool_)
    noisy, guide = job.noisy.flatten(2).numpy(), job.pilot.flatten(2).numpy()
    variance = job.variance.numpy()
    sigma2 = float(job.variance[0].mean()) * settings.noise
    strips = bands(size[0])
    starts = [int(np.searchsorted(ys, top)) for top, _ in strips] + [len(ys)]

    def follow(k: int) -> None:
        rows = slice(starts[k], starts[k + 1])
        trace(
            guide, stride, job.reference, ys[rows], xs, job.forward.numpy(), job.backward.numpy(),
            sigma2, settings.allowed, settings.misfit, settings.wiener, bottom, right, TAPS, places[rows], valid[rows],
        )  # fmt: skip

    list(each(follow, range(len(strips))))

    def filter_rows(k: int) -> None:
        low = 0 if k == 0 else sum(strips[k - 1]) // 2
        high = size[0] if k + 1 == len(strips) else sum(strips[k + 1]) // 2
        denoise_volumes(
            noisy, guide if settings.wiener else guide[:0], stride, job.reference, ys, xs,
            starts[k], starts[k + 1], places, valid, variance, settings.threshold,
            settings.grouped, bottom, right, low, high, WINDOW.ravel(), TAPS, TEMPORAL,
            job.sums.flatten(2).numpy(), job.weights.flatten(2).numpy(),
        )  # fmt: skip

    for parity in (0, 1):
        list(each(filter_rows, range(parity, len(strips), 2)))

"""Motion sharpened where it meets other motion: patches that end at edges, matched again about doubtful pixels.

DIS sees patches of 16 pixels and smooths what they say: about the rim of something that moves, and at thin things, its
flow is a mixture. There, motions are tried that neighbours have, that the other flow has, and others nearby, as in
Barnes et al., "PatchMatch: A Randomized Correspondence Algorithm for Structural Image Editing", SIGGRAPH 2009; a patch
counts only what has the colour of its middle (Yoon and Kweon, "Adaptive support-weight approach for correspondence
search", TPAMI 2006). Mostly slopes are compared, as in Bleyer et al., "PatchMatch Stereo", BMVC 2011: beside a lamp the
light itself moves otherwise than what it falls on. What is random is a function of the place, and the two directions
are treated alike. Compiled for the CPU by numba.
"""

from typing import Any

import cv2
import numpy as np
from torch import Tensor

from lolblur_synth.ops.layers import (
    HALF,
    ONE,
    ZERO,
    Flags,
    Floats,
    Layers,
    Real,
    clamp,
    compiled,
    fill_hidden,
    measure_trust,
    order,
    whole,
)

_FEATURES = 3  # luma and its two slopes
_ROWS, _COLUMNS = 3, 7  # of a patch; every other row
_RADIUS = 3
_LANES = (_COLUMNS + 1) * _FEATURES  # one column more, of no weight, makes whole vectors
_EDGE = _RADIUS + 2
_LUMA = np.array([[0.299, 0.587, 0.114]], np.float32)
_BRIGHTNESS = np.float32(0.15)  # weight of luma among slopes
_MOST = np.float32(0.1)  # difference, of slopes, beyond which it does not matter how different
_SOFT = np.float32(4)  # inverse difference in colour, |R| + |G| + |B|, at which a pixel counts a quarter
_DIFFERENT = 0.1  # misfit from which on motion is doubtful, above the usual one of the picture
_USUAL = 3  # median misfits
_SHARE = 0.05  # of the picture that is doubtful at most
_SWEEPS = 4
_COARSE = 2  # of these, sweeps that look far
_FAR, _CLOSE = np.float32(12), np.float32(1)  # pixels
_TRIES = 2
_JUMP = 7  # pixels to a neighbour that is not next
_GOOD = np.float32(0.02)  # cost that needs no improvement
_MARGIN = np.float32(0.1)  # by which another motion has to be better than DIS's
_GUESS = np.float32(0.2)  # by which one has to be better that no neighbour has
_AGREE, _APART = np.float32(0.03), np.float32(4)  # cost of flows that do not lead back, full from so many pixels on
_AROUND, _STEP = 15, 7  # pixels: within so many, motion has to differ by as much, |x| + |y|, for a rim to be seen
_MASK = 0xFFFFFFFF


@compiled
def _hash(seed: int) -> int:
    """Thirty-two bits that look random: Wellons, "Prospecting for Hash Functions", 2018, lowbias32."""
    x = seed & _MASK
    x = ((x ^ (x >> 16)) * 0x7FEB352D) & _MASK
    x = ((x ^ (x >> 15)) * 0x846CA68B) & _MASK
    return x ^ (x >> 16)


@compiled
def _weigh(guide: Floats, i: int, j: int, weights: Floats) -> None:
    """Weights of the samples of a patch by likeness of their colours to its middle; their sum is 1."""
    middle = guide[i + _EDGE, 3 * (j + _EDGE) : 3 * (j + _EDGE) + 3]
    total = ZERO
    for row in range(_ROWS):
        start = 3 * (j + _EDGE - _RADIUS)
        line = guide[i + _EDGE + 2 * (row - _ROWS // 2), start : start + 3 * _COLUMNS]
        for k in range(0, 3 * _COLUMNS, 3):
            off = abs(line[k] - middle[0]) + abs(line[k + 1] - middle[1]) + abs(line[k + 2] - middle[2])
            likeness = ONE / (ONE + _SOFT * _SOFT * off * off)
            likeness *= likeness
            total += likeness
            weights[row, k] = likeness
            weights[row, k + 1] = likeness
            weights[row, k + 2] = likeness
    scale = ONE / total
    for row in range(_ROWS):
        for k in range(3 * _COLUMNS):
            weights[row, k] *= scale


@compiled
def _misfit(
    one: Floats, other: Floats, i: int, j: int, x: Real, y: Real, weights: Floats, caps: Floats, sums: Floats
) -> Real:
    """How different the patch at (i, j) is from that at a position within the other frame."""
    left, above = int(x), int(y)
    a, b = x - np.float32(left), y - np.float32(above)
    p, q, r, s = (ONE - a) * (ONE - b), a * (ONE - b), (ONE - a) * b, a * b
    here, there = (j + _EDGE - _RADIUS) * _FEATURES, (left + _EDGE - _RADIUS) * _FEATURES
    for k in range(_LANES):
        sums[k] = ZERO
    for row in range(_ROWS):
        down = 2 * (row - _ROWS // 2) + _EDGE
        patch = one[i + down, here : here + _LANES]
        upper = other[above + down, there : there + _LANES + _FEATURES]
        lower = other[above + down + 1, there : there + _LANES + _FEATURES]
        weight = weights[row]
        for k in range(_LANES):
            value = p * upper[k] + q * upper[k + _FEATURES] + r * lower[k] + s * lower[k + _FEATURES]
            sums[k] += weight[k] * min(abs(value - patch[k]), caps[k])
    t0, t1, t2, t3 = ZERO, ZERO, ZERO, ZERO
    for k in range(0, _LANES, 4):
        t0, t1, t2, t3 = t0 + sums[k], t1 + sums[k + 1], t2 + sums[k + 2], t3 + sums[k + 3]
    return (t0 + t1) + (t2 + t3)


@compiled
def _candidate(flow: Floats, back: Floats, i: int, j: int, n: int, step: int, sweep: int, reach: Real) -> Any:
    """The n-th motion to try at a pixel that has flow[:, i, j]: its own, four neighbours', the way back, or a guess."""
    height, width = flow.shape[1:]
    u, v = flow[0, i, j], flow[1, i, j]
    if 1 <= n <= 4:
        away = step if n <= 2 else step * _JUMP
        p, q = (i + away, j) if n % 2 else (i, j + away)
        if 0 <= p < height and 0 <= q < width:
            u, v = flow[0, p, q], flow[1, p, q]
    elif n == 5:
        p, q = clamp(whole(np.float32(i) + v), 0, height - 1), clamp(whole(np.float32(j) + u), 0, width - 1)
        u, v = -back[0, p, q], -back[1, p, q]
    elif n > 5:
        bits = _hash(((i * width + j) * _SWEEPS + sweep) * _TRIES + n)
        radius = reach * HALF ** np.float32(n - 6)
        u += radius * (np.float32(bits & 0xFFFF) / np.float32(32768) - ONE)
        v += radius * (np.float32(bits >> 16) / np.float32(32768) - ONE)
    return u, v


@compiled
def _sweep(
    flow: Floats, back: Floats, one: Floats, other: Floats, guide: Floats, doubtful: Flags, caps: Floats, sweep: int
) -> None:
    """Try motions at every doubtful pixel, first to last or the other way; what is good is doubtful no more."""
    height, width = doubtful.shape
    weights, sums = np.zeros((_ROWS, _LANES), np.float32), np.empty(_LANES, np.float32)
    step = -1 if sweep % 2 == 0 else 1
    reach = _FAR if sweep < _COARSE else _CLOSE
    for index in range(height * width):
        place = index if step < 0 else height * width - 1 - index
        i, j = place // width, place % width
        if not doubtful[i, j]:
            continue
        _weigh(guide, i, j, weights)
        best = ZERO
        for n in range(6 + _TRIES):
            u, v = _candidate(flow, back, i, j, n, step, sweep, reach)
            if n > 0 and abs(u - flow[0, i, j]) + abs(v - flow[1, i, j]) < np.float32(0.06):
                continue
            x = clamp(np.float32(j) + u, ZERO, np.float32(width - 1))
            y = clamp(np.float32(i) + v, ZERO, np.float32(height - 1))
            cost = _misfit(one, other, i, j, x, y, weights, caps, sums)
            p, q = whole(y), whole(x)
            cost += _AGREE * min((abs(u + back[0, p, q]) + abs(v + back[1, p, q])) / _APART, ONE)
            if n == 0:
                best = cost * (ONE - _MARGIN) if sweep == 0 else cost
            elif cost < (best if n < 6 else best * (ONE - _GUESS)):
                best = cost
                flow[0, i, j], flow[1, i, j] = u, v
            if best < _GOOD:
                doubtful[i, j] = False
                break


def _features(frame: Floats) -> Floats:
    """Luma and its slopes along x and y of an (H, W, 3) frame."""
    luma = cv2.transform(frame, _LUMA).reshape(frame.shape[:2])
    around = cv2.copyMakeBorder(luma, 1, 1, 1, 1, cv2.BORDER_REPLICATE)
    x, y = around[1:-1, 2:] - around[1:-1, :-2], around[2:, 1:-1] - around[:-2, 1:-1]
    return np.stack((luma * _BRIGHTNESS, x * HALF, y * HALF), -1)


def _framed(pixels: Floats) -> Floats:
    """Rows of samples with `_EDGE` repeated pixels on every side."""
    wide = cv2.copyMakeBorder(pixels, _EDGE, _EDGE, _EDGE, _EDGE, cv2.BORDER_REPLICATE)
    return np.asarray(wide.reshape(wide.shape[0], -1))


def _doubtful(flow: Floats, trust: Floats, one: Floats, other: Floats) -> Flags:
    """Pixels, with some about them, that differ from where they are said to go or that the other flow does not find."""
    height, width = trust.shape
    x = flow[0] + np.arange(width, dtype=np.float32)
    y = flow[1] + np.arange(height, dtype=np.float32)[:, None]
    off = cv2.absdiff(cv2.remap(other, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE), one)
    off = cv2.blur(cv2.transform(off, np.ones((1, _FEATURES), np.float32)).reshape(height, width), (3, 3))
    limit = _DIFFERENT + _USUAL * float(np.median(off[::2, ::2]))
    inside = (x >= 0) & (y >= 0) & (x <= width - 1) & (y <= height - 1)
    off[(trust < HALF) & inside] += limit
    off[~inside] = 0  # what leaves cannot be found
    limit = max(limit, float(np.quantile(off[::2, ::2], 1 - _SHARE)))
    grains = cv2.morphologyEx((off > limit).astype(np.uint8), cv2.MORPH_OPEN, np.ones((2, 2), np.uint8))
    return np.asarray(cv2.dilate(grains, np.ones((5, 5), np.uint8)) > 0)


def search(before: Floats, after: Floats, forward: Floats, backward: Floats) -> None:
    """Improve the flows (2, H, W) between two frames, (H, W, 3) sRGB in [0, 1], where they are doubtful; in place."""
    trust, back_trust = (np.empty(before.shape[:2], np.float32) for _ in range(2))
    measure_trust(forward, backward, trust)
    measure_trust(backward, forward, back_trust)
    one, other = _features(before), _features(after)
    doubtful, also = _doubtful(forward, trust, one, other), _doubtful(backward, back_trust, other, one)
    if not (doubtful.any() or also.any()):
        return
    one, other, guide, back_guide = _framed(one), _framed(other), _framed(before), _framed(after)
    caps = np.tile(np.array([_BRIGHTNESS * _MOST, _MOST, _MOST], np.float32), _COLUMNS + 1)
    for sweep in range(_SWEEPS):
        there, back = forward.copy(), backward.copy()
        _sweep(forward, back, one, other, guide, doubtful, caps, sweep)
        _sweep(backward, there, other, one, back_guide, also, caps, sweep)


def _rims(flow: Floats) -> Flags:
    """Pixels that have motions near them that are far apart: elsewhere smooth flow tears less and blurs as well."""
    near = np.ones((_AROUND, _AROUND), np.uint8)
    x, y = (cv2.dilate(plane, near) - cv2.erode(plane, near) for plane in flow)
    return np.asarray(x + y >= _STEP)


def refine(before: Tensor, after: Tensor, forward: Tensor, backward: Tensor) -> tuple[Layers, Layers]:
    """The layers of two frames (3, H, W), sRGB in [0, 1], from flows (2, H, W) that are right away from rims.

    Tensors on other devices visit the CPU.
    """
    one, other = (np.ascontiguousarray(f.permute(1, 2, 0).cpu().numpy(), np.float32) for f in (before, after))
    there, back = (np.array(flow.cpu().numpy(), np.float32, order="C") for flow in (forward, backward))
    smooth, also_smooth = there.copy(), back.copy()
    search(one, other, there, back)
    rims, also_rims = _rims(there), _rims(back)
    there, back = np.where(rims, there, smooth), np.where(also_rims, back, also_smooth)
    trust, back_trust = (np.empty(one.shape[:2], np.float32) for _ in range(2))
    measure_trust(there, back, trust)
    measure_trust(back, there, back_trust)
    there, back = fill_hidden(there, trust), fill_hidden(back, back_trust)
    there, back = np.where(rims, there, smooth), np.where(also_rims, back, also_smooth)
    return order(one, other, there, back)

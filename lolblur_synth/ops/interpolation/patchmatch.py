"""PatchMatch about inconsistent pixels: flow sharpened where it meets other motion, by patches that end at edges.

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

from lolblur_synth.kernels.jit import HALF, ONE, ZERO, Floats, Ints, Real, clamp, jit, round_half_up
from lolblur_synth.kernels.simd import Vec8, absolute, horizontal_sum, load8, minimum
from lolblur_synth.ops.interpolation.occlusion import flow_consistency, photometric_error
from lolblur_synth.ops.interpolation.tiles import is_inside

_RADIUS = 3  # pixels: patches have three rows, every other one, and seven columns
_COLUMNS = np.array([1] * (2 * _RADIUS + 1) + [0], np.float32)
_EDGE = _RADIUS + 2  # pixels: what is nearer to the border is left as it is, for there are no patches
_RED, _GREEN, _BLUE = np.float32(0.299), np.float32(0.587), np.float32(0.114)
_BRIGHTNESS = np.float32(0.3)  # weight of luma among slopes
_MOST = np.float32(0.1)  # difference, of slopes, beyond which it does not matter how different
_MOST_LUMA = np.float32(0.4)  # and of luma
_SOFT = np.float32(4)  # inverse difference in colour, |R| + |G| + |B|, at which a pixel counts a quarter
_DIFFERENT = 0.1  # photometric error from which on motion is inconsistent, above the usual one of the picture
_USUAL = 3  # median errors
_SHARE = 0.05  # of the picture that is matched again at most
_SWEEPS = 4
_COARSE = 2  # of these, sweeps that look far
_FAR, _CLOSE = np.float32(12), np.float32(1)  # pixels
_TRIES = 2
_JUMP = 7  # pixels to a neighbour that is not next
_GOOD = np.float32(0.02)  # cost that needs no improvement
_MARGIN = np.float32(0.1)  # by which another motion has to be better than DIS's
_GUESS = np.float32(0.2)  # by which one has to be better that no neighbour has
_AGREE, _APART = np.float32(0.03), np.float32(4)  # cost of flows that do not lead back, full from so many pixels on
_MASK = 0xFFFFFFFF


@jit
def _hash(seed: int) -> int:
    """Thirty-two bits that look random: Wellons, "Prospecting for Hash Functions", 2018, lowbias32."""
    x = seed & _MASK
    x = ((x ^ (x >> 16)) * 0x7FEB352D) & _MASK
    x = ((x ^ (x >> 15)) * 0x846CA68B) & _MASK
    return x ^ (x >> 16)


@jit
def _support_weights(guide: Floats, middle: int, row: int) -> Vec8:
    """Adaptive support weights of a patch row, `row` samples from that of its middle, by likeness of colour to it."""
    size, at = guide.shape[1] * guide.shape[2], middle + row - _RADIUS
    flat = guide.ravel()
    off = absolute(load8(flat, at) - flat[middle])
    off += absolute(load8(flat, at + size) - flat[middle + size])
    off += absolute(load8(flat, at + 2 * size) - flat[middle + 2 * size])
    alike = ONE / (ONE + _SOFT * _SOFT * off * off)
    return alike * alike * load8(_COLUMNS, 0)


@jit
def _patch_weights(guide: Floats, i: int, j: int) -> tuple[Vec8, Vec8, Vec8]:
    """Adaptive support weights of the rows of a patch; their sum is 1."""
    stride = guide.shape[2]
    middle = i * stride + j
    upper, own, lower = (
        _support_weights(guide, middle, -2 * stride),
        _support_weights(guide, middle, 0),
        _support_weights(guide, middle, 2 * stride),
    )
    scale = ONE / horizontal_sum(upper + own + lower)
    return scale * upper, scale * own, scale * lower


@jit
def _rows(planes: Floats, plane: int, middle: int) -> tuple[Vec8, Vec8, Vec8]:
    """The rows of a patch."""
    at, stride = plane * planes.shape[1] * planes.shape[2] + middle - _RADIUS, planes.shape[2]
    return load8(planes, at - 2 * stride), load8(planes, at), load8(planes, at + 2 * stride)


@jit
def _plane_cost(planes: Floats, plane: int, middle: int, a: Real, b: Real, patch: Any, weights: Any, cap: Real) -> Vec8:
    """How different a patch is from one that lies (a, b) of a pixel behind a middle, in one of the planes."""
    p, q, r, s = (ONE - a) * (ONE - b), a * (ONE - b), (ONE - a) * b, a * b
    stride = planes.shape[2]
    here, right = _rows(planes, plane, middle), _rows(planes, plane, middle + 1)
    below, beyond = _rows(planes, plane, middle + stride), _rows(planes, plane, middle + stride + 1)
    upper = p * here[0] + q * right[0] + r * below[0] + s * beyond[0] - patch[0]
    own = p * here[1] + q * right[1] + r * below[1] + s * beyond[1] - patch[1]
    lower = p * here[2] + q * right[2] + r * below[2] + s * beyond[2] - patch[2]
    return (
        weights[0] * minimum(absolute(upper), cap)
        + weights[1] * minimum(absolute(own), cap)
        + weights[2] * minimum(absolute(lower), cap)
    )


@jit
def _matching_cost(planes: Floats, x: Real, y: Real, patch: Any, weights: Any) -> Real:
    """Matching cost: how different a patch is, in luma and slopes, from that at a position within the other frame."""
    left, above = int(x), int(y)
    a, b = x - np.float32(left), y - np.float32(above)
    middle = above * planes.shape[2] + left
    off = _plane_cost(planes, 0, middle, a, b, patch[0], weights, _BRIGHTNESS * _MOST_LUMA)
    off += _plane_cost(planes, 1, middle, a, b, patch[1], weights, _MOST)
    return horizontal_sum(off + _plane_cost(planes, 2, middle, a, b, patch[2], weights, _MOST))


@jit
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
        p, q = (
            clamp(round_half_up(np.float32(i) + v), 0, height - 1),
            clamp(round_half_up(np.float32(j) + u), 0, width - 1),
        )
        u, v = -back[0, p, q], -back[1, p, q]
    elif n > 5:
        bits = _hash(((i * width + j) * _SWEEPS + sweep) * _TRIES + n)
        radius = reach * HALF ** np.float32(n - 6)
        u += radius * (np.float32(bits & 0xFFFF) / np.float32(32768) - ONE)
        v += radius * (np.float32(bits >> 16) / np.float32(32768) - ONE)
    return u, v


@jit
def _sweep(flow: Floats, back: Floats, one: Floats, other: Floats, guide: Floats, pending: Ints, sweep: int) -> int:
    """One iteration of PatchMatch: try motions at every pending pixel, first to last or the other way.

    Keeps those that are still not good at the front of their list and returns their number.
    """
    height, width = flow.shape[1:]
    step = -1 if sweep % 2 == 0 else 1
    reach = _FAR if sweep < _COARSE else _CLOSE
    for index in range(len(pending)):
        place = pending[index if step < 0 else len(pending) - 1 - index]
        i, j = place // width, place % width
        middle = i * width + j
        weights = _patch_weights(guide, i, j)
        patch = _rows(one, 0, middle), _rows(one, 1, middle), _rows(one, 2, middle)
        best = ZERO
        for n in range(6 + _TRIES):
            u, v = _candidate(flow, back, i, j, n, step, sweep, reach)
            if n > 0 and abs(u - flow[0, i, j]) + abs(v - flow[1, i, j]) < np.float32(0.06):
                continue
            x = clamp(np.float32(j) + u, np.float32(_EDGE), np.float32(width - 1 - _EDGE))
            y = clamp(np.float32(i) + v, np.float32(_EDGE), np.float32(height - 1 - _EDGE))
            cost = _matching_cost(other, x, y, patch, weights)
            p, q = round_half_up(y), round_half_up(x)
            cost += _AGREE * min((abs(u + back[0, p, q]) + abs(v + back[1, p, q])) / _APART, ONE)
            if n == 0:
                best = cost * (ONE - _MARGIN) if sweep == 0 else cost
            elif cost < (best if n < 6 else best * (ONE - _GUESS)):
                best = cost
                flow[0, i, j], flow[1, i, j] = u, v
            if best < _GOOD:
                pending[index if step < 0 else len(pending) - 1 - index] = -1
                break
    left = 0
    for index in range(len(pending)):
        if pending[index] >= 0:
            pending[left] = pending[index]
            left += 1
    return left


@jit
def _luma_and_slopes(frame: Floats, luma: Floats, planes: Floats) -> None:
    height, width = luma.shape
    for i in range(height):
        for j in range(width):
            luma[i, j] = _RED * frame[0, i, j] + _GREEN * frame[1, i, j] + _BLUE * frame[2, i, j]
    for i in range(height):
        above, row, below = luma[max(i - 1, 0)], luma[i], luma[min(i + 1, height - 1)]
        for j in range(width):
            planes[0, i, j] = _BRIGHTNESS * row[j]
            planes[1, i, j] = HALF * (row[min(j + 1, width - 1)] - row[max(j - 1, 0)])
            planes[2, i, j] = HALF * (below[j] - above[j])


def _features(frame: Floats) -> Floats:
    """Luma and its slopes along x and y of a frame: (3, H, W)."""
    planes = np.empty_like(frame)
    _luma_and_slopes(frame, np.empty(frame.shape[1:], np.float32), planes)
    return planes


@jit
def _keep_within(flow: Floats, off: Floats) -> None:
    """Errors of what leaves the picture, which cannot be found, become 0."""
    height, width = off.shape
    for i in range(height):
        for j in range(width):
            if not is_inside(np.float32(j) + flow[0, i, j], np.float32(i) + flow[1, i, j], height, width):
                off[i, j] = ZERO


def _inconsistent(flow: Floats, consistency: Floats, one: Floats, other: Floats) -> Ints:
    """Pixels, with some about them, that differ from where they are said to go or that the other flow does not find."""
    off = photometric_error(one, other, flow)
    limit = _DIFFERENT + _USUAL * float(np.median(off[::2, ::2]))
    off[consistency < HALF] += limit
    _keep_within(flow, off)
    if (off > limit).mean() > _SHARE:
        limit = float(np.quantile(off[::2, ::2], 1 - _SHARE))
    grains = cv2.morphologyEx((off > limit).view(np.uint8), cv2.MORPH_OPEN, np.ones((2, 2), np.uint8))
    grains = cv2.dilate(grains, np.ones((5, 5), np.uint8))
    inner = np.zeros_like(grains)
    inner[_EDGE:-_EDGE, _EDGE:-_EDGE] = grains[_EDGE:-_EDGE, _EDGE:-_EDGE]
    return np.flatnonzero(inner)


def patchmatch(before: Floats, after: Floats, forward: Floats, backward: Floats) -> tuple[Floats, Floats]:
    """PatchMatch where flows (2, H, W) between two frames (3, H, W), sRGB in [0, 1], are inconsistent; in place.

    Returns the consistency (H, W) that the flows had.
    """
    consistency, back_consistency = flow_consistency(forward, backward), flow_consistency(backward, forward)
    one, other = _features(before), _features(after)
    pending = _inconsistent(forward, consistency, one, other)
    also = _inconsistent(backward, back_consistency, other, one)
    sides = (forward, forward.copy(), pending.copy()), (backward, backward.copy(), also.copy())
    for sweep in range(_SWEEPS):
        left = _sweep(forward, sides[1][1], one, other, before, pending, sweep)
        also_left = _sweep(backward, sides[0][1], other, one, after, also, sweep)
        for found, was, places in sides:  # neither direction sees the other's news within a sweep
            was.reshape(2, -1)[:, places] = found.reshape(2, -1)[:, places]
        pending, also = pending[:left], also[:also_left]
    return consistency, back_consistency

"""Kernel of `optical_flow`: forward-backward inconsistency, compiled for the CPU."""

from typing import Any

import numpy as np

from lolblur_synth.kernels.jit import HALF, ZERO, Floats, Real, jit

STEP = 2  # pixels, along both axes, from one that is looked at to the next
_SLACK = np.float32(0.01)


@jit
def _bilinear(plane: Floats, x: Real, y: Real) -> Real:
    """A sample of (H, W) at a position within it."""
    height, width = plane.shape
    left, above = int(x), int(y)
    right, below = min(left + 1, width - 1), min(above + 1, height - 1)
    a, b = x - np.float32(left), y - np.float32(above)
    upper = plane[above, left] + a * (plane[above, right] - plane[above, left])
    lower = plane[below, left] + a * (plane[below, right] - plane[below, left])
    return upper + b * (lower - upper)


@jit
def _count(frame: Floats, other: Floats, there: Floats, back: Floats, visible: Real) -> Any:
    """Pixels whose flows visibly do not lead back, and all whose flow stays within the picture, of a fourth of them."""
    _, height, width = there.shape
    wrong, seen = 0, 0
    for i in range(0, height, STEP):
        for j in range(0, width, STEP):
            u, v = there[0, i, j], there[1, i, j]
            x, y = np.float32(j) + u, np.float32(i) + v
            if x < ZERO or y < ZERO or x > np.float32(width - 1) or y > np.float32(height - 1):
                continue
            seen += 1
            r, s = _bilinear(back[0], x, y), _bilinear(back[1], x, y)
            off = (u + r) * (u + r) + (v + s) * (v + s)
            if off > _SLACK * (u * u + v * v + r * r + s * s) + HALF:
                most = ZERO
                for k in range(frame.shape[0]):
                    most = max(most, abs(frame[k, i, j] - _bilinear(other[k], x, y)))
                wrong += int(most > visible)
    return wrong, seen


def inconsistent_share(before: Floats, after: Floats, forward: Floats, backward: Floats, visible: float) -> float:
    """The share of both frames (3, H, W) whose flows (2, H, W) differ from where they lead by more than `visible`."""
    wrong, seen = _count(before, after, forward, backward, np.float32(visible))
    back_wrong, back_seen = _count(after, before, backward, forward, np.float32(visible))
    return float((wrong + back_wrong) / max(seen + back_seen, 1))

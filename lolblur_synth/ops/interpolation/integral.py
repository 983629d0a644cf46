"""The exposure of a gap as one integral: no sub-frame is made where motion is smooth; compiled for the CPU.

Each tile of the picture adds up light at as many moments as its motion needs: what moves smoothly is traced back along
the flow at the nodes of a quadrature, and only where things meet at motion boundaries is every moment splatted, as
`warp` does it. The rule at fewer moments gives what the sum over all of them would, exactly for light that is a
polynomial of time.
"""

from functools import cache
from typing import NamedTuple

import numpy as np
from numpy.polynomial.legendre import legvander
from numpy.typing import NDArray

from lolblur_synth.kernels.jit import Floats, Ints
from lolblur_synth.ops.interpolation.integral_compiled import (
    TILE,
    find_change,
    find_range,
    integrate_smooth,
    integrate_splatted,
    keep_thresholds,
    mark,
    survey,
)
from lolblur_synth.ops.interpolation.occlusion import MotionField
from lolblur_synth.ops.interpolation.warp import Moving
from lolblur_synth.ops.linearization import Linearization

_PARTS = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64)  # into which a gap may be cut
_STILL = 0.02  # pixels in a gap: below, all there is to add up is a blend of the two frames
_ALIKE = 0.02  # in sRGB: so near, the light of their blends is the blend of their light, to 1e-4
_Motion = tuple[MotionField, MotionField]


class Rule(NamedTuple):
    """Moments of a gap, from its first frame to its second, and their weights."""

    times: Floats
    weights: Floats


@cache
def rules(factor: int) -> tuple[Rule, ...]:
    """Quadrature rules from one part to all `factor` sub-frames, each of more moments than the one before.

    The last one is the sum that they stand for, T(f) = f(0)/2 + f(1/m) + ... + f(1 - 1/m) + f(1)/2. The weights of the
    others are those of the trapezoidal rule, changed as little as makes them equal T for polynomials up to `degree_of`
    (Gregory's and Newton and Cotes' rules are of this kind).

    >>> [len(rule.times) for rule in rules(8)]
    [2, 3, 4, 5, 7, 9]
    >>> [round(float(weight), 3) for weight in rules(8)[1].weights]
    [1.375, 5.25, 1.375]
    """
    parts = [number for number in _PARTS if number < factor]
    return tuple(_rule(number, factor) for number in (*parts, factor))


def _trapezoid(parts: int, factor: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    weights = np.full(parts + 1, factor / parts)
    weights[[0, -1]] /= 2
    return np.arange(parts + 1) / parts, weights


def degree_of(parts: int) -> int:
    """The degree of the polynomials of time that a rule adds up exactly: 2 to 11."""
    return min(parts, parts // 4 * 2 + 3, 11)


def _rule(parts: int, factor: int) -> Rule:
    (nodes, weights), (fine, wanted) = _trapezoid(parts, factor), _trapezoid(factor, factor)
    if parts < factor:
        powers, sums = (legvander(2 * places - 1, degree_of(parts)).T for places in (nodes, fine))
        weights += np.linalg.pinv(powers) @ (sums @ wanted - powers @ weights)
    return Rule(nodes.astype(np.float32), weights.astype(np.float32))


def parts_at(speed: Floats) -> NDArray[np.float32]:
    """Parts into which a gap is cut at a speed, in pixels a gap.

    Waves of up to 0.2 cycles a pixel then add up wrongly by less than 0.3 % of their amplitude, up to 12 pixels.
    """
    return np.asarray(np.ceil(1 + 1.25 * speed), np.float32)


class _Tiles(NamedTuple):
    """What is to be done for each tile."""

    kinds: Ints  # its rule, flat
    near: Floats  # 1 where motions meet, and about it
    speed: Floats  # of its fastest motion, squared


def _tiles(before: Floats, after: Floats, motion: _Motion, factor: int, to_light: Linearization) -> _Tiles:
    one, other = motion
    height, width = one.z_order.shape
    shape = -(-height // TILE), -(-width // TILE)
    speed, apart, near, change, highest = (np.zeros(shape, np.float32) for _ in range(5))
    lowest = np.full(shape, np.inf, np.float32)
    survey(one.samples, other.samples, one.z_order, other.z_order, speed, apart)
    mark(speed, apart, near)
    find_change(before, after, change)
    fastest = np.sqrt(speed)
    parts = np.array([len(rule.times) - 1 for rule in rules(factor)])
    wanted = np.where((fastest < _STILL) & (change < _ALIKE), 1, parts_at(fastest))
    kinds = np.searchsorted(parts, wanted).clip(max=len(parts) - 1).astype(np.int64).ravel()
    if to_light.saturation_boost > 0:
        for frame in (before, after):
            find_range(frame, lowest, highest)
        keep_thresholds(lowest, highest, speed, to_light.clipped_from(), kinds, len(parts) - 1)
    return _Tiles(kinds, near, speed)


def integrate(
    before: Moving,
    after: Moving,
    motion: _Motion,
    factor: int,
    to_light: Linearization,
    rows: NDArray[np.float32] | None = None,
) -> NDArray[np.float32]:
    """The sum of the light (3, H, W) of a gap's sub-frames, the two frames counting half.

    `rows` are weights of sub-frames and rows (factor + 1, H) under a rolling shutter: 0 where a row is not exposed.
    """
    one, other = motion
    kinds, near, speed = _tiles(before.pixels, after.pixels, motion, factor, to_light)
    height = len(one.z_order)
    times = np.concatenate([rule.times for rule in rules(factor)])
    starts = np.cumsum([0, *(len(rule.times) for rule in rules(factor))])
    last = slice(starts[-2], starts[-1])
    weights = np.repeat(np.concatenate([rule.weights for rule in rules(factor)])[:, None], height, 1)
    if rows is not None:
        weights[last] *= rows
    total = np.zeros((3, *one.z_order.shape), np.float32)
    splines, samples = (*before.spline, *after.spline), (one.samples, other.samples)
    parameters = to_light.parameters()
    integrate_smooth(
        before.pixels, after.pixels, *splines, *samples, near, kinds, times, weights, starts,
        rows is not None, total, *parameters,
    )  # fmt: skip
    if near.any():
        integrate_splatted(
            *splines, *samples, one.z_order, other.z_order, near, speed, times[last], weights[last], total, *parameters
        )
    return total

"""The exposure of a gap as one integral: no sub-frame is made where motion is smooth; compiled for the CPU.

Each tile of the picture adds up light at as many moments as its motion needs: what moves smoothly is traced back along
the flow at the nodes of a quadrature, and only where things meet at motion boundaries is every moment splatted, as
`warp` does it. A rule of few moments gives what the sum over all of them would, exactly for light that is a polynomial
of time.
"""

from functools import cache
from typing import NamedTuple

import numpy as np
from numpy.polynomial.legendre import legvander
from numpy.typing import NDArray

from lolblur_synth.kernels.jit import Floats, Ints
from lolblur_synth.ops.interpolation.integral_compiled import (
    find_bright,
    find_change,
    find_range,
    integrate_smooth,
)
from lolblur_synth.ops.interpolation.occlusion import Motion
from lolblur_synth.ops.interpolation.splatted_compiled import integrate_splatted
from lolblur_synth.ops.interpolation.tiles import tiles_of
from lolblur_synth.ops.interpolation.warp import Moving
from lolblur_synth.ops.linearization import Linearization

_MOST = 16  # moments within a gap that a rule has: 19 pixels
_STILL = 0.02  # pixels in a gap: below, all there is to add up is a blend of the two frames
_ALIKE = 0.02  # in sRGB: so near, the light of their blends is the blend of their light, to 1e-4
_Numbers = NDArray[np.float64]


class Rule(NamedTuple):
    """Moments of a gap, from its first frame to its second, and their weights."""

    times: Floats
    weights: Floats


@cache
def rules(factor: int) -> tuple[Rule, ...]:
    """Gauss-Lobatto quadrature rules of none to factor - 1 moments between the two frames.

    The last one is the sum that they stand for, T(f) = f(0)/2 + f(1/m) + ... + f(1 - 1/m) + f(1)/2. One of n moments
    within equals it for polynomials of time up to degree 2 n + 1, as this sum is an integral over a discrete measure
    (Gautschi, "Orthogonal Polynomials: Computation and Approximation", 2004, 3.1.1). The ends cost nothing: there the
    frames are what they are.

    >>> [len(rule.times) for rule in rules(8)]
    [2, 3, 4, 5, 6, 7, 8, 9]
    >>> [round(float(weight), 3) for weight in rules(8)[1].weights]
    [1.375, 5.25, 1.375]
    """
    times, weights = np.arange(factor + 1) / factor, np.ones(factor + 1)
    weights[[0, -1]] = 0.5
    found = [_lobatto(within, times, weights) for within in range(min(factor - 1, _MOST))]
    return tuple(Rule(*(side.astype(np.float32) for side in sides)) for sides in [*found, (times, weights)])


def _lobatto(within: int, times: _Numbers, weights: _Numbers) -> tuple[_Numbers, _Numbers]:
    """Nodes are the zeros of the polynomial that is orthogonal to all lower ones by t (1 - t) times the measure.

    They are the eigenvalues of the multiplication by t among lower polynomials (Golub and Welsch, 1969).
    """
    nodes = np.array([0.0, 1.0])
    if within:
        lower = legvander(2 * times - 1, within - 1) * np.sqrt(weights * times * (1 - times))[:, None]
        basis, _ = np.linalg.qr(lower)
        nodes = np.concatenate([nodes[:1], np.linalg.eigvalsh(basis.T * times @ basis), nodes[1:]])
    powers, sums = (legvander(2 * places - 1, within + 1).T for places in (nodes, times))
    return nodes, np.asarray(np.linalg.solve(powers, sums @ weights), np.float64)


def moments_at(speed: Floats) -> Ints:
    """Moments within a gap that a speed needs, in pixels a gap.

    What is added up wrongly is then 60 dB and more below detail whose power falls with the square of frequency, as that
    of pictures does, and with exp(-(f / 0.35)^2) by a lens; and less than 0.3 % of the amplitude of waves of up to 0.2
    cycles a pixel.
    """
    return np.asarray(np.ceil(0.15 + 0.8 * speed), np.int64)


def splats_at(speed: Floats) -> Ints:
    """The same where motions meet: edges move by half a pixel from one to the next. 1, 3, 7, and so on."""
    return np.asarray(2 ** np.ceil(np.log2(np.ceil(2.5 * speed).clip(1) + 1)) - 1, np.int64)


class _Tiles(NamedTuple):
    """What is to be done for each tile."""

    rules: Ints  # of moments, flat
    bright: Floats  # 1 where light may be clipped, or is beyond white


def _tiles(
    before: Floats, after: Floats, motion: Motion, factor: int, to_light: Linearization, *, rolling: bool
) -> _Tiles:
    bright, mixed, change, highest = (tiles_of(*before.shape[1:]) for _ in range(4))
    lowest = np.full_like(highest, np.inf)
    find_change(before, after, change)
    fastest, last = np.sqrt(motion.speed), len(rules(factor)) - 1
    still = (fastest < _STILL) & (change < _ALIKE)
    chosen = np.where(still, 0, moments_at(fastest)).clip(max=last)
    near = motion.near > 0
    chosen[near] = last if rolling else splats_at(fastest[near]).clip(max=last)
    for frame in (before, after):
        find_range(frame, lowest, highest)
    boosted = to_light.saturation_boost > 0
    find_bright(lowest, highest, motion.speed, to_light.clipped_from() if boosted else np.float32(1), bright, mixed)
    if boosted:
        chosen[mixed > 0] = last  # there light has steps
    return _Tiles(chosen.ravel(), bright)


def integrate(
    before: Moving,
    after: Moving,
    motion: Motion,
    factor: int,
    to_light: Linearization,
    rows: NDArray[np.float32] | None = None,
) -> NDArray[np.float32]:
    """The sum of the light (3, H, W) of a gap's sub-frames, the two frames counting half.

    `rows` are weights of sub-frames and rows (factor + 1, H) under a rolling shutter: 0 where a row is not exposed.
    """
    (one, other), near, speed = motion
    chosen, bright = _tiles(before.pixels, after.pixels, motion, factor, to_light, rolling=rows is not None)
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
        before.pixels, after.pixels, *splines, *samples, near, bright, chosen, times, weights,
        starts, rows is not None, total, *parameters,
    )  # fmt: skip
    for rule in np.unique(chosen[near.ravel() > 0]):
        part, wanted = slice(starts[rule], starts[rule + 1]), near * (chosen == rule).reshape(near.shape)
        integrate_splatted(
            *splines, *samples, one.z_order, other.z_order, wanted, bright, speed, times[part], weights[part], total,
            *parameters,
        )  # fmt: skip
    return total

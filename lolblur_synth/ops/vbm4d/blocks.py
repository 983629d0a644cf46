"""What is filtered and where it goes, for the kernels that numba compiles: `volumes` and `groups`."""

from typing import NamedTuple

from lolblur_synth.ops.vbm4d.transforms import (
    FRAMES,
    MEMBERS,
    ONE,
    PAD,
    ROW,
    WINDOW,
    ZERO,
    Flags,
    Floats,
    Ints,
    Planes,
    Real,
    compiled,
    ihaar8,
)

QUIET = 0.15  # of the noise's energy: a frequency of time with less in the pilot is what was left of noise
_WINDOW = WINDOW.ravel()


class Frames(NamedTuple):
    """Planes of a window of frames, and the variance of their noise."""

    noisy: Planes
    pilot: Planes  # the same frames where coefficients are thresholded
    hard: bool  # they are
    stride: int
    reference: int
    variance: Floats  # (C, 64), by spatial frequency
    mean: Floats  # (C,), over the frequencies


class Traced(NamedTuple):
    """Volumes of a grid, by where their blocks are in each frame."""

    ys: Ints
    xs: Ints
    places: Floats  # (ny, nx, T, 2)
    valid: Flags  # (ny, nx, T)


class Sums(NamedTuple):
    """Running sums; blocks that leave the rows low..high-1 are not added."""

    values: Planes  # with a pilot of the reference frame alone
    weights: Planes
    low: int
    high: int


@compiled
def temporal_matrix(valid: Flags, table: Floats, matrix: Floats) -> int:
    """The DCT over the valid frames, the others left out, into `matrix` (FRAMES, FRAMES); returns their number."""
    used = 0
    for t in range(len(valid)):
        used += valid[t]
    matrix[:] = ZERO
    column = 0
    for t in range(len(valid)):
        if valid[t]:
            for r in range(FRAMES):
                matrix[r, t] = table[used, r, column]
            column += 1
    return used


@compiled
def unload(stack: Floats, grouped: bool, blocks: Floats) -> None:
    """The blocks of one frame of a stack, one after the other: (MEMBERS, 64)."""
    for p in range(0, ROW, 64):
        for j in range(8):
            k, q = p // 8 + j, p + 8 * j
            e = stack[q : q + 8]
            r = (e[0], e[1], e[2], e[3], e[4], e[5], e[6], e[7])
            if grouped:
                r = ihaar8(r[0], r[1], r[2], r[3], r[4], r[5], r[6], r[7])
            blocks[k], blocks[64 + k], blocks[128 + k], blocks[192 + k] = r[0], r[1], r[2], r[3]
            blocks[256 + k], blocks[320 + k], blocks[384 + k], blocks[448 + k] = r[4], r[5], r[6], r[7]


@compiled
def add(values: Floats, weights: Floats, stride: int, y: int, x: int, block: Floats, weight: Real) -> None:
    """Add a block to running sums (samples)."""
    at = (y + PAD) * stride + x + PAD
    for i in range(8):
        s, n = values[at : at + 8], weights[at : at + 8]
        b, w = block[8 * i : 8 * i + 8], _WINDOW[8 * i : 8 * i + 8]
        for j in range(8):
            s[j] += weight * w[j] * b[j]
            n[j] += weight * w[j]
        at += stride


@compiled
def share(left: Floats, floor: Real, shares: Floats) -> None:
    """Weights of the volumes of a stack: the inverse of the noise variance `left` in each coefficient."""
    shares[:] = ZERO
    for q in range(0, len(left), MEMBERS):
        for m in range(MEMBERS):
            shares[m] += left[q + m]
    for m in range(MEMBERS):
        shares[m] = ONE / max(shares[m], floor)

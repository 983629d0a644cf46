"""Noise estimation from a few consecutive frames: variance by brightness (Poisson-Gaussian), and power spectrum.

Small blocks of two frames are brought together by whole pixels of optical flow; what the motion leaves between pixels
is, to first order, a multiple of the blocks' gradient, and is projected out. No picture is interpolated, as that would
average noise away. Which blocks are smooth is told by the sum of the two frames, whose noise is independent of that of
their difference: choosing does not make the noise look smaller than it is.
"""

import math
from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from lolblur_synth.core.colorimetry import OPPONENT, linear_to_srgb, srgb_to_linear
from lolblur_synth.ops.denoise.anscombe import stabilize
from lolblur_synth.ops.denoise.noise_model import FLAT, NoiseModel, Space, white_noise
from lolblur_synth.ops.optical_flow import estimate_flow

Array = NDArray[np.float64]

_SIDE, _RIM = 8, 2  # pixels of a block, and those around it that its gradient needs
_BLOCKS = 7500  # that are looked at, of all pairs of frames: a third of a second
_FLOW_SIDE = 200  # pixels, about: of the shorter side of the frames whose motion is estimated
_SMOOTH = {1: 0.15, 2: 0.2}  # of all blocks, the share that counts: a lone frame has to take texture for noise
_FEW = 0.017  # of the values of a block may be clipped: two
_BINS, _FULL = 16, 20  # of brightness, and blocks that a bin must have to count
_CLIP = 0.5 / 255  # from 0 and 1
_NOTHING = 1e-12  # a variance that is none
_MISFIT = 0.05  # of a variance, that a correct model may be off: texture and motion are never quite gone
_SIGNIFICANT = 12.0  # by which chi-square must fall for a model that is less simple
_COLOURED = 0.15  # rms relative deviation from flat that a spectrum must exceed: what texture leaves reaches 0.14


def _band(taps: tuple[float, ...]) -> Tensor:
    """Correlation of 12 samples with five taps, as a matrix."""
    return torch.stack([F.pad(torch.tensor(taps, dtype=torch.float32), (at, _SIDE - 1 - at)) for at in range(_SIDE)])


_FINE = _band((0, 0, 1, 0, 0)), _band((1 / 12, -8 / 12, 0, 8 / 12, -1 / 12))
_SOFT = _band((1 / 16, 4 / 16, 6 / 16, 4 / 16, 1 / 16)), _band((-1 / 8, -2 / 8, 0, 2 / 8, 1 / 8))
_SLOPES = torch.stack(  # down and across: finely, and softly with less of the noise; one matrix is faster than filters
    [torch.kron(one, other) for keep, slope in (_FINE, _SOFT) for one, other in ((slope, keep), (keep, slope))]
)
_BASIS = torch.tensor(
    [[math.cos(math.pi * k * (2 * i + 1) / 16) / (2 if k else 8**0.5) for i in range(8)] for k in range(8)]
)  # the orthonormal DCT-II

_FREQUENCY = torch.arange(_SIDE)[:, None] + torch.arange(_SIDE)
_LOW, _HIGH = (_FREQUENCY > 0) & (_FREQUENCY < _SIDE), _FREQUENCY >= _SIDE  # of a lone frame: texture, and noise


def estimate_noise(frames: Sequence[Tensor]) -> NoiseModel:
    """Measure the noise of 1 to about 9 consecutive frames (3, H, W), sRGB in [0, 1], on any device; deterministic.

    With two or more, from the differences, along the motion, of those that are farthest apart, as a video coder copies
    noise from frame to frame; its spectrum too, which stays flat unless it clearly is not. Of a lone frame, from the
    highest frequencies of its smoothest blocks, taken for white: noise whose power sits at low ones is underestimated.
    What is clipped, or was not sent by a coder, does not count; what is left over if nothing does has no noise.
    The simplest of three models is kept that the blocks do not speak against: one variance, a line in sRGB, a line in
    linear light. Raises `ValueError` for no frames and for values that are not finite.

    >>> generator = torch.Generator().manual_seed(0)
    >>> frames = [0.5 + 10 / 255 * torch.randn(3, 96, 128, generator=generator) for _ in range(2)]
    >>> 9 < estimate_noise(frames).sigma < 11
    True
    """
    if not frames:
        raise ValueError("no frames to estimate the noise of")
    if not all(math.isfinite(float(frame.sum())) for frame in frames):
        raise ValueError("frames to estimate the noise of have values that are not finite")
    parts = _cut(frames)
    if not parts.shape[1]:
        return white_noise(0.0)
    seen = _inner(parts).mean((0, 3, 4))
    parts = parts[:, _smoothest(parts)]
    trusted = _trusted(parts)
    space, coefficients = _fit(parts, trusted)
    spectrum = FLAT
    if len(parts) == 2:
        gain, spectrum = _measure_stable(parts[:, trusted.all(1)], space, coefficients)
        coefficients = coefficients * gain
    a, b = ((red, green, blue) for red, green, blue in coefficients.tolist())
    return NoiseModel(space, a, b, spectrum, _overall_sigma(seen, space, coefficients))


def _cut(frames: Sequence[Tensor]) -> Tensor:
    """Blocks of a lone frame (1, n, 3, 12, 12), or of pairs of frames, brought together by the motion: (2, n, ...).

    Without those that move out of the frame, and those that a coder did not send: nine tenths of their values repeat.
    """
    if len(frames) == 1:
        return _take(frames[0].cpu(), *_corners(frames[0], _BLOCKS, 0))[None]
    last = len(frames) - 1
    pairs = sorted({(0, last), (0, max(1, last - 1)), (min(1, last - 1), last)})
    parts = []
    for number, pair in enumerate(pairs):
        before, after = (frames[at].cpu() for at in pair)
        y, x = _corners(before, _BLOCKS // len(pairs), number)
        to_y, to_x = _track_blocks(before, after, y, x)
        inside = (to_y >= 0) & (to_y <= after.shape[1] - _SIDE) & (to_x >= 0) & (to_x <= after.shape[2] - _SIDE)
        y, x, to_y, to_x = (at[inside] for at in (y, x, to_y, to_x))
        one, other, still = _take(before, y, x), _take(after, to_y, to_x), _take(after, y, x)
        repeats = [(one == there).float().mean((1, 2, 3)) for there in (other, still)]
        sent = torch.maximum(*repeats) < 0.9
        parts.append(torch.stack((one[sent], other[sent])))
    return torch.cat(parts, 1)


def _corners(frame: Tensor, count: int, seed: int) -> tuple[Tensor, Tensor]:
    """Upper left corners, y and x, of blocks of a frame, at most `count`, all different, spread at random."""
    rows, columns = (side // _SIDE for side in frame.shape[-2:])
    some = torch.randperm(rows * columns, generator=torch.Generator().manual_seed(seed))[:count]
    return some // columns * _SIDE, some % columns * _SIDE


def _take(frame: Tensor, y: Tensor, x: Tensor) -> Tensor:
    """Blocks with their rim: (n, 3, 12, 12)."""
    side = _SIDE + 2 * _RIM
    below, right = (_RIM + max(0, _SIDE - length) for length in frame.shape[-2:])
    padded = F.pad(frame[None], (_RIM, right, _RIM, below), "replicate")[0]
    return padded.unfold(1, side, 1).unfold(2, side, 1)[:, y, x].transpose(0, 1)


def _track_blocks(before: Tensor, after: Tensor, y: Tensor, x: Tensor) -> tuple[Tensor, Tensor]:
    """Where blocks go, by the pixel; from smaller frames, whose noise the flow can follow less."""
    factor = max(1, round(min(before.shape[1:]) / _FLOW_SIDE))
    small = [F.avg_pool2d(frame[None], factor, ceil_mode=True)[0] for frame in (before, after)]
    flow = estimate_flow(small[0], small[1])[0]
    middle = [
        ((at + _SIDE // 2) // factor).clamp(max=most - 1) for at, most in zip((y, x), flow.shape[1:], strict=True)
    ]
    dx, dy = (flow[:, middle[0], middle[1]] * factor).round().long()
    return y + dy, x + dx


def _smoothest(parts: Tensor) -> Tensor:
    """Whether a block is among the least textured of its brightness: (n,)."""
    if len(parts) == 1:
        texture = block_dct(_inner(parts[0]))[..., _LOW].square().sum((1, 2))
    else:
        grey = parts.sum((0, 2)).flatten(1)
        fine, soft = (grey @ _SLOPES.flatten(0, 1).T).view(-1, 2, 2 * _SIDE**2).var(2).unbind(1)
        texture = soft + 0.05 * fine
    order = parts.mean((0, 2, 3, 4)).argsort(stable=True)
    chosen = torch.zeros(len(order), dtype=torch.bool)
    for group in order.chunk(_BINS):
        chosen[group[texture[group].argsort(stable=True)[: math.ceil(_SMOOTH[len(parts)] * len(group))]]] = True
    return chosen


def _inner(parts: Tensor) -> Tensor:
    return parts[..., _RIM:-_RIM, _RIM:-_RIM]


def block_dct(blocks: Tensor) -> Tensor:
    """Orthonormal two-dimensional DCT-II of blocks (..., 8, 8)."""
    return _BASIS @ blocks @ _BASIS.T


def _motion_residual(parts: Tensor) -> tuple[Tensor, Tensor]:
    """Differences of blocks (n, 3, 8, 8), without their means and what their gradients explain, over sqrt 2.

    Also the directions (4, n, 3, 8, 8), of unit length over a block and its channels, that were projected out.
    """
    left = _inner(parts[0] - parts[1]) / 2**0.5
    left = left - left.mean((2, 3), keepdim=True)
    taken: list[Tensor] = []
    for slope in _SLOPES:
        unit = (parts.sum(0).flatten(2) @ slope.T).view_as(left)
        unit = unit - unit.mean((2, 3), keepdim=True)
        for other in taken:
            unit = unit - _along(unit, other)
        unit = unit / unit.square().sum((1, 2, 3), keepdim=True).sqrt().clamp(min=1e-12)
        left = left - _along(left, unit)
        taken.append(unit)
    return left, torch.stack(taken)


def _along(planes: Tensor, unit: Tensor) -> Tensor:
    return (planes * unit).sum((1, 2, 3), keepdim=True) * unit


def _variances(parts: Tensor) -> Tensor:
    """Variance of the noise of each block and channel (n, 3), spread like chi-square over its degrees of freedom."""
    if len(parts) == 1:
        return block_dct(_inner(parts[0]))[..., _HIGH].square().mean(2)
    left, taken = _motion_residual(parts)
    return left.square().sum((2, 3)) / (_SIDE**2 - 1 - taken.square().sum((0, 3, 4)))


def _trusted(parts: Tensor) -> Tensor:
    """Whether blocks (n, 3) can be measured: hardly a value is clipped, in most other blocks of the brightness too.

    Of blocks that clipping cuts into, those that happen to escape it are the less noisy ones.
    """
    inner = _inner(parts)
    clear = ((inner < _CLIP) | (inner > 1 - _CLIP)).float().mean((0, 3, 4)) < _FEW
    bins = _bins(parts)
    trusted = torch.zeros_like(clear)
    least = min(_FULL, max(1, len(clear) // _BINS))
    for channel in range(3):
        for number in range(_BINS):
            here = bins[:, channel] == number
            found = clear[here, channel]
            if found.sum() >= least and found.float().mean() > 0.9:
                trusted[here, channel] = found
    return trusted


def _bins(parts: Tensor) -> Tensor:
    return (_inner(parts).mean((0, 3, 4)) * _BINS).long().clamp(0, _BINS - 1)


def _fit(parts: Tensor, trusted: Tensor) -> tuple[Space, Array]:
    """The simplest model that the blocks do not clearly speak against: its space, and a and b per channel (2, 3)."""
    bins = _bins(parts)
    best: tuple[Space, Array] = ("srgb", np.zeros((2, 3)))
    least = math.inf
    candidates: tuple[tuple[Space, tuple[bool, ...]], ...] = (("srgb", (False, True)), ("linear", (True,)))
    for space, slopes in candidates:
        here = srgb_to_linear(parts) if space == "linear" else parts
        x, v = _inner(here).mean((0, 3, 4)), _variances(here)
        tables = [_binned(x[use, i], v[use, i], bins[use, i], len(parts)) for i, use in enumerate(trusted.unbind(1))]
        for slope in slopes:
            lines = [_line(tables[i], np.concatenate(tables[:i] + tables[i + 1 :]), slope=slope) for i in range(3)]
            misfit = math.fsum(line[2] for line in lines)
            if misfit < least - _SIGNIFICANT:
                least = misfit
                best = space, np.array([line[:2] for line in lines]).T
    return best


def _binned(x: Tensor, v: Tensor, bins: Tensor, frames: int) -> Array:
    """A row for each bin that is not empty: mean value, variance of the noise, and its relative standard error."""
    freedom = int(_HIGH.sum()) if frames == 1 else _SIDE**2 - 2
    rows = []
    for here in (bins == number for number in range(_BINS)):
        if not here.any():
            continue
        middle = float(v[here].median()) / _chi_square(freedom, 0)
        error = 1.25 * (2 / freedom / int(here.sum())) ** 0.5
        rows.append((float(x[here].mean()), middle, math.hypot(error, _MISFIT)))
    return np.array(rows).reshape(-1, 3)


def _line(own: Array, others: Array, *, slope: bool) -> tuple[float, float, float]:
    """The line through variances that none of them pulls far, as a and b, not negative, and how badly it fits.

    Those of the other channels have a hundredth of the weight: they count where a channel has hardly any of its own.
    """
    x, v, error = np.concatenate((own, others * (1, 1, 10))).T
    a, b = 0.0, float(np.median(v)) if len(v) else 0.0
    if b <= 0:
        return 0.0, 0.0, 0.0
    for _ in range(20):
        line = np.maximum(a * x + b, _NOTHING)
        off = np.abs(v / line - 1) / error
        weight = np.minimum(1, 2 / np.maximum(off, 1e-9)) / (line * error) ** 2
        a, b = _least_squares(x, v, weight, slope=slope)
    off = np.log(np.maximum(v, _NOTHING) / np.maximum(a * x + b, _NOTHING)) / error
    return a, b, float(np.minimum(off * off, 25)[: len(own)].sum())


def _least_squares(x: Array, v: Array, weight: Array, *, slope: bool) -> tuple[float, float]:
    flat = float((weight * v).sum() / weight.sum())
    through = float((weight * x * v).sum() / (weight * x * x).sum())
    spread = x - (weight * x).sum() / weight.sum()
    power = float((weight * spread * spread).sum())
    if not slope or power <= 1e-9 * float((weight * x * x).sum()):
        return 0.0, flat
    a = float((weight * spread * v).sum()) / power
    b = float((weight * (v - a * x)).sum() / weight.sum())
    if a < 0:
        return 0.0, flat
    return (a, b) if b >= 0 else (through, 0.0)


def _measure_stable(parts: Tensor, space: Space, coefficients: Array) -> tuple[Array, tuple[tuple[float, ...], ...]]:
    """What the model lacks, as a factor of the variance per channel (3,), and the spectrum of stabilised blocks."""
    if parts.shape[1] < _FULL or not coefficients.any():
        return np.ones(3), FLAT
    a, b = torch.from_numpy(coefficients).float()[:, :, None, None]
    left, taken = _motion_residual(stabilize(srgb_to_linear(parts) if space == "linear" else parts, a, b))
    share = 1 - _spectrum(taken).square().sum(0)
    lost = taken.square().sum((0, 3, 4))
    energy = left.square().sum((1, 2, 3))
    energy /= energy.median().clamp(min=_NOTHING)
    most = 2.0
    for _ in range(2):
        usual = energy < most
        gain = (left[usual].square().sum((0, 2, 3)) / (_SIDE**2 - 1 - lost[usual]).sum(0)).clamp(min=_NOTHING)
        spectrum = _spectrum(left[usual] / gain.sqrt()[:, None, None]).square().sum(0) / share[usual].sum(0) + _NOTHING
        spectrum[:, 0, 0] = _extrapolate_dc(spectrum)
        freedom = float(spectrum.sum() ** 2 / spectrum.square().sum())
        most = _chi_square(freedom, 2.33) / _chi_square(freedom, 0)
    white = spectrum.flatten(1)[:, 1:]
    chance = 2 / int(usual.sum())
    if float((white / white.mean() - 1).square().mean()) < chance * 1.5 + _COLOURED**2:
        return gain.double().numpy(), FLAT
    level = spectrum.sum() / (_SIDE**2 * (gain > 1e-6).sum())  # above 1 by what the means of blocks add
    rows = (spectrum / level).flatten(1).tolist()
    return (gain * level).double().numpy(), tuple(tuple(row) for row in rows)


def _chi_square(freedom: float, normal: float) -> float:
    """Quantile of chi-square over its degrees of freedom, where a normal variable has its own (Wilson and Hilferty)."""
    return float((1 - 2 / (9 * freedom) + normal * (2 / (9 * freedom)) ** 0.5) ** 3)


def _spectrum(planes: Tensor) -> Tensor:
    return block_dct(torch.einsum("ij,...jhw->...ihw", OPPONENT, planes))


def _extrapolate_dc(spectrum: Tensor) -> Tensor:
    """Variance of the mean: the lowest frequencies continued to 0, as flicker cannot be told from noise there."""
    across = spectrum[:, 0, 1] * (spectrum[:, 0, 1] / spectrum[:, 0, 2]) ** (1 / 3)
    down = spectrum[:, 1, 0] * (spectrum[:, 1, 0] / spectrum[:, 2, 0]) ** (1 / 3)
    return (across * down).sqrt()


def _overall_sigma(seen: Tensor, space: Space, coefficients: Array) -> float:
    """Root-mean-square standard deviation of the noise of sRGB on the scale of 255, over brightnesses (n, 3)."""
    a, b = torch.from_numpy(coefficients).float()
    if space == "srgb":
        return 255 * float((a * seen + b).mean().sqrt())
    linear = srgb_to_linear(seen)
    reach = (3 * (a * linear + b)).sqrt()  # the three nodes of Gauss-Hermite quadrature
    low, middle, high = (linear_to_srgb(at.clamp(0, 1)) for at in (linear - reach, linear, linear + reach))
    variance = (low - middle) ** 2 / 6 + (high - middle) ** 2 / 6 - ((low + high - 2 * middle) / 6) ** 2
    return 255 * float(variance.mean().sqrt())

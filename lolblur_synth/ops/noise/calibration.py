"""Noise calibration of a sensor: read and row noise of dark frames, shot noise by the photon transfer curve of flats.

The difference of two frames of one exposure has twice their noise, and neither fixed pattern nor shading. Frames are
(H, W) of integers, the raw samples of a Bayer sensor; all results are in digital numbers.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lolblur_synth.ops.noise.levels import tukey_lambda_variance

Frame = NDArray[Any]  # of integers
Floats = NDArray[np.float64]
SITES = tuple((slice(row, None, 2), slice(column, None, 2)) for row in (0, 1) for column in (0, 1))
ROUNDING = 1 / 12  # variance of what a converter rounds
_HIGH, _WIDE = 8, 32  # samples of one colour in a block of a flat
_DARK_SIDE = 32  # likewise of a dark frame, whose light is looked at
_NORMAL = 2 / np.pi**0.5  # Gini's mean difference of a normal distribution, in standard deviations
_NEARLY_NORMAL = 0.004  # of that: a Tukey-lambda distribution of shape 0.11 to 0.17 cannot be told from it
_SHAPES = -0.45, 1.0  # of Tukey-lambda distributions that are looked for
_FULL = 0.9  # of the way to saturation, above which samples of a block may be clipped
_STRANGE = 5.0  # standard deviations of a correlation: a block with another difference than noise
_CORRELATION_ERROR = (_HIGH * _WIDE * (_HIGH - 1) / _HIGH) ** -0.5  # standard error of a block's correlation
_FEW, _CORRELATED = 0.05, 0.04  # share of blocks, and correlation of all, that something else than noise must exceed
_BINS = 24  # of the curve


@dataclass(frozen=True)
class DarkPair:
    """What two dark frames tell; variances of one frame."""

    black: tuple[float, ...]  # mean of each site
    read: float  # variance of a pixel within its row
    row: float  # variance of an offset that a row shares
    gini: float  # mean absolute difference of a pixel between the frames, within rows
    uneven: float  # how much brighter a place is than the whole: 99th percentile of blocks above their median
    floor: float  # share of samples that are 0


@dataclass(frozen=True)
class DarkNoise:
    """Noise without light."""

    black: tuple[float, ...]
    read: float  # variance; what rounding adds is taken off
    row: float  # variance; 0 where none can be told from read noise
    tukey_lambda: float | None  # None: normal
    read_error: float  # relative standard error of the standard deviation
    row_error: float


@dataclass(frozen=True)
class FlatPair:
    """What two flat frames of one exposure tell, by block."""

    light: Floats  # mean above black
    variance: Floats  # of one frame within rows, so that row noise does not count
    correlation: Floats  # of the difference with itself a row below: 0 of noise
    clipped: NDArray[np.bool_]
    site: NDArray[np.int64]  # index of SITES

    @property
    def seen(self) -> NDArray[np.bool_]:
        """Blocks with light that is not clipped."""
        return ~self.clipped & (self.light > 0)

    @property
    def kept(self) -> NDArray[np.bool_]:
        """Of these, blocks whose difference does not correlate with itself, as that of noise does not."""
        alike: NDArray[np.bool_] = np.abs(self.correlation) < _STRANGE * _CORRELATION_ERROR
        return self.seen & alike

    @property
    def strange(self) -> bool:
        """Whether more than noise is left in the difference: in some blocks much of it, or in all of them a little."""
        seen, kept = int(self.seen.sum()), int(self.kept.sum())
        if not kept:
            return seen > 0
        mean = float(self.correlation[self.kept].mean())
        return seen - kept > _FEW * seen or abs(mean) > _CORRELATED + _STRANGE * _CORRELATION_ERROR / kept**0.5


@dataclass(frozen=True)
class TransferCurve:
    """The photon transfer curve: variance = gain x light + read."""

    gain: float  # digital numbers an electron
    gain_error: float  # relative standard error
    site_gains: tuple[float, ...]  # of each site alone
    read: float  # variance in the dark, which the fit was given, with rounding
    light: Floats  # of bins, ascending
    variance: Floats
    misfit: float  # rms of the bins' variance beside the line, relative
    blocks: int  # that were used
    clipped: float  # share of all blocks


def measure_dark(one: Frame, other: Frame) -> DarkPair:
    """Read and row noise of two dark frames (H, W): within rows, and what row means vary beyond that."""
    difference = np.subtract(one, other, dtype=np.float32)
    means: Floats = difference.mean(1, dtype=np.float64)
    within = difference - means[:, None].astype(np.float32)
    width = difference.shape[1]
    read = float(np.einsum("ij,ij->i", within, within).mean(dtype=np.float64) / (width - 1))
    row = float(means.var(ddof=1)) - read / width
    level = np.add(one, other, dtype=np.float32) / 2
    planes = [level[site] for site in SITES]
    return DarkPair(
        black=tuple(float(plane.mean(dtype=np.float64)) for plane in planes),
        read=read / 2,
        row=row / 2,
        gini=float(np.abs(within).mean(dtype=np.float64)) * (width / (width - 1)) ** 0.5,
        uneven=max(_unevenness(plane) for plane in planes),
        floor=float((one == 0).mean()),
    )


def dark_noise(pairs: Sequence[DarkPair], rows: int, columns: int) -> DarkNoise:
    """The noise of a series of dark frames of that size, each measured with the next."""
    read, row, gini = (float(np.mean([getattr(pair, name) for pair in pairs])) for name in ("read", "row", "gini"))
    freedom = 2 / 3 * len(pairs) + 1 / 3  # of neighbouring differences, which share frames
    total = read / columns + max(row, 0.0)  # variance of a row's mean
    row_error = (2 / (rows * freedom)) ** 0.5 * total
    told = row > 2 * row_error
    return DarkNoise(
        black=tuple(float(np.mean([pair.black[site] for pair in pairs])) for site in range(4)),
        read=max(read - ROUNDING, 0.0),
        row=row if told else 0.0,
        tukey_lambda=tukey_lambda_of(gini / read**0.5) if read > ROUNDING else None,
        read_error=(0.5 / (rows * columns * freedom)) ** 0.5,
        row_error=row_error / (2 * row) if told else 0.0,
    )


def tukey_lambda_of(ratio: float) -> float | None:
    """Shape of the Tukey-lambda distribution by Gini's mean difference over the standard deviation; None is normal.

    The mean difference of scale 1 is 4 / ((shape + 1)(shape + 2)), from the integral of its quantiles.

    >>> tukey_lambda_of(1.1284) is None, round(tukey_lambda_of(1.0) or 0, 2)  # the other has long tails
    (True, -0.22)
    """
    if abs(ratio / _NORMAL - 1) < _NEARLY_NORMAL:
        return None
    low, high = _SHAPES
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if _gini(middle) < ratio else (low, middle)
    return (low + high) / 2


def _gini(shape: float) -> float:
    deviation: float = tukey_lambda_variance(shape) ** 0.5
    return 4 / ((shape + 1) * (shape + 2)) / deviation


def _unevenness(plane: NDArray[Any]) -> float:
    means = _blocks(plane, _DARK_SIDE, _DARK_SIDE).mean((1, 3)).ravel()
    return float(np.percentile(means, 99) - np.median(means)) if means.size else 0.0


def _blocks(plane: NDArray[Any], high: int, wide: int) -> NDArray[Any]:
    """A plane as blocks (down, high, across, wide); what is left over at its ends is cut off."""
    down, across = plane.shape[0] // high, plane.shape[1] // wide
    return plane[: down * high, : across * wide].reshape(down, high, across, wide)


def measure_flat(one: Frame, other: Frame, black: Sequence[float], white: float) -> FlatPair:
    """Light and variance by block of two flat frames (H, W) of one exposure; `white` is where samples saturate."""
    parts = [
        _measure_site(one[site].astype(np.float32), other[site].astype(np.float32), level, white)
        for site, level in zip(SITES, black, strict=True)
    ]
    light, variance, correlation, clipped = (np.concatenate([part[at] for part in parts]) for at in range(4))
    site = np.repeat(np.arange(4), [len(part[0]) for part in parts])
    return FlatPair(light, variance, correlation, clipped > 0, site)


def _measure_site(one: NDArray[Any], other: NDArray[Any], black: float, white: float) -> Floats:
    """Light, variance, correlation and clipping of the blocks of one colour, as rows."""
    level, difference = _blocks((one + other) / 2, _HIGH, _WIDE), _blocks(one - other, _HIGH, _WIDE)
    light = level.mean((1, 3)) - black
    within = difference - difference.mean(3, keepdims=True)
    power = (within**2).sum((1, 3))
    below = (within[:, :-1] * within[:, 1:]).sum((1, 3)) * _HIGH / (_HIGH - 1)
    variance = power / (2 * _HIGH * (_WIDE - 1))
    most = np.maximum(*(_blocks(frame, _HIGH, _WIDE).max((1, 3)) for frame in (one, other)))
    least = np.minimum(*(_blocks(frame, _HIGH, _WIDE).min((1, 3)) for frame in (one, other)))
    clipped = (most >= white) | (least <= 0) | (light > _FULL * (white - black))
    correlation = below / np.maximum(power, 1e-12)
    return np.stack([part.ravel() for part in (light, variance, correlation, clipped)]).astype(np.float64)


def transfer_curve(pairs: Sequence[FlatPair], read: float) -> TransferCurve | None:
    """Fit the photon transfer curve, whose variance in the dark is that of dark frames; None where no block is left.

    A weighted least-squares line; blocks whose difference correlates with itself, which noise does not, are left out.
    """
    kept = np.concatenate([pair.kept for pair in pairs])
    if not kept.any():
        return None
    light, variance, site = (
        np.concatenate([getattr(pair, name) for pair in pairs])[kept] for name in ("light", "variance", "site")
    )
    clipped = np.concatenate([pair.clipped for pair in pairs])
    gain = _slope(light, variance, read)
    bins, means = _binned(light, variance)
    return TransferCurve(
        gain=gain,
        gain_error=_slope_error(light, variance, gain, read),
        site_gains=tuple(_slope(light[site == at], variance[site == at], read) for at in range(4)),
        read=read,
        light=bins,
        variance=means,
        misfit=float(np.sqrt(np.mean((means / (gain * bins + read) - 1) ** 2))),
        blocks=len(light),
        clipped=float(clipped.mean()),
    )


def _slope(light: Floats, variance: Floats, read: float) -> float:
    """Slope of a line through `read` at no light, each block by the inverse variance of its variance."""
    if not light.size:
        return 0.0
    gain = max(float((variance - read).sum() / light.sum()), 1e-9)
    for _ in range(4):
        weight = light / (gain * light + read) ** 2
        gain = max(float((weight * (variance - read)).sum() / (weight * light).sum()), 1e-9)
    return gain


def _slope_error(light: Floats, variance: Floats, gain: float, read: float) -> float:
    model = gain * light + read
    scatter = float(np.mean(((variance - model) / model) ** 2))
    return float((scatter / ((light / model) ** 2).sum()) ** 0.5 / gain)


def _binned(light: Floats, variance: Floats) -> tuple[Floats, Floats]:
    """Means of light and variance over bins of equal ratio."""
    edges = np.geomspace(light.min(), light.max() * (1 + 1e-9), _BINS + 1)
    bins = np.digitize(light, edges) - 1
    counts = np.bincount(bins, minlength=_BINS)[:_BINS]
    full = counts >= max(4, 0.002 * len(light))
    sums = (np.bincount(bins, values, minlength=_BINS)[:_BINS] for values in (light, variance))
    means = [values[full] / counts[full] for values in sums]
    return means[0], means[1]

"""Noise levels: how shot, read and row noise are drawn, in the forms in which cameras' calibrations are published.

All are variances, of light that is 1 where the sensor is saturated: at raw light x, variance = shot x + read, and a row
shares an offset of variance `row`.
"""

from dataclasses import dataclass
from math import exp, gamma, log
from typing import NamedTuple

import numpy as np

Interval = tuple[float, float]


class NoiseLevel(NamedTuple):
    """Shot, read and row noise that a sequence drew."""

    shot: float
    read: float
    row: float = 0.0


@dataclass(frozen=True)
class ScaledLevel:
    """A camera's shot noise and standard deviation of read noise, each times its own uniform draw (RSBlur, ECCV 2022).

    >>> ScaledLevel(1e-4, 1e-3, (1.0, 1.0)).draw(np.random.default_rng(0))
    NoiseLevel(shot=0.0001, read=1e-06, row=0.0)
    """

    shot: float
    read_std: float
    scale: Interval

    def draw(self, rng: np.random.Generator) -> NoiseLevel:
        """Draw shot, then read noise."""
        shot, read_std = self.shot * float(rng.uniform(*self.scale)), self.read_std * float(rng.uniform(*self.scale))
        return NoiseLevel(shot, read_std**2)


@dataclass(frozen=True)
class LogLinearLevel:
    """Shot noise log-uniform, log read = slope log shot + offset + N(0, spread) (Brooks et al., CVPR 2019, eq. 4).

    >>> LogLinearLevel((0.0, 0.0), 2.18, 1.2, 0.26).draw(np.random.default_rng(0))
    NoiseLevel(shot=0.0, read=0.0, row=0.0)
    """

    shot: Interval  # both 0: no noise
    slope: float
    offset: float
    spread: float

    def draw(self, rng: np.random.Generator) -> NoiseLevel:
        """Draw shot, then read noise around the line; natural logarithms."""
        low, high = self.shot
        if high == 0:
            return NoiseLevel(0.0, 0.0)
        log_shot = rng.uniform(log(low), log(high))
        return NoiseLevel(exp(log_shot), exp(self.slope * log_shot + self.offset + self.spread * rng.standard_normal()))


class LogLine(NamedTuple):
    """Natural logarithm of a scale over that of the system gain: slope, offset, standard deviation."""

    slope: float
    offset: float
    spread: float


@dataclass(frozen=True)
class CountedLevel:
    """Noise in digital numbers over the system gain K, in numbers an electron (ELD, CVPR 2020; PMN, MM 2022).

    `log_gain` is drawn uniformly; `read` is the scale of a Tukey-lambda distribution where the camera has one, else a
    standard deviation; `row` None is no row noise.
    """

    log_gain: Interval
    read: LogLine
    row: LogLine | None

    def draw(self, rng: np.random.Generator, span: int, tukey_lambda: float | None) -> NoiseLevel:
        """Draw gain, read and row noise; `span` is the number of levels from black to white."""
        log_gain = float(rng.uniform(*self.log_gain))
        read, row = (
            exp(2 * (line.slope * log_gain + line.offset + line.spread * rng.standard_normal())) / span**2
            if line
            else 0.0
            for line in (self.read, self.row)
        )
        shape = 1.0 if tukey_lambda is None else tukey_lambda_variance(tukey_lambda)
        return NoiseLevel(exp(log_gain) / span, read * shape, row)


def tukey_lambda_variance(shape: float) -> float:
    """Variance of the Tukey-lambda distribution of scale 1; finite for shapes above -1/2, pi^2 / 3 at 0.

    >>> round(tukey_lambda_variance(1.0), 4)  # uniform in [-1, 1]
    0.3333
    """
    if abs(shape) < 1e-3:  # the logistic distribution, whose neighbours lose all digits to cancellation
        return float(np.pi**2 / 3)
    return 2 / shape**2 * (1 / (1 + 2 * shape) - gamma(shape + 1) ** 2 / gamma(2 * shape + 2))

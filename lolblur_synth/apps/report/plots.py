"""Plots of a report, as data: histograms over the bands of real nights, and the rose of directions of blur."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import cos, pi, sin, sqrt

import numpy as np

from lolblur_synth.apps.report.facts import Facts
from lolblur_synth.dataset.records import PairRecord
from lolblur_synth.dataset.statistics import MEANINGS, Band, Statistics
from lolblur_synth.dataset.statistics_plot import axis_of
from lolblur_synth.dataset.summary_types import BlurSummary
from lolblur_synth.metrics.difficulty import EASY, HARD

_BINS = 36


@dataclass(frozen=True)
class Bar:
    """A bin of a histogram; places are shares of the axis, from 0 to 1."""

    left: float
    right: float
    height: float  # share of the highest bar
    count: int
    span: str


@dataclass(frozen=True)
class Mark:
    """A value on the axis of a histogram: a limit by its name, or the mean."""

    at: float
    label: str = ""


@dataclass(frozen=True)
class Histogram:
    """How a value is spread over pairs or sequences."""

    title: str
    summary: str  # in words, for those who do not see it
    bars: tuple[Bar, ...]
    ends: tuple[str, str]  # of the axis
    band: tuple[float, float] | None  # of real nights, places on the axis
    marks: tuple[Mark, ...]


@dataclass(frozen=True)
class Rose:
    """Directions of blur: a sector each as a path of SVG in a circle of radius 1, with y downwards."""

    summary: str
    sectors: tuple[tuple[str, str], ...]  # path, in words


@dataclass(frozen=True)
class Axis:
    """What a histogram shows."""

    title: str
    of: str  # pairs or sequences
    digits: int
    band: Band | None = None
    marks: tuple[tuple[float, str], ...] = ()

    def written(self, value: float) -> str:
        """A value with its digits."""
        return f"{value:.{self.digits}f}"


def histograms(facts: Facts, statistics: Sequence[Statistics]) -> Iterator[Histogram]:
    """The histograms of a dataset, of `statistics` of its pairs and of its records; none of what is unknown."""
    yield from _drawn(facts)
    for name, meaning in MEANINGS.items():
        axis = Axis(meaning.label, "pairs", meaning.digits, meaning.night)
        yield from _histogram(axis, [each[name] for each in statistics])
    limits = {record.config.interpolate.untrusted for record in facts.records.values()}
    of_pairs: Mapping[Axis, Callable[[PairRecord], float | None]] = {
        Axis("blur: mean path, pixels", "pairs", 1): lambda pair: pair.blur.mean if pair.blur else None,
        Axis("PSNR in light, dB", "pairs", 1, marks=((HARD, "hard below"), (EASY, "easy from"))): (
            lambda pair: pair.psnr_in_light
        ),
        Axis("inconsistent motion, % of the picture", "pairs", 1, marks=tuple((100 * at, "limit") for at in limits)): (
            lambda pair: None if pair.untrusted is None else 100 * pair.untrusted
        ),
    }
    records = [pair.record for pair in facts.pairs if pair.record]
    for axis, value in of_pairs.items():
        yield from _histogram(axis, [found for record in records if (found := value(record)) is not None])


def _drawn(facts: Facts) -> Iterator[Histogram]:
    draws = [record.draws for record in facts.records.values()]
    yield from _histogram(Axis("exposure that was drawn", "sequences", 3), [each.exposure for each in draws])
    yield from _histogram(
        Axis("shutter, ms", "sequences", 1), [record.shutter.milliseconds for record in facts.records.values()]
    )


def _histogram(axis: Axis, values: Sequence[float]) -> Iterator[Histogram]:
    if not values:
        return
    whole = axis_of(axis.band or Band(min(values), max(values)), values)
    low, high = whole if whole.low < whole.high else (whole.low - 0.5, whole.high + 0.5)
    counts, edges = np.histogram(values, _BINS, (low, high))
    most = max(counts.max(), 1)

    def place(value: float) -> float:
        return round(float((value - low) / (high - low)), 4)

    bars = tuple(
        Bar(
            place(left),
            place(right),
            round(float(count / most), 4),
            int(count),
            f"{axis.written(left)} to {axis.written(right)}",
        )
        for count, left, right in zip(counts, edges, edges[1:], strict=False)
        if count
    )
    mean = float(np.mean(values))
    span = f"{axis.written(min(values))} to {axis.written(max(values))}"
    told = f"{len(values)} {axis.of}, {span}, mean {axis.written(mean)}"
    if axis.band:
        told += f"; real nights {axis.written(axis.band.low)} to {axis.written(axis.band.high)}"
    yield Histogram(
        title=axis.title,
        summary=told,
        bars=bars,
        ends=(axis.written(low), axis.written(high)),
        band=(place(axis.band.low), place(axis.band.high)) if axis.band else None,
        marks=(
            Mark(place(mean)),
            *(Mark(place(at), label) for at, label in axis.marks if low <= at <= high),
        ),
    )


def rose(summary: BlurSummary) -> Rose:
    """The directions of blur, which are axes: each sector stands on both sides; areas are as the counts."""
    most = max(*summary.directions.values(), 1)
    width = 180 / len(summary.directions)
    sectors = tuple(
        (_sector(side, width, sqrt(count / most)), f"{axis}°: {count} pairs")
        for axis, count in summary.directions.items()
        if count
        for side in (axis, axis + 180)
    )
    told = ", ".join(f"{count} at {axis}°" for axis, count in summary.directions.items() if count)
    return Rose(f"{summary.pairs} pairs: {told or 'none in one direction'}; {summary.undirected} spread", sectors)


def _sector(middle: float, width: float, radius: float) -> str:
    ends = [(middle + side * 0.46 * width) * pi / 180 for side in (-1, 1)]
    (x0, y0), (x1, y1) = ((radius * cos(angle), -radius * sin(angle)) for angle in ends)
    return f"M0 0L{x0:.3f} {y0:.3f}A{radius:.3f} {radius:.3f} 0 0 0 {x1:.3f} {y1:.3f}Z"

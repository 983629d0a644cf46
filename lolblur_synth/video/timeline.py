"""Timeline of a video: slots of equal steps, and which of them each decoded frame fills."""

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from itertools import accumulate, pairwise
from statistics import median, median_low

import numpy as np

from lolblur_synth.core.errors import SequenceError
from lolblur_synth.video.advice import convert
from lolblur_synth.video.metadata import RateOrigin, VideoInfo

REORDER = 16  # frames by which H.264 and HEVC may show a frame ahead of one that it refers to
_NEAR = 2  # gaps on each side whose median tells at which speed frames are played
_DRIFT = 0.02  # of its pace by which a camera's clock may run slower or faster than on average
_COARSE = 2  # units of a time base in a step: one of two may be a step that was rounded
_REGULAR = 8  # steps of two, from which on it is told whether they come evenly
_ALIKE = 1 / 3  # by which steps of one speed may differ


@dataclass(frozen=True)
class Timeline:
    """Where decoded frames lie: `pts` and `slots` by frame, ascending; `steps` is the pts from one to its next slot.

    `unclear` are frames that follow on the one before at another speed, which does not tell how far apart both were
    filmed.
    """

    pts: list[int]
    slots: list[int]
    steps: list[float]
    unclear: list[int] = field(default_factory=list)

    @property
    def step(self) -> float:
        """The usual one."""
        return median_low(self.steps)

    def slot_at(self, pts: int) -> int:
        """The slot nearest to a pts, counted from the last frame before it."""
        before = max(0, bisect_right(self.pts, pts) - 1)
        return self.slots[before] + round((pts - self.pts[before]) / self.steps[before])


def lay_out(
    info: VideoInfo, pts: Sequence[int | None], time_base: Fraction, *, timed: bool
) -> tuple[VideoInfo, Timeline]:
    """Place the frames on a timeline of equal steps; corrects the rate of `info` where the headers tell an average.

    Where the rate of the sensor is told each stored frame is one step of it, however fast it is played: phones export
    slow motion that begins and ends at 1/240 s a frame, with 1/30 s between. What is played at the usual speed, or as
    fast as it was filmed, is sure; at any other speed frames may have been left out, and no window may cross them.
    """
    times = [value for value in pts if value is not None]
    if not timed:
        numbers = list(range(len(pts)))
        return info, Timeline(numbers, numbers, [1.0] * len(pts))
    even = even_step(times, time_base)
    step, headers_step = even or usual_step(info, times), 1 / (info.stored_fps * time_base)
    if abs(step - headers_step) <= headers_step / 1000 + Fraction(1, len(times)):  # time bases round
        step = headers_step
    else:
        measured = standard_rate(1 / (step * time_base), time_base / len(times)).limit_denominator(1001)
        info = replace(info, stored_fps=measured)
        if info.capture_origin is RateOrigin.STREAM:
            info = replace(info, capture_fps=measured, capture_origin=RateOrigin.TIMESTAMPS)
    shown, steps, unclear = list(accumulate(times, max)), [float(step)] * len(times), list[int]()
    told = info.capture_origin.is_told and not info.path.is_dir()  # numbers of pictures are counted, not played
    if told:
        steps, unclear = local_steps(shown, float(step), float(1 / (info.capture_fps * time_base)))
    slots = list(range(len(times))) if even else place(info, times, steps, each=told)
    return info, Timeline(shown, slots, steps, unclear)


def refuse_sparse(info: VideoInfo, timeline: Timeline) -> None:
    """Raise `SequenceError` where fewer than half of the slots have a frame."""
    if timeline.slots[-1] + 1 > 2 * len(timeline.slots):
        raise SequenceError(
            f"at its usual {float(info.stored_fps):g} fps more than half of the frames are missing",
            where=info.path,
            advice="a steady frame rate is needed",
        )


def standard_rate(rate: Fraction, slack: Fraction) -> Fraction:
    """Standard rate, n or n * 1000 / 1001, whose step differs by `slack` seconds at most; else `rate` itself.

    >>> standard_rate(Fraction(2997, 100), slack=Fraction(1, 1_000_000))
    Fraction(30000, 1001)
    """
    ntsc = Fraction(round(rate * Fraction(1001, 1000)) * 1000, 1001)
    nearest = min((Fraction(round(rate)), ntsc), key=lambda standard: abs(standard - rate))
    return nearest if nearest and abs(1 / nearest - 1 / rate) <= slack else rate


def usual_step(info: VideoInfo, pts: Sequence[int]) -> Fraction:
    """Mean of the gaps near the median one: exact where a time base rounds them (240 fps in ms: 4, 4, 4, 4, 4, 5).

    Then of gaps of up to three such steps, each by as many as it holds: rounded, some of two steps are near one (420
    fps with a quarter of the frames missing: 2, 2, 3, 4, 5).
    """
    gaps = [after - before for before, after in pairwise(pts) if after > before]
    if not gaps:
        raise SequenceError(
            "its timestamps stand still", where=info.path, advice=f"remux it: {convert('-c copy', info, '.mkv')}"
        )
    middle = median(gaps)
    near = [gap for gap in gaps if abs(gap - middle) <= middle / 2]
    mean = Fraction(sum(near), len(near))
    counted = [(gap, count) for gap in gaps if 1 <= (count := round(gap / mean)) <= 3]
    return Fraction(sum(gap for gap, _ in counted), sum(count for _, count in counted))


def even_step(pts: Sequence[int], time_base: Fraction) -> Fraction | None:
    """The step of frames none of which is missing, though a time base rounds some steps to two (960 fps in ms).

    Rounded times of equal steps lie within one unit of the time base about a line; those of frames that are missing
    here and there do not. None for these, and where a step is of several units, which tells itself.
    """
    gaps = np.diff(pts)
    if not len(gaps) or np.median(gaps) > _COARSE or (gaps > np.median(gaps)).sum() < _REGULAR:
        return None
    numbers, times = np.arange(len(pts)), np.asarray(pts, np.float64)

    def spread(step: Fraction) -> float:
        return float(np.ptp(times - float(step) * numbers))

    fitted = Fraction(float(np.polyfit(numbers, times, 1)[0]))
    tens = Fraction(round(1 / (fitted * time_base) / 10) * 10)
    usual = [1 / (rate * time_base) for rate in (tens, tens * Fraction(1000, 1001)) if rate]
    best = min(usual, key=spread, default=fitted)
    step = best if spread(best) <= 1 else fitted
    return step if spread(step) <= 1 + 1 / _REGULAR else None


def local_steps(pts: Sequence[int], usual: float, filmed: float) -> tuple[list[float], list[int]]:
    """The step from each frame to its next slot, and the frames before which it tells nothing about the filming.

    It is the usual one or the filmed one, where the gaps around are like it, else their median.
    """
    gaps = [after - before for before, after in pairwise(pts)]
    steps, unclear, last = list[float](), list[int](), len(gaps) - 2 * _NEAR - 1
    for number, gap in enumerate(gaps):
        start = max(0, min(number - _NEAR, last))
        near = median_low([gap for gap in gaps[start : start + 2 * _NEAR + 1] if gap] or [round(usual)])
        known = [step for step in (usual, filmed) if abs(near - step) <= _ALIKE * step]
        steps.append(known[0] if known else near)
        if gap and not (known and gap > known[0] / 2):
            unclear.append(number + 1)
    return [*steps, steps[-1]], unclear


def place(info: VideoInfo, pts: Sequence[int], steps: Sequence[float], *, each: bool = False) -> list[int]:
    """The slot nearest to each pts, or with `each` another one for every frame that is later than those before.

    The grid follows the camera's clock, as a phase-locked loop of second order: by a tenth of each deviation (0.3
    after a gap, over which a wrong pace adds up), with its pace by a little. It begins anew at another step.
    """
    expected, pace, latest, slots = float(pts[0]), 1.0, pts[0], [0]
    for number, (value, step) in enumerate(zip(pts[1:], steps, strict=False), 1):
        if step != steps[max(0, number - 2)]:
            expected, pace = float(latest), 1.0
        ahead = round((value - expected) / (pace * step))
        if ahead < -REORDER:  # by less where frames are damaged
            raise SequenceError(
                f"timestamps run backwards at frame {number}", where=info.path, advice="split the file there"
            )
        if ahead > 0:
            expected += ahead * pace * step
            deviation = value - expected
            expected += (0.1 if ahead == 1 else 0.3) * deviation
            pace = min(1 + _DRIFT, max(1 - _DRIFT, pace + 0.002 * deviation / step))
        elif each and value > latest:
            ahead, expected = 1, float(value)
        slots.append(slots[-1] + max(0, ahead))
        latest = max(latest, value)
    return slots

"""The timeline of a video: slots of equal steps, and which of them each decoded frame fills."""

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import accumulate, pairwise
from statistics import median

from lolblur_synth.errors import SequenceError
from lolblur_synth.video.metadata import VideoInfo

REORDER = 16  # frames by which H.264 and HEVC may show a frame ahead of one that it refers to


@dataclass(frozen=True)
class Timeline:
    """Where decoded frames lie: `pts` and `slots` by frame, ascending; `step` is the pts between two slots."""

    pts: list[int]
    slots: list[int]
    step: float

    def slot_at(self, pts: int) -> int:
        """The slot nearest to a pts, counted from the last frame before it."""
        before = max(0, bisect_right(self.pts, pts) - 1)
        return self.slots[before] + round((pts - self.pts[before]) / self.step)


def lay_out(info: VideoInfo, pts: Sequence[int | None], timed: bool, time_base: Fraction) -> tuple[VideoInfo, Timeline]:
    """Place the frames on a timeline of equal steps; corrects the rate of `info` where the headers tell an average."""
    times = [value for value in pts if value is not None]
    if not timed:
        numbers = list(range(len(pts)))
        return info, Timeline(numbers, numbers, 1)
    step, headers_step = usual_step(info, times), 1 / (info.stored_fps * time_base)
    if abs(step - headers_step) <= headers_step / 1000 + Fraction(1, len(times)):  # time bases round
        step = headers_step
    else:
        measured = standard_rate(1 / (step * time_base), time_base / len(times)).limit_denominator(1001)
        info = replace(info, stored_fps=measured)
        if info.capture_source == "stream rate":
            info = replace(info, capture_fps=measured, capture_source="timestamps")
    return info, Timeline(list(accumulate(times, max)), place(info, times, step), float(step))


def refuse_sparse(info: VideoInfo, timeline: Timeline) -> None:
    """Raise `SequenceError` where fewer than half of the slots have a frame."""
    if timeline.slots[-1] + 1 > 2 * len(timeline.slots):
        raise SequenceError(
            f"{info.path}: at its usual {float(info.stored_fps):g} fps more than half of the frames are missing; "
            "a steady frame rate is needed"
        )


def standard_rate(rate: Fraction, slack: Fraction) -> Fraction:
    """The standard rate, n or n * 1000 / 1001, whose step differs by `slack` seconds at most; else `rate` itself."""
    ntsc = Fraction(round(rate * Fraction(1001, 1000)) * 1000, 1001)
    nearest = min((Fraction(round(rate)), ntsc), key=lambda standard: abs(standard - rate))
    return nearest if nearest and abs(1 / nearest - 1 / rate) <= slack else rate


def usual_step(info: VideoInfo, pts: Sequence[int]) -> Fraction:
    """Mean of the gaps near the median one: exact where a time base rounds them (240 fps in ms: 4, 4, 4, 4, 4, 5)."""
    gaps = [after - before for before, after in pairwise(pts) if after > before]
    if not gaps:
        raise SequenceError(f"{info.path}: its timestamps stand still; remux it: ffmpeg -i IN -c copy OUT.mkv")
    middle = median(gaps)
    near = [gap for gap in gaps if abs(gap - middle) <= middle / 2]
    return Fraction(sum(near), len(near))


def place(info: VideoInfo, pts: Sequence[int], step: Fraction) -> list[int]:
    """The slot nearest to each pts. The grid follows the camera's clock: it moves by a tenth of each deviation."""
    gap, expected, slots = float(step), float(pts[0]), [0]
    for number, value in enumerate(pts[1:], 1):
        ahead = round((value - expected) / gap)
        if ahead < -REORDER:  # by less where frames are damaged
            raise SequenceError(f"{info.path}: timestamps run backwards at frame {number}; split the file there")
        slots.append(slots[-1] + max(0, ahead))
        if ahead > 0:
            expected += ahead * gap
            expected += 0.1 * (value - expected)
    return slots

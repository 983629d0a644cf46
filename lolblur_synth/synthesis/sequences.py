"""Which source frames make which pair: all the arithmetic of time, in fractions."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction
from math import ceil, floor, fsum
from statistics import fmean
from typing import NamedTuple

from lolblur_synth.config.run import Sequences
from lolblur_synth.synthesis.draws import Draws
from lolblur_synth.video.metadata import Flaw, FlawKind

NAMED_FRAMES = 3  # of many frames


@dataclass(frozen=True)
class Slot:
    """An output frame's place in the video: it is centred on source frame `center`."""

    index: int  # counted at the output rate from the start of the video
    center: int


class RejectKind(StrEnum):
    """Why a slot yields no pair, beside the flaws of the footage."""

    TOO_SHORT = "its sequence would be shorter than min_pairs"
    MOTION = "motion too large to be trusted"


@dataclass(frozen=True)
class Reject:
    """A slot that yields no pair, and why."""

    slot: Slot
    kinds: tuple[FlawKind | RejectKind, ...]
    frames: tuple[int, ...] = ()  # of the window, where that is
    detail: str = ""  # a figure: how short, how much of the picture

    @property
    def cause(self) -> str:
        """In words, the same for all slots that share it."""
        return " and ".join(self.kinds) + (f" = {self.detail}" if RejectKind.TOO_SHORT in self.kinds else "")

    @property
    def reason(self) -> str:
        """In words, with where it is and how much."""
        if not self.frames:
            return self.cause
        frames = ", ".join(str(frame) for frame in self.frames[:NAMED_FRAMES]) + (
            ", ..." * (len(self.frames) > NAMED_FRAMES)
        )
        return f"{self.cause} at frame {frames}" + (f" ({self.detail})" if self.detail else "")


class Metering(NamedTuple):
    """Lightness of the bright frames of a sequence as the scan saw it, CIE L*/100."""

    mean: float  # over all windows
    first: float  # in the first


@dataclass(frozen=True)
class Shutter:
    """One exposure in source frames and sub-frames."""

    gaps: int  # of one row; even, so that the middle frame exists
    factor: int  # sub-frames per gap
    milliseconds: float  # the exposure of a row that was reached, from the first to the last sub-frame
    readout: float = 0.0  # sub-frames from the first row's exposure to the last row's; 0: a global shutter

    @property
    def exposed(self) -> int:
        """Sub-frames that a row averages: always odd, ends included."""
        return self.gaps * self.factor + 1

    @property
    def margin(self) -> int:
        """Gaps before and after the middle row's exposure that a rolling shutter sees too."""
        return ceil(self.readout / (2 * self.factor))

    @property
    def half(self) -> int:
        """Source frames in the window to each side of its middle."""
        return self.gaps // 2 + self.margin

    @property
    def frames(self) -> int:
        """Source frames in the window: 7 or 9 at 250 fps, more under a rolling shutter."""
        return 2 * self.half + 1

    @property
    def sub_frames(self) -> int:
        """Sub-frames in the window: always odd, ends included."""
        return 2 * self.half * self.factor + 1

    def window(self, center: int) -> range:
        """The source frames of the exposure centred on `center`, of all rows."""
        return range(center - self.half, center + self.half + 1)


class AimLimit(StrEnum):
    """Why a wanted blur cannot be had; the value is how it is told."""

    TOO_SLOW = "motion is too slow for the longest shutter that fits"
    TOO_FAST = "motion is too fast for the shortest shutter"


@dataclass(frozen=True)
class BlurAim:
    """A wanted blur, and what the chosen shutter makes of it, by the motion that was seen in planning."""

    wanted: float  # mean path in pixels
    planned: float
    limit: AimLimit | None = None


@dataclass(frozen=True)
class Recipe:
    """What is decided of a sequence before its frames are read."""

    key: str  # of its draws
    slots: tuple[Slot, ...]
    shutter: Shutter
    draws: Draws
    metering: Metering
    holds_light: bool = False  # the footage does, beyond white
    aim: BlurAim | None = None  # None: the shutter was drawn

    @property
    def span(self) -> range:
        """The source frames from the first window to the last."""
        first, last = (self.shutter.window(self.slots[at].center) for at in (0, -1))
        return range(first.start, last.stop)

    @property
    def frames(self) -> frozenset[int]:
        """The source frames that some window holds."""
        return frozenset(number for slot in self.slots for number in self.shutter.window(slot.center))


def round_half_up(value: Fraction) -> int:
    """The nearest integer; halves go up, so that no pair of rates ever alternates."""
    return _half_up(value.numerator, value.denominator)


def _half_up(numerator: int, denominator: int) -> int:
    return (2 * numerator + denominator) // (2 * denominator)


def shutter_at(capture_fps: Fraction, shutter_ms: float, sub_frame_fps: float, rolling_ms: float = 0.0) -> Shutter:
    """The window nearest to a shutter time at a capture rate: 24 ms at 250 fps is 6 gaps of 8 sub-frames.

    `rolling_ms` is the readout time of a rolling shutter, from the first row to the last; it is not rounded.
    """
    gaps = max(2, 2 * round_half_up(capture_fps * Fraction(str(shutter_ms)) / 2000))
    factor = max(1, round_half_up(Fraction(str(sub_frame_fps)) / capture_fps))
    readout = Fraction(str(rolling_ms)) / 1000 * capture_fps * factor
    return Shutter(gaps, factor, float(1000 * gaps / capture_fps), float(readout))


def shutters_within(
    capture_fps: Fraction, output_fps: float, sub_frame_fps: float, rolling_ms: float = 0.0
) -> list[Shutter]:
    """Every shutter that fits into the period of an output frame, at least the shortest: 2 to 10 gaps at 250 fps."""
    most = max(2, floor(capture_fps / Fraction(str(output_fps))))
    times = (float(1000 * gaps / capture_fps) for gaps in range(2, most + 1, 2))
    return [shutter_at(capture_fps, time, sub_frame_fps, rolling_ms) for time in times]


def nearest_shutter(
    shutters: Sequence[Shutter], chunk: Sequence[Slot], speeds: Sequence[float], wanted: float
) -> tuple[Shutter, BlurAim]:
    """The shutter whose mean path over the windows of a sequence comes nearest to a wanted one.

    `shutters` ascending; `speeds` are pixels a gap, from the first frame of the longest shutter's first window.
    """
    start = shutters[-1].window(chunk[0].center).start

    def path(shutter: Shutter) -> float:
        first = -start - shutter.gaps // 2  # of the middle row's exposure
        return fmean(fsum(speeds[slot.center + first :][: shutter.gaps]) for slot in chunk)

    paths = [path(shutter) for shutter in shutters]
    at = min(range(len(shutters)), key=lambda number: abs(paths[number] - wanted))
    limit = AimLimit.TOO_SLOW if wanted > paths[-1] else AimLimit.TOO_FAST if wanted < paths[0] else None
    return shutters[at], BlurAim(wanted, paths[at], limit)


def slots(frames: int, capture_fps: Fraction, output_fps: float, half: int) -> list[Slot]:
    """Every output frame whose window of `half` frames to each side lies inside the video.

    250/24 is no integer: slot k is centred on frame round(k * 250 / 24), so centres are 10 or 11 frames apart.
    """
    step = capture_fps / Fraction(str(output_fps))
    first = next(k for k in range(half + 1) if round_half_up(k * step) >= half)
    found = []
    for k in range(first, floor(frames / step) + 2):
        center = _half_up(k * step.numerator, step.denominator)  # whole numbers: fractions take ten times as long
        if center + half >= frames:
            break
        found.append(Slot(k, center))
    return found


def choose(
    candidates: Sequence[Slot], flaws: Iterable[Flaw], half: int, sequences: Sequences
) -> tuple[list[list[Slot]], list[Reject]]:
    """Split a video's slots into the first and the last `pairs` sound ones, and tell why the others are left out.

    A video with fewer than two full sequences gives consecutive ones, as many as reach `min_pairs`.
    """
    sound, rejects = _without_flaws(candidates, list(flaws), half)
    length = sequences.pairs
    if sequences.per_video == 1:
        chunks = [sound[:length]]
    elif len(sound) >= 2 * length:
        chunks = [sound[:length], sound[-length:]]
    else:
        chunks = [sound[:length], sound[length:]]
    kept = [chunk for chunk in chunks if len(chunk) >= sequences.min_pairs]
    short = [slot for chunk in chunks if len(chunk) < sequences.min_pairs for slot in chunk]
    rejects += [Reject(slot, (RejectKind.TOO_SHORT,), detail=str(sequences.min_pairs)) for slot in short]
    return kept, sorted(rejects, key=lambda reject: reject.slot.index)


def _without_flaws(candidates: Sequence[Slot], flaws: list[Flaw], half: int) -> tuple[list[Slot], list[Reject]]:
    sound, rejects = [], []
    ordered = sorted(flaws, key=lambda flaw: flaw.first)
    start = 0
    for slot in candidates:
        low, high = slot.center - half, slot.center + half
        while start < len(ordered) and ordered[start].first < low:
            start += 1
        inside = []
        for flaw in ordered[start:]:
            if flaw.first > high:
                break
            if flaw.last <= high:
                inside.append(flaw)
        if inside:
            kinds = tuple(sorted({flaw.kind for flaw in inside}))
            rejects.append(Reject(slot, kinds, tuple(flaw.last for flaw in inside)))
        else:
            sound.append(slot)
    return sound, rejects

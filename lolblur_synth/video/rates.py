"""Capture rate, of the sensor: slow motion is stored at a playing rate, and cameras tell elsewhere how they filmed."""

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from lolblur_synth.core.errors import SequenceError, UserError, setting
from lolblur_synth.video.isobmff import samsung_rate
from lolblur_synth.video.metadata import RateOrigin
from lolblur_synth.video.sony import sidecars

_TAG = "com.android.capture.fps"  # Matroska has it in capitals; Apple's files tell no rate: theirs are stored as filmed


@dataclass(frozen=True)
class CaptureRate:
    """The rate of the sensor, what tells it, and the name of the tag, box or file that does."""

    fps: Fraction
    origin: RateOrigin
    detail: str = ""


def exact_rate(fps: Fraction | float) -> Fraction:
    """Frame rate as a fraction; raises `UserError` unless it is above 0.

    >>> exact_rate(239.76), exact_rate(250)
    (Fraction(240000, 1001), Fraction(250, 1))
    """
    value = float(fps)
    if not 0 < value < math.inf:
        raise UserError("a rate is above 0", where=f"{setting('video.capture_fps')} {fps}")
    if isinstance(fps, Fraction):
        return fps
    ntsc = Fraction(round(value * 1.001) * 1000, 1001)
    rounds_ntsc = abs(value - ntsc) < 0.006 < abs(value - round(value))
    return ntsc if rounds_ntsc else Fraction(value).limit_denominator(1000)


def capture_rate(
    path: Path, given: Fraction | None, file_tags: Mapping[str, str], track_tags: Mapping[str, str], stored: Fraction
) -> CaptureRate:
    """Capture rate that is given, else that a camera wrote, else as stored; `SequenceError` for what is no rate."""
    if given:
        return CaptureRate(given, RateOrigin.GIVEN)
    for origin, detail, told in _told(path, file_tags, track_tags):
        try:
            return CaptureRate(exact_rate(float(told)), origin, detail)
        except (ValueError, UserError):
            raise SequenceError(
                f"no capture rate in {origin} {detail}, but {told!r}",
                where=path,
                advice=f"give {setting('video.capture_fps')}",
            ) from None
    return CaptureRate(stored, RateOrigin.STREAM)


def _told(
    path: Path, file_tags: Mapping[str, str], track_tags: Mapping[str, str]
) -> Iterator[tuple[RateOrigin, str, str | Fraction]]:
    """Android's tag in any case and place, Samsung's box, Sony's file beside the clip, in this order."""
    for origin, tags in ((RateOrigin.TAG, file_tags), (RateOrigin.TRACK_TAG, track_tags)):
        yield from ((origin, _TAG, value) for key, value in tags.items() if key.lower() == _TAG)
    samsung = samsung_rate(path)
    if samsung is not None:
        yield RateOrigin.BOX, "smta", samsung
    for name, text in sidecars(path):
        rate = re.search(r"""captureFps\s*=\s*["']([^"']*?)[pi]?["']""", text)
        if rate:  # else it was filmed as it is stored
            yield RateOrigin.SIDECAR, name, rate[1]

"""Shutter of the source: for how long each stored frame was exposed."""

import re
from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction

LONGEST_RATIO = Fraction(103, 100)  # of a shutter to the time from frame to frame: cameras round
_NUMBER = r"[0-9]+(?:\.[0-9]+)?"
_TEXT = re.compile(rf"({_NUMBER})(?:\s*/\s*({_NUMBER}))?\s*(deg|°|ms|s)?")
_LONGEST = 60  # letters of a shutter; a number of thousands of digits would take minutes


class ShutterOrigin(StrEnum):
    """What tells for how long the source's frames were exposed; the value is how it is told."""

    GIVEN = "given"
    TAG = "tag"  # of the file or a track
    SIDECAR = "sidecar"
    TELEMETRY = "telemetry"
    PICTURE = "picture"  # the first of numbered ones
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class SourceShutter:
    """The exposure of each stored frame, as time or as an angle of the frame's period, and what tells it."""

    seconds: Fraction | None
    degrees: Fraction | None  # exactly one of the two is there
    origin: ShutterOrigin
    detail: str = ""  # name of the tag or file

    @property
    def source(self) -> str:
        """Where it is from, in words: "tag ...", "picture ExposureTime", ..."""
        return f"{self.origin} {self.detail}".rstrip()

    def time(self, fps: Fraction) -> Fraction:
        """In seconds, at a capture rate."""
        return (self.degrees or Fraction(0)) / 360 / fps if self.seconds is None else self.seconds

    def ratio(self, fps: Fraction) -> Fraction:
        """The share of the time from frame to frame that is exposed, at a capture rate; above 1 it cannot be true."""
        return self.time(fps) * fps


def parse_shutter(value: float | str) -> SourceShutter:
    """A shutter as a person or a camera writes it: seconds, such as 0.002, 1/500 or 20ms, or an angle such as 180deg.

    Raises `ValueError` for anything else, also for 0 and for more than 360 degrees.

    >>> parse_shutter("1/500").seconds, parse_shutter("180deg").degrees
    (Fraction(1, 500), Fraction(180, 1))
    """
    text = value.strip() if isinstance(value, str) else f"{value:.9f}"
    found = _TEXT.fullmatch(text) if len(text) < _LONGEST else None
    below = Fraction(found[2] or 1) if found else Fraction(0)
    number = Fraction(found[1]) / below if found and below else Fraction(0)
    degrees = bool(found and found[3] in ("deg", "°"))
    if not 0 < number <= (360 if degrees else 3600):
        raise ValueError(f"a shutter is seconds such as 1/500, or an angle such as 180deg, got {text[:_LONGEST]!r}")
    if degrees:
        return SourceShutter(None, number, ShutterOrigin.GIVEN)
    return SourceShutter(number / (1000 if found and found[3] == "ms" else 1), None, ShutterOrigin.GIVEN)


def shown_time(seconds: Fraction) -> str:
    """An exposure time as photographers write it.

    >>> shown_time(Fraction(1, 500)), shown_time(Fraction(1001, 480000)), shown_time(Fraction(2))
    ('1/500 s', '1/479.5 s', '2 s')
    """
    return f"1/{round(float(1 / seconds), 1):.10g} s" if seconds < Fraction(1, 3) else f"{float(seconds):g} s"

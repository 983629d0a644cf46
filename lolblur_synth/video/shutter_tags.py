"""Shutter of the source as a camera told it: in tags, beside the clip, in telemetry, in pictures."""

import re
import struct
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from fractions import Fraction
from pathlib import Path

from lolblur_synth.core.errors import SequenceError
from lolblur_synth.video.exif import exposure_time
from lolblur_synth.video.exr import exr_exposure, is_exr
from lolblur_synth.video.headers import UnreadableError
from lolblur_synth.video.images import read_contents
from lolblur_synth.video.isobmff import first_sample
from lolblur_synth.video.shutter import ShutterOrigin, SourceShutter, parse_shutter
from lolblur_synth.video.sony import sidecars

_ITEM = re.compile(r"""<Item\s+name\s*=\s*["'](ShutterSpeed_?(?:Time|Angle))["']\s+value\s*=\s*["']([^"']*)["']""")
_MINUTES = 60  # of an angle: a number alone in Apple's tag (SMPTE RDD 18)
_BOXES = 1000  # of telemetry that are looked at


def shutter_of_stream(path: Path, tags: Iterable[Mapping[str, str]]) -> SourceShutter | None:
    """What the tags of a file or a track tell, Sony's file beside the clip, or GoPro's telemetry, in this order."""
    for origin, detail, told in _told(path, tags):
        with suppress(ValueError):
            found = parse_shutter(told)
            return SourceShutter(found.seconds, found.degrees, origin, detail)
    seconds = _telemetry(path)
    return SourceShutter(seconds, None, ShutterOrigin.TELEMETRY, "SHUT") if seconds else None


def shutter_of_picture(path: Path, largest: int) -> SourceShutter | None:
    """What the first of numbered pictures tells: Exif's ExposureTime, or expTime of OpenEXR."""
    with suppress(SequenceError, UnreadableError):
        if is_exr(path):
            seconds, detail = exr_exposure(path), "expTime"
        else:
            seconds, detail = exposure_time(read_contents(path, largest)), "ExposureTime"
        return SourceShutter(seconds, None, ShutterOrigin.PICTURE, detail) if seconds else None
    return None


def _told(path: Path, tags: Iterable[Mapping[str, str]]) -> Iterator[tuple[ShutterOrigin, str, str]]:
    for name, value in (tag for some in tags for tag in some.items()):
        plain = re.sub("[^a-z]", "", name.lower())
        if plain.endswith(("shutterspeedtime", "shutterspeedangle")):  # Apple's, with whatever between the words
            minutes = plain.endswith("angle") and re.fullmatch("[0-9]{1,9}", value.strip())
            yield ShutterOrigin.TAG, name, f"{Fraction(int(value), _MINUTES)}deg" if minutes else value
    for file, text in sidecars(path):
        for name, value in _ITEM.findall(text):
            if name.endswith("Time") or value.endswith("deg"):  # of numbers alone, makers mean different units
                yield ShutterOrigin.SIDECAR, file, value


def _telemetry(path: Path) -> Fraction | None:
    """The first exposure time in GoPro's telemetry."""
    sample = first_sample(path, b"gpmd")  # which older PyAV cannot be asked for
    return next(shutters_in(sample), None) if sample else None


def shutters_in(data: bytes) -> Iterator[Fraction]:
    """The first exposure time of each stream of them in a sample of telemetry (GPMF).

    Which is key, type, size, repeat, and data on whole words; of type 0 it is more of that. SHUT is floats of seconds.
    """
    spans, looked = [(0, len(data))], 0
    while spans:
        at, end = spans.pop()
        while at + 8 <= end and looked < _BOXES:
            looked += 1
            key, kind, size, count = struct.unpack_from(">4scBH", data, at)
            start, at = at + 8, at + 8 + (size * count + 3) // 4 * 4
            if kind == b"\0":
                spans.append((start, min(end, start + size * count)))
            elif key == b"SHUT" and kind == b"f" and count and start + 4 <= end:
                seconds = struct.unpack_from(">f", data, start)[0]
                if 0 < seconds < 1:
                    yield Fraction(seconds).limit_denominator(1_000_000)

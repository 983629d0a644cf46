"""Exif: the exposure time that a camera wrote into a JPEG, PNG, WebP or TIFF file."""

import struct
from collections.abc import Iterator
from fractions import Fraction
from itertools import islice

from lolblur_synth.video.headers import JPEG, PNG, WEBP
from lolblur_synth.video.tiff import SIGNATURES

_EXIF_IFD, _EXPOSURE_TIME = 0x8769, 0x829A  # tags (Exif 3.0, sections 4.6.3 and 4.6.6.7)
_LONG, _RATIONAL = 4, 5
_MOST = 4096  # entries, chunks and segments that are looked at: no file can keep us busy


def exposure_time(data: bytes) -> Fraction | None:
    """ExposureTime in seconds of a picture file, which may be damaged; None where none is told."""
    try:
        return next((time for block in islice(_blocks(data), _MOST) if (time := _time_in(block)) is not None), None)
    except (struct.error, IndexError):
        return None


def _blocks(data: bytes) -> Iterator[bytes]:
    """What in a file has the form of TIFF, as Exif does."""
    if data.startswith(SIGNATURES[:2]):
        yield data
    elif data.startswith(PNG):
        yield from (body for kind, body in _chunks(data, len(PNG), ">I4s", after=4) if kind == b"eXIf")
    elif data.startswith(WEBP):
        chunks = _chunks(data, 12, "<4sI", after=0)
        yield from (body.removeprefix(b"Exif\0\0") for kind, body in chunks if kind == b"EXIF")
    elif data.startswith(JPEG):
        yield from _segments(data)


def _chunks(data: bytes, at: int, head: str, after: int) -> Iterator[tuple[bytes, bytes]]:
    """Kind and body of the chunks of PNG or RIFF."""
    while at + 8 <= len(data):
        one, other = struct.unpack_from(head, data, at)
        kind, length = (one, other) if isinstance(one, bytes) else (other, one)
        yield kind, data[at + 8 : at + 8 + length]
        at += 8 + length + (after or length % 2)


def _segments(data: bytes) -> Iterator[bytes]:
    """Exif in the segments of a JPEG before its scan."""
    at = 2
    while data[at] == 0xFF and data[at + 1] not in (0xDA, 0xD9):
        if data[at + 1] == 0xFF:  # fills
            at += 1
            continue
        length = struct.unpack_from(">H", data, at + 2)[0]
        body = data[at + 4 : at + 2 + length]
        if data[at + 1] == 0xE1 and body.startswith(b"Exif\0\0"):
            yield body[6:]
        at += 2 + length


def _time_in(block: bytes) -> Fraction | None:
    """In the first directory, where TIFF/EP has it, or in that of Exif."""
    order = "<" if block[:2] == b"II" else ">"
    first = _directory(block, order, struct.unpack_from(f"{order}I", block, 4)[0])
    inner = first.get(_EXIF_IFD)
    found = first | (_directory(block, order, inner[1]) if inner and inner[0] == _LONG else {})
    kind, at = found.get(_EXPOSURE_TIME, (0, 0))
    if kind != _RATIONAL:
        return None
    above, below = struct.unpack_from(f"{order}2I", block, at)
    return Fraction(above, below) if above and below else None


def _directory(block: bytes, order: str, at: int) -> dict[int, tuple[int, int]]:
    """Kind, and value or place, of each tag of a directory."""
    count = min(struct.unpack_from(f"{order}H", block, at)[0], _MOST)
    entries = (struct.unpack_from(f"{order}HHII", block, at + 2 + 12 * number) for number in range(count))
    return {tag: (kind, value) for tag, kind, _, value in entries}

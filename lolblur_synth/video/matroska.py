"""Matroska files (RFC 9559): their timestamp scale, as FFmpeg counts milliseconds only, and Dolby Vision's data."""

import mmap
import re
import zlib
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

SCALE = 1000  # nanoseconds; mkvmerge takes no less
_SEGMENT, _INFO, _TIMESTAMP_SCALE = 0x18538067, 0x1549A966, 0x2AD7B1
_TAGS, _TAG, _SIMPLE_TAG, _TAG_NAME, _TAG_STRING = 0x1254C367, 0x7373, 0x67C8, 0x45A3, 0x4487
_CRC = 0xBF

_HEAD, _MAGIC = 1 << 20, b"\x1a\x45\xdf\xa3"  # bytes that hold what is said of tracks, before any frame
_DOLBY_VISION = re.compile(rb"\x41\xe7\x84dv[cvw]C.{0,64}?\x41\xed[\x85-\x98](.{5})", re.DOTALL)  # its type, its data

Element = tuple[int, int, int]  # its ID, and from where to where its content lies


def count_microseconds(path: Path) -> None:
    """Have the timestamps of a file that FFmpeg wrote, which count milliseconds, count microseconds instead.

    For a file whose muxer was given microseconds and told that they are milliseconds. Raises `OSError`.
    """
    with path.open("r+b") as file, mmap.mmap(file.fileno(), 0) as data:
        segment = next(element for element in _elements(data, 0, len(data)) if element[0] == _SEGMENT)
        missing = {_INFO: _set_scale, _TAGS: _set_duration}
        for name, start, stop in _elements(data, *segment[1:]):
            if name in missing:
                missing.pop(name)(data, start, stop)
                _set_checksum(data, start, stop)
            if not missing:
                return
    raise OSError(f"{path}: a Matroska file without what FFmpeg writes into each")


def dolby_vision(path: Path) -> bytes:
    """The first bytes of the configuration of Dolby Vision beside a track, or nothing. Raises `OSError`."""
    with path.open("rb") as file:
        found = _DOLBY_VISION.search(file.read(_HEAD)) if file.read(len(_MAGIC)) == _MAGIC else None
    return found[1] if found else b""


def _set_scale(data: mmap.mmap, start: int, stop: int) -> None:
    for name, at, end in _elements(data, start, stop):
        if name == _TIMESTAMP_SCALE:
            data[at:end] = SCALE.to_bytes(end - at)


def _set_duration(data: mmap.mmap, start: int, stop: int) -> None:
    """The tag DURATION tells in words what the scale has made a thousandth."""
    name = b""
    for kind, at, end in _elements(data, start, stop):
        if kind in (_TAG, _SIMPLE_TAG):
            _set_duration(data, at, end)
        elif kind == _TAG_NAME:
            name = data[at:end].rstrip(b"\0")
        elif kind == _TAG_STRING and name == b"DURATION":
            hours, minutes, seconds = data[at:end].rstrip(b"\0").decode().split(":")
            nanoseconds = round((int(hours) * 3600 + int(minutes) * 60 + Fraction(seconds)) * 10**6)
            minutes_, nanoseconds = divmod(nanoseconds, 60 * 10**9)
            text = f"{minutes_ // 60:02}:{minutes_ % 60:02}:{nanoseconds // 10**9:02}.{nanoseconds % 10**9:09}"
            data[at:end] = text.encode().ljust(end - at, b"\0")


def _set_checksum(data: mmap.mmap, start: int, stop: int) -> None:
    name, at, end = next(_elements(data, start, stop))
    if name == _CRC:
        data[at:end] = zlib.crc32(data[end:stop]).to_bytes(end - at, "little")


def _elements(data: mmap.mmap, at: int, stop: int) -> Iterator[Element]:
    """The elements of EBML (RFC 8794) that lie side by side in a stretch of a file."""
    while at < stop:
        size_at = at + _width(data[at])
        content = size_at + _width(data[size_at])
        size = int.from_bytes(data[size_at:content]) & (1 << 7 * (content - size_at)) - 1
        yield int.from_bytes(data[at:size_at]), content, content + size
        at = content + size


def _width(first: int) -> int:
    """Bytes of a number whose first one this is: it leads with as many bits less one that are 0."""
    return 9 - first.bit_length()

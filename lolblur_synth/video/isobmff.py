"""ISO base media file format (MP4, QuickTime): boxes that FFmpeg does not tell.

Edits, Samsung's slow motion, what is beside the colours of a track, telemetry, Sony's text (ISO/IEC 14496-12).
"""

import struct
from collections.abc import Iterator
from fractions import Fraction
from itertools import islice
from pathlib import Path
from typing import BinaryIO

_MOST = 4096  # boxes beside each other, and edits, that are looked at: no file can keep us busy
_FIRST = {b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip"}
_SAMSUNG_MODES = {12: Fraction(240), 13: Fraction(120)}  # of recording, in `saut`; mode 21 tells its rate in `srfr`

Span = tuple[int, int]


def has_edit_rates(path: Path) -> bool:
    """Whether an edit list plays the video at another speed; FFmpeg then gives frames several times. `OSError`."""
    with path.open("rb") as file:
        for track in _inside(file, _whole(file), b"moov", b"trak"):
            kinds = [_read(file, span)[8:12] for span in _inside(file, track, b"mdia", b"hdlr")]
            lists = _inside(file, track, b"edts", b"elst") if kinds == [b"vide"] else ()
            if any(rate != 1 << 16 for span in lists for rate in _edit_rates(_read(file, span))):
                return True
    return False


def samsung_rate(path: Path) -> Fraction | None:
    """The rate of the sensor in moov/udta/smta, as Samsung's phones write it; None if there is none. `OSError`."""
    with path.open("rb") as file:
        for start, end in _inside(file, _whole(file), b"moov", b"udta", b"smta"):
            parts = {kind: _read(file, span) for kind, span in _boxes(file, (start + 4, end))}
            fields = parts.get(b"saut", b"")[4:8]  # key, value, key, value
            mode = dict(zip(fields[::2], fields[1::2], strict=False)).get(0)
            if mode == 21 and len(parts.get(b"srfr", b"")) >= 4:
                return Fraction(int.from_bytes(parts[b"srfr"][:4], "big"), 1 << 16)
            return _SAMSUNG_MODES.get(mode) if mode else None
    return None


def first_sample(path: Path, codec: bytes) -> bytes | None:
    """The first sample of the first track of a codec, by its name of four letters; None without one. `OSError`."""
    with path.open("rb") as file:
        for track in _inside(file, _whole(file), b"moov", b"trak"):
            for table in _inside(file, track, b"mdia", b"minf", b"stbl"):
                parts = {kind: _read(file, span) for kind, span in _boxes(file, table)}
                if parts.get(b"stsd", b"")[12:16] == codec:
                    return _sample(file, parts)
    return None


def _sample(file: BinaryIO, parts: dict[bytes, bytes]) -> bytes | None:
    sizes, wide = parts.get(b"stsz", b""), b"co64" in parts
    places = parts.get(b"co64" if wide else b"stco", b"")
    if len(sizes) < 12 or len(places) < 16 - 4 * (not wide):
        return None
    size = int.from_bytes(sizes[4:8], "big") or int.from_bytes(sizes[12:16], "big")
    at = int.from_bytes(places[8 : 16 if wide else 12], "big")
    return _read(file, (at, at + size))


def description_boxes(path: Path, track: int) -> dict[bytes, bytes]:
    """What is in the boxes of the first sample description of a video track, by kind. `OSError`."""
    with path.open("rb") as file:
        for trak in _inside(file, _whole(file), b"moov", b"trak"):
            headers = [_read(file, span) for span in _inside(file, trak, b"tkhd")]
            if [_track_id(header) for header in headers] != [track]:
                continue
            for start, end in _inside(file, trak, b"mdia", b"minf", b"stbl", b"stsd"):
                for _, (entry, stop) in _boxes(file, (start + 8, end)):
                    return {kind: _read(file, span) for kind, span in _boxes(file, (entry + 78, stop))}
    return {}


def embedded_xml(path: Path) -> str:
    """The text of a file's `meta` box, which Sony's cameras write, or nothing. `OSError`."""
    with path.open("rb") as file:
        whole = _whole(file)
        metas = (span for kinds in ((b"meta",), (b"moov", b"meta")) for span in _inside(file, whole, *kinds))
        for start, end in metas:  # version and flags come first, in both
            for span in _inside(file, (start + 4, end), b"xml "):
                return _read(file, span)[4:].rstrip(b"\0").decode("utf-8", "replace")
    return ""


def _track_id(header: bytes) -> int:
    """Of a track header; version 1 has longer times."""
    at = 20 if header[:1] == b"\1" else 12
    return int.from_bytes(header[at : at + 4], "big")


def _edit_rates(data: bytes) -> Iterator[int]:
    """The rate of each edit, as 16.16; of those that show something."""
    if len(data) < 8:
        return
    size, media_time = (20, ">8xqi") if data[0] == 1 else (12, ">4xii")
    count = min(int.from_bytes(data[4:8], "big"), (len(data) - 8) // size, _MOST)
    for number in range(count):
        time, rate = struct.unpack_from(media_time, data, 8 + number * size)
        if time >= 0:
            yield rate


def _whole(file: BinaryIO) -> Span:
    head = file.read(8)
    return (0, file.seek(0, 2)) if head[4:] in _FIRST else (0, 0)


def _inside(file: BinaryIO, span: Span, *kinds: bytes) -> Iterator[Span]:
    """What is in the boxes that are reached by a path of kinds."""
    for kind, inner in _boxes(file, span):
        if kind == kinds[0]:
            yield from _inside(file, inner, *kinds[1:]) if kinds[1:] else (inner,)


def _boxes(file: BinaryIO, span: Span) -> Iterator[tuple[bytes, Span]]:
    """Kind and content of boxes that follow on each other, up to the first that is none or is cut off."""
    yield from islice(_every_box(file, *span), _MOST)


def _every_box(file: BinaryIO, start: int, end: int) -> Iterator[tuple[bytes, Span]]:
    while end - start >= 8:
        file.seek(start)
        head = file.read(16)
        size, kind, long = int.from_bytes(head[:4], "big"), head[4:8], int.from_bytes(head[8:], "big")
        inner = start + (16 if size == 1 else 8)
        after = start + {0: end - start, 1: long}.get(size, size)
        if not inner <= after <= end:
            return
        yield kind, (inner, after)
        start = after


def _read(file: BinaryIO, span: Span) -> bytes:
    file.seek(span[0])
    return file.read(min(span[1] - span[0], 32 * _MOST))

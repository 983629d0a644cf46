"""Headers of PNG, JPEG, WebP and BMP files: size, how many pictures, and which colours they mean."""

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import NoReturn

PNG, JPEG, WEBP, BMP = b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"RIFF", b"BM"
_LARGEST_PROFILE = 2**24  # bytes
_ADOBE_RGB = (b"\x01\0\x02\0\x04\0\0\0R03\0", b"\0\x01\0\x02\0\0\0\x04R03\0")  # Exif's index of interoperability
_FRAMES = {0xC0, 0xC1, 0xC2, 0xC3, 0xC5, 0xC6, 0xC7, 0xC9, 0xCA, 0xCB, 0xCD, 0xCE, 0xCF}  # SOFn


class UnreadableError(Exception):
    """A picture file that is refused: why, and what to do."""


@dataclass(frozen=True)
class Colours:
    """Which colours the samples of a picture mean; nothing at all is sRGB."""

    icc: bytes | None = None
    cicp: tuple[int, ...] | None = None  # primaries, transfer, matrix, full range: codes of ITU-T H.273
    gamma: int | None = None  # of encoding, times 100,000
    chromaticities: tuple[int, ...] | None = None  # x and y of white, red, green, blue, times 100,000
    adobe_rgb: bool = False


@dataclass(frozen=True)
class Header:
    """What a picture file says before its pixels."""

    width: int
    height: int
    pictures: int = 1
    channels: int | None = None  # None: not told, three or fewer
    colours: Colours = field(default_factory=Colours)


def read_header(data: bytes) -> Header | None:
    """The header of a picture by its signature, None for another kind; raises `UnreadableError` for a damaged one."""
    readers = {PNG: _png, JPEG: _jpeg, WEBP: _webp, BMP: _bmp}
    reader = next((reader for signature, reader in readers.items() if data.startswith(signature)), None)
    if reader is None:
        return None
    try:
        return reader(data)
    except (struct.error, IndexError, zlib.error):
        raise UnreadableError("not a picture that can be decoded: its header is cut off or damaged") from None


def _png(data: bytes) -> Header:
    """The chunks before the pixels (PNG, third edition, section 11.3); cICP goes before iCCP, sRGB, gAMA."""
    chunks = dict(_png_chunks(data))
    width, height = struct.unpack(">II", chunks[b"IHDR"][:8]) if b"IHDR" in chunks else _damaged()
    frames = struct.unpack(">I", chunks[b"acTL"][:4])[0] if b"acTL" in chunks else 1
    if b"cICP" in chunks:
        colours = Colours(cicp=struct.unpack("4B", chunks[b"cICP"]))
    elif b"iCCP" in chunks:
        unpack = zlib.decompressobj()
        profile = unpack.decompress(chunks[b"iCCP"].partition(b"\0")[2][1:], _LARGEST_PROFILE)
        colours = Colours(icc=profile if unpack.eof else _damaged())
    elif b"sRGB" in chunks:
        colours = Colours()
    else:
        gamma = struct.unpack(">I", chunks[b"gAMA"])[0] if b"gAMA" in chunks else None
        xy = struct.unpack(">8I", chunks[b"cHRM"]) if b"cHRM" in chunks else None
        colours = Colours(gamma=gamma, chromaticities=xy)
    return Header(width, height, frames, colours=colours)


def _png_chunks(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    at = len(PNG)
    while True:
        length, kind = struct.unpack_from(">I4s", data, at)
        if kind in (b"IDAT", b"IEND"):
            return
        yield kind, data[at + 8 : at + 8 + length]
        at += 12 + length


def _jpeg(data: bytes) -> Header:
    """The segments before the scan (ITU-T T.81, B.2; ICC.1 annex B.4 for a profile in several of them)."""
    at, header, pieces, adobe_rgb = 2, None, dict[int, bytes](), False
    while True:
        kind, length = data[at + 1], struct.unpack_from(">H", data, at + 2)[0]
        if data[at] != 0xFF:
            _damaged()
        if kind == 0xFF:  # fills
            at += 1
            continue
        body = data[at + 4 : at + 2 + length]
        if kind in _FRAMES:
            height, width, channels = struct.unpack_from(">HHB", body, 1)
            header = Header(width, height, channels=channels)
        elif kind == 0xE2 and body.startswith(b"ICC_PROFILE\0"):
            pieces[body[12]] = body[14:]
        elif kind == 0xE1 and body.startswith(b"Exif\0"):
            adobe_rgb = adobe_rgb or any(entry in body for entry in _ADOBE_RGB)
        elif kind in (0xDA, 0xD9):
            break
        at += 2 + length
    profile = b"".join(pieces[number] for number in sorted(pieces)) or None
    colours = Colours(icc=profile, adobe_rgb=adobe_rgb and profile is None)
    return replace(header, colours=colours) if header else _damaged()


def _webp(data: bytes) -> Header:
    """The chunks of the container (RFC 9649)."""
    if data[8:12] != b"WEBP":
        _damaged()
    size, frames, profile, at = None, 0, None, 12
    while at + 8 <= len(data):
        kind, length = struct.unpack_from("<4sI", data, at)
        body = data[at + 8 : at + 8 + length]
        if kind == b"VP8X":
            size = (1 + int.from_bytes(body[4:7], "little"), 1 + int.from_bytes(body[7:10], "little"))
        elif kind == b"VP8 " and size is None:
            width, height = struct.unpack_from("<HH", body, 6)
            size = (width & 0x3FFF, height & 0x3FFF)
        elif kind == b"VP8L" and size is None:
            bits = struct.unpack_from("<I", body, 1)[0]
            size = (1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF))
        elif kind == b"ICCP":
            profile = body
        frames += kind == b"ANMF"
        at += 8 + length + length % 2
    return Header(*(size or _damaged()), max(1, frames), colours=Colours(icc=profile))


def _bmp(data: bytes) -> Header:
    """The bitmap's header: of OS/2, of Windows, or version 5 with a profile."""
    size = struct.unpack_from("<I", data, 14)[0]
    width, height = struct.unpack_from("<HH" if size == 12 else "<ii", data, 18)
    profile = None
    if size >= 124 and data[70:74] == b"DEBM":
        at, length = struct.unpack_from("<II", data, 126)
        profile = data[14 + at : 14 + at + length]
    return Header(abs(width), abs(height), colours=Colours(icc=profile))


def _damaged() -> NoReturn:
    raise UnreadableError("not a picture that can be decoded: its header is damaged")

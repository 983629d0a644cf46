"""Tags of DNG and other RAW files that are TIFF: colour matrix, camera, ISO speed, rate of filming."""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any, cast

import numpy as np
import tifffile
from numpy.typing import NDArray

from lolblur_synth.core.errors import SequenceError
from lolblur_synth.mosaic.color import Matrix
from lolblur_synth.mosaic.pattern import PATTERNS, Pattern
from lolblur_synth.video.headers import UnreadableError
from lolblur_synth.video.tiff import SIGNATURES

_MODEL, _UNIQUE_MODEL, _EXIF, _RATE = 272, 50708, 34665, 51044
_NEUTRAL, _PATTERN, _BLACK, _WHITE, _AREA, _ORIENTATION = 50728, 33422, 50714, 50717, 50829, 274
_CFA, _FLOAT = 32803, 3
_TURNS = {1: 0, 3: 180, 6: 90, 8: 270}  # of the tag Orientation, in degrees clockwise
_UNPACKED = {1, 8, 32946}  # by tifffile alone: no compression, Deflate
_VERSION = 50706  # DNGVersion: only DNG has it
_MATRICES = ((50721, 50778), (50722, 50779))  # ColorMatrix and the illuminant that it was measured in
# EXIF LightSource, from the nearest to D65, which is 21; a matrix of other light gives other colours.
_DAYLIGHT = {21: "D65", 22: "D75", 20: "D55", 23: "D50", 1: "daylight", 0: "of unknown light"}


@dataclass(frozen=True)
class RawTags:
    """What the tags of a RAW file tell; nothing of one that is no TIFF."""

    is_dng: bool = False
    camera: str = ""
    iso: float | None = None
    matrix: Matrix | None = None  # XYZ (D65) -> camera RGB
    matrix_source: str = ""
    fps: Fraction | None = None  # CinemaDNG's FrameRate
    balance: tuple[float, float] | None = None  # gains of red and blue as shot; green has 1
    has_floats: bool = False
    size: tuple[int, int] | None = None  # width and height of the mosaic
    corner: tuple[int, int] = (0, 0)  # row and column where its active area begins


@dataclass(frozen=True)
class FloatMosaic:
    """A mosaic of floats (H, W), with its pattern and levels."""

    samples: NDArray[np.float32]
    pattern: Pattern
    black: tuple[float, float, float, float]  # by site in rows
    white: float
    turn: int  # degrees clockwise by which it is to be shown


def raw_tags(path: Path) -> RawTags:
    """Read the tags of a RAW file; raises `UnreadableError` where a TIFF is cut off, which LibRaw tells on stderr."""
    try:
        with path.open("rb") as file:
            if file.read(4) not in SIGNATURES:
                return RawTags()
        with tifffile.TiffFile(path) as file_of_tags:
            pages = list(_pages(file_of_tags))
            found = _told(pages)
            if found.is_dng:  # others' tags are their makers' own
                _refuse_cut_off(pages, path.stat().st_size)
            return found
    except UnreadableError:
        raise
    except OSError as error:
        raise UnreadableError(f"cannot be read: {error.strerror}") from None
    except Exception:  # of what is damaged, or a maker's own, tifffile raises of any kind; LibRaw may know better
        return RawTags()


def _pages(file: tifffile.TiffFile) -> Iterator[tifffile.TiffPage]:
    """All pictures of a file: the first one has the tags of all, and the mosaic may be below it."""
    for each in file.pages:
        page = each.aspage()
        yield page
        for below in page.pages or ():
            yield below.aspage()


def _refuse_cut_off(pages: list[tifffile.TiffPage], size: int) -> None:
    for page in pages:
        for offset, count in zip(page.dataoffsets, page.databytecounts, strict=False):
            if offset + count > size:
                raise UnreadableError("not a RAW file that can be decoded: it is cut off")


def _told(pages: list[tifffile.TiffPage]) -> RawTags:
    tags: dict[int, Any] = {}
    for page in reversed(pages):
        tags |= {int(tag.code): tag.value for tag in page.tags}
    exif = tags.get(_EXIF) if isinstance(tags.get(_EXIF), dict) else {}
    iso = cast(dict[str, Any], exif).get("ISOSpeedRatings")
    matrix, source = _daylight_matrix(tags)
    return RawTags(
        is_dng=_VERSION in tags,
        camera=str(tags.get(_UNIQUE_MODEL) or tags.get(_MODEL) or "").strip("\0 "),
        iso=float(np.ravel(iso)[0]) if iso else None,
        matrix=matrix,
        matrix_source=source,
        fps=_rate(tags.get(_RATE)),
        balance=_balance(tags.get(_NEUTRAL)),
        has_floats=any(_is_mosaic(page) and int(page.sampleformat) == _FLOAT for page in pages),
        size=next(((page.imagewidth, page.imagelength) for page in pages if _is_mosaic(page)), None),
        corner=cast(tuple[int, int], tuple(tags.get(_AREA, (0, 0))[:2])),
    )


def _is_mosaic(page: tifffile.TiffPage) -> bool:
    return int(page.photometric) == _CFA and not int(page.subfiletype) & 1


def _balance(neutral: Any) -> tuple[float, float] | None:
    """Gains of AsShotNeutral, which is what the camera sees of white."""
    if not isinstance(neutral, tuple) or len(neutral) != 6 or not all(neutral):
        return None
    red, green, blue = (top / bottom for top, bottom in zip(neutral[::2], neutral[1::2], strict=True))
    return green / red, green / blue


def _daylight_matrix(tags: dict[int, Any]) -> tuple[Matrix | None, str]:
    """ColorMatrix of the illuminant that is nearest to D65."""
    found = dict[int, tuple[Matrix, str]]()
    for number, (matrix_tag, light_tag) in enumerate(_MATRICES, 1):
        values, light = tags.get(matrix_tag), int(tags.get(light_tag, 0))
        if values is not None and len(values) == 18 and light in _DAYLIGHT and all(values[1::2]):
            numbers = [round(top / bottom, 6) for top, bottom in zip(values[::2], values[1::2], strict=True)]
            rows = tuple(tuple(numbers[at : at + 3]) for at in (0, 3, 6))
            found[light] = cast(Matrix, rows), f"its ColorMatrix{number}, {_DAYLIGHT[light]}"
    return next((found[light] for light in _DAYLIGHT if light in found), (None, ""))


def _rate(value: Any) -> Fraction | None:
    if not isinstance(value, tuple) or len(value) != 2 or not value[1]:
        return None
    fps = Fraction(int(value[0]), int(value[1]))
    return fps if 0 < fps < math.inf else None


def read_float_dng(path: Path, check: Callable[[int, int], None]) -> FloatMosaic:
    """Read the mosaic of a DNG of 16- or 32-bit floats, unpacked or packed by Deflate; raises `UnreadableError`.

    `check` is told width and height before anything is decoded.
    """
    try:
        with tifffile.TiffFile(path) as file:
            pages = list(_pages(file))
            page = next(page for page in pages if _is_mosaic(page))
            turn = pages[0].tags.get(_ORIENTATION)
            return _float_mosaic(page, check, _TURNS.get(int(turn.value) if turn else 1, 0))
    except (UnreadableError, SequenceError, OSError):
        raise
    except Exception as error:  # of a damaged file tifffile raises of any kind
        raise UnreadableError(f"not a RAW file that can be decoded: a damaged DNG ({error})") from None


def _float_mosaic(page: tifffile.TiffPage, check: Callable[[int, int], None], turn: int) -> FloatMosaic:
    check(page.imagewidth, page.imagelength)
    if int(page.compression) not in _UNPACKED or int(page.predictor) != 1 or page.bitspersample not in (16, 32):
        raise UnreadableError("float DNG packed in a way that is not read; write it unpacked, of 16 or 32 bits")
    tags: dict[int, Any] = {int(tag.code): tag.value for tag in page.tags}
    cells = bytes(tags.get(_PATTERN, b""))
    letters = "".join("RGB"[cell] if cell < 3 else "?" for cell in cells)
    if letters not in PATTERNS:
        raise UnreadableError("its mosaic is no Bayer pattern; Bayer can be read")
    if any(int(edge) % 2 for edge in tags.get(_AREA, (0, 0))[:2]):
        raise UnreadableError("float DNG whose active area begins at an odd pixel")
    top, left, bottom, right = tags.get(_AREA, (0, 0, page.imagelength, page.imagewidth))
    samples = np.ascontiguousarray(page.asarray(maxworkers=1)[top:bottom, left:right], np.float32)
    levels = _levels(tags.get(_BLACK))
    return FloatMosaic(samples, letters, levels, float(np.ravel(tags.get(_WHITE, 1))[0]), turn)


def _levels(told: Any) -> tuple[float, float, float, float]:
    """BlackLevel of the four sites: none, one, or four, of integers or of rationals."""
    values = [float(value) for value in np.ravel(told)] if told is not None else [0.0]
    if len(values) in (2, 8):
        values = [top / bottom for top, bottom in zip(values[::2], values[1::2], strict=True)]
    a, b, c, d = values * 4 if len(values) == 1 else values
    return a, b, c, d

"""Tags of DNG and other RAW files that are TIFF: colour matrix, camera, ISO speed, rate of filming."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any, cast

import numpy as np
import tifffile

from lolblur_synth.mosaic.color import Matrix
from lolblur_synth.video.headers import UnreadableError
from lolblur_synth.video.tiff import SIGNATURES

_MODEL, _UNIQUE_MODEL, _EXIF, _RATE = 272, 50708, 34665, 51044
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


def raw_tags(path: Path) -> RawTags:
    """Read the tags of a RAW file; raises `UnreadableError` where a TIFF is cut off, which LibRaw tells on stderr."""
    try:
        with path.open("rb") as file:
            if file.read(4) not in SIGNATURES:
                return RawTags()
        with tifffile.TiffFile(path) as file_of_tags:
            pages = list(_pages(file_of_tags))
            _refuse_cut_off(pages, path.stat().st_size)
            return _told(pages)
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
    )


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

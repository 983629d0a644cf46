"""RAW files of cameras, by LibRaw: the samples of a Bayer sensor as they were converted, with what their file tells.

LibRaw's `postprocess` ties exposure to the picture; here it only unpacks.
"""

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import numpy as np
import rawpy
from numpy.typing import NDArray

from lolblur_synth.core.errors import SequenceError
from lolblur_synth.mosaic.color import Matrix
from lolblur_synth.mosaic.pattern import PATTERNS, Pattern
from lolblur_synth.video.dng import FloatMosaic, RawTags, raw_tags, read_float_dng
from lolblur_synth.video.headers import UnreadableError
from lolblur_synth.video.images import check_size
from lolblur_synth.video.metadata import MAX_PIXELS

_SUFFIXES = (
    ".3fr .arw .cr2 .cr3 .crw .dcr .dng .erf .fff .gpr .iiq .kdc .mos .mrw .nef .nrw .orf .pef .raf .raw .rw2 "
    ".sr2 .srf .srw .x3f"
)
RAW = frozenset(_SUFFIXES.split())  # of names
_NO_RAW = "not a RAW file that can be decoded"
_FLIPS = {3: 180, 5: 270, 6: 90}  # LibRaw's, in degrees clockwise
_COLOURS = b"RGBG"  # LibRaw's, by index: its second green is of the other rows


@dataclass(frozen=True)
class Raw:
    """Samples (H, W) of the light-sensitive area of a Bayer sensor in digital numbers, and their levels as told."""

    samples: NDArray[np.uint16] | NDArray[np.float32]  # floats, of DNG that was computed, are no digital numbers
    pattern: Pattern
    black: tuple[float, float, float, float]  # of no light, by site in rows; 0 where the file tells none
    white: float  # where the converter saturates, or the value of floats that is 1
    matrix: Matrix | None  # XYZ (D65) -> camera RGB, of any scale
    matrix_source: str  # in words
    iso: float | None
    camera: str  # maker's name of the model, or nothing
    balance: tuple[float, float] | None  # gains of red and blue as shot; green has 1
    turn: int  # degrees clockwise by which it is to be shown


def is_raw(path: Path) -> bool:
    """Whether the name says that it is a RAW file, and not what macOS leaves beside one."""
    return path.suffix.lower() in RAW and not path.name.startswith("._")


def read_raw(path: Path, largest: int = MAX_PIXELS) -> Raw:
    """Read a RAW file of a Bayer sensor, of at most `largest` pixels; raises `SequenceError` for any other.

    DNG of floats is read by tifffile: LibRaw makes integers of it, each file by its own maximum.
    """

    def check(width: int, height: int) -> None:
        check_size(path, width, height, largest)

    try:
        tags = raw_tags(path)
        if tags.has_floats:
            return _sound(_floats(read_float_dng(path, check), tags))
        with _opened(path) as raw:
            return _sound(_read(raw, tags, check))
    except UnreadableError as error:
        raise SequenceError(error, where=path) from None


def _read(raw: rawpy.RawPy, tags: RawTags, check: Callable[[int, int], None]) -> Raw:
    sizes = raw.sizes
    check(sizes.raw_width, sizes.raw_height)
    pattern = _pattern(raw)
    samples = np.array(raw.raw_image_visible)  # a copy: the other goes with the file
    matrix, source = _matrix(raw, tags)
    iso = float(raw.other.iso_speed)
    red, green, blue, _ = (float(gain) for gain in raw.camera_whitebalance)
    return Raw(
        samples=samples,
        pattern=pattern,
        black=_black(raw, tags),
        white=int(raw.white_level),
        matrix=matrix,
        matrix_source=source,
        iso=iso if iso > 0 else tags.iso,
        camera=tags.camera,
        balance=(red / green, blue / green) if min(red, green, blue) > 0 else None,
        turn=_FLIPS.get(int(sizes.flip), 0),
    )


def _sound(raw: Raw) -> Raw:
    """The same, unless its levels are none; raises `UnreadableError`."""
    if not max(raw.black) < raw.white < math.inf:
        raise UnreadableError(f"its black level {max(raw.black):g} is not below its white level {raw.white:g}")
    return raw


def _black(raw: rawpy.RawPy, tags: RawTags) -> tuple[float, float, float, float]:
    """Black level of each site of the visible area, in rows.

    LibRaw has them by colour. An active area that begins at an odd pixel it rounds, and keeps the levels' places.
    """
    levels = np.array(raw.black_level_per_channel, float)[raw.raw_colors_visible[:2, :2]]
    row, column = (edge % 2 for edge in tags.corner)
    a, b, c, d = np.roll(levels, (-row, -column), (0, 1)).ravel().tolist()
    return a, b, c, d


def _floats(found: FloatMosaic, tags: RawTags) -> Raw:
    return Raw(
        samples=found.samples,
        pattern=found.pattern,
        black=found.black,
        white=found.white,
        matrix=tags.matrix,
        matrix_source=tags.matrix_source,
        iso=tags.iso,
        camera=tags.camera,
        balance=tags.balance,
        turn=found.turn,
    )


def _pattern(raw: rawpy.RawPy) -> Pattern:
    """The pattern of the visible area."""
    if raw.raw_type is not rawpy.RawType.Flat:
        raise UnreadableError(
            "it has no mosaic, but several colours a pixel (a linear or lossy DNG, or a Foveon sensor)"
        )
    cells = raw.raw_pattern
    if raw.num_colors == 1 or cells is None:
        raise UnreadableError("its sensor is monochrome; those with a Bayer mosaic can be read")
    if cells.shape != (2, 2) or raw.color_desc != _COLOURS:
        side = f"{cells.shape[0]}x{cells.shape[1]}"
        raise UnreadableError(f"its mosaic is no Bayer pattern (X-Trans or another, {side}); Bayer can be read")
    letters = "".join(chr(_COLOURS[index]) for index in raw.raw_colors_visible[:2, :2].ravel())
    if letters not in PATTERNS:
        raise UnreadableError(f"its mosaic is {letters}, no Bayer pattern")
    return letters


def _matrix(raw: rawpy.RawPy, tags: RawTags) -> tuple[Matrix | None, str]:
    """The file's own matrix, else LibRaw's of that camera."""
    if tags.matrix is not None:
        return tags.matrix, tags.matrix_source
    table = np.asarray(raw.rgb_xyz_matrix, float)[:3]
    if not table.any():
        return None, ""
    rows = tuple(tuple(round(float(value), 6) for value in row) for row in table)
    return cast(Matrix, rows), "LibRaw's of that camera"


@contextmanager
def _opened(path: Path) -> Iterator[rawpy.RawPy]:
    """The unpacked file; whatever goes wrong with it meanwhile is an `UnreadableError`."""
    try:
        with rawpy.imread(str(path)) as raw:
            yield raw
    except UnreadableError:
        raise
    except OSError as error:
        raise UnreadableError(f"cannot be read: {error.strerror}") from None
    except (rawpy.LibRawError, rawpy.NotSupportedError, RuntimeError, ValueError) as error:
        told = error.args[0].decode() if error.args and isinstance(error.args[0], bytes) else error
        raise UnreadableError(f"{_NO_RAW} ({told})") from None

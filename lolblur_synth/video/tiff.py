"""TIFF files: what their tags tell, and the samples of those that libtiff's simple reader in OpenCV gets wrong.

Of integers, which are sRGB, and of floats, which are linear light. Read by tifffile where it can unpack them by
itself; LZW, JPEG and CCITT are left to OpenCV where it is right: it shows
16-bit planes that lie apart as garbage and white-is-zero as a negative, and multiplies 8 bits by their alpha.
"""

import io
import logging
import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import tifffile
from numpy.typing import NDArray

from lolblur_synth.core.errors import SequenceError
from lolblur_synth.video.headers import Colours, Header, UnreadableError
from lolblur_synth.video.icc import conversion

SIGNATURES = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")  # the latter of BigTIFF
_UNPACKED = {1, 8, 32773, 32946}  # by tifffile alone: no compression, Deflate, PackBits, Deflate
_PACKED = {2: "CCITT", 3: "CCITT", 4: "CCITT", 5: "LZW", 6: "JPEG", 7: "JPEG", 34925: "LZMA", 50000: "ZSTD"}
_GREY_INVERTED, _GREY, _RGB, _PALETTE, _YCC = 0, 1, 2, 3, 6
_UNKNOWN_COLOURS = {4: "a mask", 5: "CMYK", 8: "CIE Lab", 9: "ICC Lab", 10: "ITU Lab", 32803: "a raw mosaic"}
_ICC, _ORIENTATION = 34675, 274
_SMALL, _MASK = 1, 4  # bits of NewSubfileType
_CONVERT = "write it as RGB of 8 or 16 bits first: magick IN -colorspace sRGB -type TrueColor OUT.png"

_FLOAT = 3  # as SampleFormat
_STRAIGHT, _SAME = 1e-3, 2e-3  # what the curves of linear light, and the matrix of sRGB's primaries, may differ by

logging.getLogger("tifffile").setLevel(logging.CRITICAL)  # what it has to say comes as exceptions, too


@dataclass(frozen=True)
class Tiff:
    """A TIFF file: its header, its samples (H, W) or (H, W, 3) turned upright, or None where OpenCV reads it right."""

    header: Header
    samples: NDArray[np.uint8] | NDArray[np.uint16] | None


def read_tiff(data: bytes, largest: int) -> Tiff:
    """Look at a TIFF file, and read what OpenCV does not; raises `UnreadableError`.

    Pictures of more than `largest` pixels are not read: their header is all that comes back.
    """
    with _opened(data) as page:
        header = Header(page.imagewidth, page.imagelength, colours=_colours(page))
        if not 0 < header.width * header.height <= largest:
            return Tiff(header, None)
        _refuse(page, len(data))
        return Tiff(header, _samples(page))


def is_float_tiff(data: bytes) -> bool:
    """Whether a TIFF file has float samples; a damaged one has none."""
    try:
        with _opened(data) as page:
            return int(page.sampleformat) == _FLOAT
    except UnreadableError:
        return False


def read_float_tiff(
    data: bytes, check: Callable[[int, int], None], unpack: Callable[[bytes], NDArray[np.float32]]
) -> NDArray[np.float32]:
    """Read a TIFF file of 16- or 32-bit floats as (H, W, 3) linear light of BT.709's primaries; grey is spread.

    Alpha is ignored. The matrix of a colour profile is applied if its curves are straight. `check` is told width and
    height before anything is decoded; `unpack` decodes 32 bits that tifffile does not: LZW, predictors. Raises
    `UnreadableError`.
    """
    with _opened(data) as page:
        check(page.imagewidth, page.imagelength)
        if int(page.sampleformat) != _FLOAT or page.bitspersample not in (16, 32):
            raise UnreadableError(f"{_kind_of_samples(page)} samples; write floats of 16 or 32 bits")
        if int(page.photometric) not in (_GREY, _RGB) or page.samplesperpixel > 3 + len(page.extrasamples):
            raise UnreadableError("float TIFF of colours other than RGB and grey; write RGB")
        _refuse_damage(page, len(data))
        packed = int(page.compression) not in _UNPACKED or int(page.predictor) != 1
        plain = int(page.planarconfig) == 1 and page.bitspersample == 32 and not page.extrasamples
        if packed and not (plain and _orientation(page) == 1):
            raise UnreadableError("float TIFF packed in a way that is not read; write it unpacked, or by Deflate")
        samples = unpack(data) if packed else _upright(_stored(page), _orientation(page)).astype(np.float32)
        rgb = np.ascontiguousarray(samples if samples.ndim == 3 else np.repeat(samples[..., None], 3, 2))
        return _from_profile(rgb, _colours(page))


def _from_profile(light: NDArray[np.float32], colours: Colours) -> NDArray[np.float32]:
    """Linear light of BT.709's primaries; what is outside of its gamut is clipped at 0."""
    if colours == Colours():
        return light
    found, steps = conversion(colours), np.linspace(0, 1, 65)
    if found is None or any(np.abs(curve(steps) - steps).max() > _STRAIGHT for curve in found.curves):
        raise UnreadableError("floats with a colour profile whose curves are not linear light; write linear light")
    if np.abs(found.matrix - np.eye(3)).max() < _SAME or light.min(initial=0) < 0:
        return light  # negatives are for whoever looks at the samples
    return np.maximum(light @ found.matrix.T.astype(np.float32), 0)


@contextmanager
def _opened(data: bytes) -> Iterator[tifffile.TiffPage]:
    """The page of a TIFF file; whatever goes wrong with it meanwhile is an `UnreadableError`, or a `SequenceError`."""
    try:
        with tifffile.TiffFile(io.BytesIO(data)) as file:
            yield _page(file)
    except (UnreadableError, SequenceError):
        raise
    except Exception as error:  # of a damaged file tifffile raises of any kind
        raise UnreadableError(f"not a picture that can be decoded: a damaged TIFF ({error})") from None


def _colours(page: tifffile.TiffPage) -> Colours:
    profile = page.tags.get(_ICC)
    return Colours(icc=bytes(profile.value) if profile else None)


def _orientation(page: tifffile.TiffPage) -> int:
    orientation = page.tags.get(_ORIENTATION)
    return int(orientation.value) if orientation else 1


def _page(file: tifffile.TiffFile) -> tifffile.TiffPage:
    """The one page that is a picture in full size."""
    found = list[tifffile.TiffPage]()
    for each in file.pages:
        page = each.aspage()
        if not int(page.subfiletype) & (_SMALL | _MASK):
            found.append(page)
        if len(found) == 2:
            break
    if not found:
        raise UnreadableError("not a picture that can be decoded: a TIFF without a page in full size")
    stacked = (file.imagej_metadata or {}).get("images", 1) if file.is_imagej else 1
    if len(found) > 1 or found[0].imagedepth > 1 or stacked > 1:
        raise UnreadableError(
            "a stack of several pictures; write each into a file of its own: magick IN.tif OUT_%04d.png"
        )
    return found[0]


def _refuse(page: tifffile.TiffPage, size: int) -> None:
    """Raise `UnreadableError` for what neither library reads right."""
    _refuse_samples(page)
    _refuse_damage(page, size)
    if not _by_tifffile(page):
        _refuse_layout(page)


def _refuse_samples(page: tifffile.TiffPage) -> None:
    bits, kind, colours = page.bitspersample, int(page.sampleformat), int(page.photometric)
    if kind != 1 or bits not in (1, 2, 4, 8, 16):
        raise UnreadableError(
            f"{_kind_of_samples(page)} samples; 8- and 16-bit integer pictures can be read: write it as such"
        )
    if colours not in (_GREY_INVERTED, _GREY, _RGB, _PALETTE, _YCC):
        raise UnreadableError(f"its colours are {_UNKNOWN_COLOURS.get(colours, f'of kind {colours}')}; {_CONVERT}")
    if page.samplesperpixel > 3 + len(page.extrasamples):
        raise UnreadableError(f"{page.samplesperpixel} samples per pixel; {_CONVERT}")


def _kind_of_samples(page: tifffile.TiffPage) -> str:
    told = {1: "uint", 2: "int", _FLOAT: "float"}.get(int(page.sampleformat), "complex")
    return f"{told}{page.bitspersample}"


def _refuse_damage(page: tifffile.TiffPage, size: int) -> None:
    no_picture = "not a picture that can be decoded"
    if len(page.dataoffsets) < math.prod(page.chunked):  # tifffile would show what is missing as black
        raise UnreadableError(f"{no_picture}: parts of it are missing")
    for offset, count in zip(page.dataoffsets, page.databytecounts, strict=True):
        if count == 0 or offset + count > size:
            raise UnreadableError(f"{no_picture}: it is cut off")
    if page.is_tiled and page.tilewidth * page.tilelength > 4 * page.imagewidth * page.imagelength + 2**20:
        raise UnreadableError(f"{no_picture}: its tiles are larger than itself")
    if int(page.photometric) == _RGB and page.samplesperpixel < 3:
        raise UnreadableError(f"{no_picture}: colours of fewer than three samples")


def _refuse_layout(page: tifffile.TiffPage) -> None:
    """What OpenCV reads wrong."""
    deep, alpha = page.bitspersample == 16, len(page.extrasamples) > 0
    apart, inverted = int(page.planarconfig) == 2, int(page.photometric) == _GREY_INVERTED
    by_alpha = alpha and not (deep and int(page.photometric) == _RGB)
    if by_alpha or (deep and (apart or inverted)):
        told = "alpha" if by_alpha else "planes that lie apart" if apart else "white as zero"
        packed = _PACKED.get(int(page.compression), f"kind {int(page.compression)}")
        raise UnreadableError(
            f"{page.bitspersample}-bit TIFF with {told}, packed by {packed}, cannot be read; "
            "pack it otherwise: magick IN.tif -compress Zip OUT.tif"
        )


def _by_tifffile(page: tifffile.TiffPage) -> bool:
    return (
        int(page.compression) in _UNPACKED
        and page.bitspersample in (8, 16)
        and int(page.predictor) in (1, 2)
        and int(page.photometric) != _YCC
    )


def _samples(page: tifffile.TiffPage) -> NDArray[np.uint8] | NDArray[np.uint16] | None:
    if not _by_tifffile(page):
        return None
    samples, colours = _stored(page), int(page.photometric)
    if colours == _PALETTE:
        samples = _looked_up(page, samples)
    if colours == _GREY_INVERTED:
        samples = np.iinfo(samples.dtype).max - samples
    native = samples.astype(samples.dtype.newbyteorder("="), copy=False)
    return np.ascontiguousarray(_upright(native, _orientation(page)))


def _stored(page: tifffile.TiffPage) -> NDArray[Any]:
    """The samples without alpha, as they are stored: (H, W, 3) of RGB, else (H, W)."""
    stored = page.asarray(maxworkers=1).reshape(page.shaped)[:, 0]  # planes apart, rows, columns, planes together
    samples = np.moveaxis(stored, 0, -1)[:, :, 0] if len(stored) > 1 else stored[0]
    return samples[..., :3] if int(page.photometric) == _RGB else samples[..., 0]


def _looked_up(page: tifffile.TiffPage, indices: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The colours of a palette, whose 16 bits hold 8, doubled, or as some programs write them, alone."""
    table = np.asarray(page.colormap)
    return (table >> 8 if table.max() > 255 else table).astype(np.uint8).T[indices]


def _upright(samples: NDArray[Any], orientation: int) -> NDArray[Any]:
    """As the tag Orientation wants it shown (TIFF 6.0, section 8)."""
    if orientation in (5, 6, 7, 8):
        samples = samples.swapaxes(0, 1)
    if orientation in (3, 4, 7, 8):
        samples = samples[::-1]
    if orientation in (2, 3, 6, 7):
        samples = samples[:, ::-1]
    return samples

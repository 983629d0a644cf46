"""TIFF files: what their tags tell, and the samples of those that libtiff's simple reader in OpenCV gets wrong.

Read by tifffile where it can unpack them by itself; LZW, JPEG and CCITT are left to OpenCV where it is right: it shows
16-bit planes that lie apart as garbage and white-is-zero as a negative, and multiplies 8 bits by their alpha.
"""

import io
import logging
import math
from dataclasses import dataclass

import numpy as np
import tifffile
from numpy.typing import NDArray

from lolblur_synth.video.headers import Colours, Header, UnreadableError

SIGNATURES = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")  # the latter of BigTIFF
_UNPACKED = {1, 8, 32773, 32946}  # by tifffile alone: no compression, Deflate, PackBits, Deflate
_PACKED = {2: "CCITT", 3: "CCITT", 4: "CCITT", 5: "LZW", 6: "JPEG", 7: "JPEG", 34925: "LZMA", 50000: "ZSTD"}
_GREY_INVERTED, _GREY, _RGB, _PALETTE, _YCC = 0, 1, 2, 3, 6
_UNKNOWN_COLOURS = {4: "a mask", 5: "CMYK", 8: "CIE Lab", 9: "ICC Lab", 10: "ITU Lab", 32803: "a raw mosaic"}
_ICC, _ORIENTATION = 34675, 274
_SMALL, _MASK = 1, 4  # bits of NewSubfileType
_CONVERT = "write it as RGB of 8 or 16 bits first: magick IN -colorspace sRGB -type TrueColor OUT.png"

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
    try:
        with tifffile.TiffFile(io.BytesIO(data)) as file:
            page = _page(file)
            profile = page.tags.get(_ICC)
            colours = Colours(icc=bytes(profile.value) if profile else None)
            header = Header(page.imagewidth, page.imagelength, colours=colours)
            if not 0 < header.width * header.height <= largest:
                return Tiff(header, None)
            _refuse(page, len(data))
            return Tiff(header, _samples(page))
    except UnreadableError:
        raise
    except Exception as error:  # of a damaged file tifffile raises of any kind
        raise UnreadableError(f"not a picture that can be decoded: a damaged TIFF ({error})") from None


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
        told = {1: "uint", 2: "int", 3: "float"}.get(kind, "complex")
        raise UnreadableError(f"{told}{bits} samples; 8- and 16-bit integer pictures can be read: write it as such")
    if colours not in (_GREY_INVERTED, _GREY, _RGB, _PALETTE, _YCC):
        raise UnreadableError(f"its colours are {_UNKNOWN_COLOURS.get(colours, f'of kind {colours}')}; {_CONVERT}")
    if page.samplesperpixel > 3 + len(page.extrasamples):
        raise UnreadableError(f"{page.samplesperpixel} samples per pixel; {_CONVERT}")


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
    stored = page.asarray(maxworkers=1).reshape(page.shaped)[:, 0]  # planes apart, rows, columns, planes together
    samples = np.moveaxis(stored, 0, -1)[:, :, 0] if len(stored) > 1 else stored[0]
    colours = int(page.photometric)
    if colours == _PALETTE:
        samples = _looked_up(page, samples[..., 0])
    elif colours == _RGB:
        samples = samples[..., :3]
    else:
        samples = samples[..., 0]
    if colours == _GREY_INVERTED:
        samples = np.iinfo(samples.dtype).max - samples
    orientation = page.tags.get(_ORIENTATION)
    native = samples.astype(samples.dtype.newbyteorder("="), copy=False)
    return np.ascontiguousarray(_upright(native, int(orientation.value) if orientation else 1))


def _looked_up(page: tifffile.TiffPage, indices: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The colours of a palette, whose 16 bits hold 8, doubled, or as some programs write them, alone."""
    table = np.asarray(page.colormap)
    return (table >> 8 if table.max() > 255 else table).astype(np.uint8).T[indices]


def _upright(samples: NDArray[np.uint8], orientation: int) -> NDArray[np.uint8]:
    """As the tag Orientation wants it shown (TIFF 6.0, section 8)."""
    if orientation in (5, 6, 7, 8):
        samples = samples.swapaxes(0, 1)
    if orientation in (3, 4, 7, 8):
        samples = samples[::-1]
    if orientation in (2, 3, 6, 7):
        samples = samples[:, ::-1]
    return samples

"""Colour management, from what a picture declares to sRGB: ICC profiles of matrix and curves, PNG's cICP, gAMA, cHRM.

LittleCMS, through Pillow, keeps 8 bits only; a matrix and curves are simple enough to be kept in float.
"""

import struct
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, cast

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from lolblur_synth.core.colorimetry import linear_to_srgb, srgb_to_linear
from lolblur_synth.video.headers import Colours, UnreadableError

Floats = NDArray[np.float64]
Curve = Callable[[Floats], Floats]  # from samples to linear light, both in [0, 1]

_D50 = np.array([0.9642, 1.0, 0.8249])  # the white of profiles (ICC.1, 7.2.16)
_BRADFORD = np.array([[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]])
_D65_XY, _SRGB_XY = (0.3127, 0.3290), (0.64, 0.33, 0.30, 0.60, 0.15, 0.06)
_PRIMARIES = {  # of ITU-T H.273: white, red, green, blue
    1: (*_D65_XY, *_SRGB_XY),
    2: (*_D65_XY, *_SRGB_XY),
    5: (*_D65_XY, 0.64, 0.33, 0.29, 0.60, 0.15, 0.06),
    6: (*_D65_XY, 0.63, 0.34, 0.31, 0.595, 0.155, 0.07),
    7: (*_D65_XY, 0.63, 0.34, 0.31, 0.595, 0.155, 0.07),
    9: (*_D65_XY, 0.708, 0.292, 0.17, 0.797, 0.131, 0.046),
    11: (0.314, 0.351, 0.68, 0.32, 0.265, 0.69, 0.15, 0.06),
    12: (*_D65_XY, 0.68, 0.32, 0.265, 0.69, 0.15, 0.06),
}
_ADOBE_RGB = (*_D65_XY, 0.64, 0.33, 0.21, 0.71, 0.15, 0.06)
_LIKE_SRGB = {1, 2, 6, 13, 14, 15}  # transfers that the project takes for sRGB's in videos too
_NOT_SDR = {16: "PQ", 17: "SMPTE 428", 18: "HLG"}
_GAMMAS = {4: 2.2, 5: 2.8, 8: 1.0}
_USUAL_GAMMA = (45000, 46000)  # stands for sRGB's curve
_SAME, _ALIKE = 0.5 / 255, 0.002  # what the curves, and the matrix, of a profile of sRGB may differ by
_CONVERT = "convert it to sRGB first: magick IN -profile sRGB.icc OUT.png, or export it as sRGB"


@dataclass(frozen=True)
class Conversion:
    """From samples to linear light by a curve each, and by a matrix to that of sRGB's primaries."""

    curves: tuple[Curve, Curve, Curve]
    matrix: Floats
    grey: bool = False  # meant for pictures without colours

    @property
    def is_srgb(self) -> bool:
        """Whether it changes nothing but by what profiles of sRGB differ in, being rounded and in tables."""
        codes = np.linspace(0, 1, 256)
        same_curves = all(np.abs(_encoded(curve(codes).clip(0, 1)) - codes).max() < _SAME for curve in self.curves)
        return same_curves and bool(np.abs(self.matrix - np.eye(3)).max() < _ALIKE)


@lru_cache(maxsize=64)
def conversion(colours: Colours) -> Conversion | None:
    """How to make sRGB of these colours, None where they are it; raises `UnreadableError` where that is not known."""
    if colours == Colours():
        return None
    try:
        found = _conversion(colours)
    except (struct.error, IndexError, ValueError, ArithmeticError, np.linalg.LinAlgError):
        raise UnreadableError(f"its colour profile is damaged; {_CONVERT}, or remove the profile") from None
    if not np.isfinite(found.matrix).all():
        raise UnreadableError(f"its colour profile is damaged; {_CONVERT}, or remove the profile")
    return None if found.is_srgb else found


def to_srgb(rgb: NDArray[np.uint8] | NDArray[np.uint16], found: Conversion) -> NDArray[np.uint8] | NDArray[np.uint16]:
    """A picture (H, W, 3) of 8 or 16 bits in sRGB, of the same depth."""
    most = np.float32(np.iinfo(rgb.dtype).max)
    tables = [curve(np.linspace(0, 1, int(most) + 1)).astype(np.float32) for curve in found.curves]
    linear = cv2.merge([table[rgb[..., channel]] for channel, table in enumerate(tables)])
    linear = np.asarray(cv2.transform(linear, found.matrix.astype(np.float32)), np.float32).clip(0, 1)
    if rgb.dtype == np.uint8:  # by a table whose steps are a twentieth of a code where they are largest
        codes = _encoded(np.linspace(0, 1, 2**16)) * 255 + 0.5
        return codes.astype(np.uint8)[(linear * np.float32(2**16 - 1) + np.float32(0.5)).astype(np.uint16)]
    return (_encoded(linear) * most + np.float32(0.5)).astype(np.uint16)


def _conversion(colours: Colours) -> Conversion:
    if colours.icc is not None:
        return _from_profile(colours.icc)
    if colours.adobe_rgb:
        return _from_primaries(_ADOBE_RGB, _power(563 / 256))
    if colours.cicp is not None:
        return _from_codes(*colours.cicp)
    gamma, xy = colours.gamma, colours.chromaticities
    usual = gamma is None or _USUAL_GAMMA[0] <= gamma <= _USUAL_GAMMA[1]
    curve = _decoded if usual or not gamma else _power(100000 / gamma)
    return _from_primaries(tuple(value / 100000 for value in xy) if xy else _PRIMARIES[1], curve)


def _from_codes(primaries: int, transfer: int, matrix: int, full: int) -> Conversion:
    """Of PNG's cICP, by ITU-T H.273."""
    if transfer in _NOT_SDR:
        raise UnreadableError(f"its transfer is {_NOT_SDR[transfer]}, not SDR; {_CONVERT}")
    known = transfer in _LIKE_SRGB or transfer in _GAMMAS
    if not known or primaries not in _PRIMARIES or matrix != 0 or full != 1:
        raise UnreadableError(f"its colours (cICP {primaries}/{transfer}/{matrix}/{full}) are not known; {_CONVERT}")
    curve = _decoded if transfer in _LIKE_SRGB else _power(_GAMMAS[transfer])
    return _from_primaries(_PRIMARIES[primaries], curve)


def matrix_to_bt709(chromaticities: tuple[float, ...]) -> Floats:
    """Matrix from linear RGB to that of BT.709's primaries: of x and y of white, red, green and blue.

    Another white becomes D65 by Bradford's adaptation.
    """
    return _FROM_XYZ @ _colorants(chromaticities)


def _from_primaries(xy: tuple[float, ...], curve: Curve) -> Conversion:
    return Conversion((curve, curve, curve), matrix_to_bt709(xy))


def _colorants(xy: tuple[float, ...]) -> Floats:
    """Linear RGB to CIE XYZ under D50, adapted by Bradford's matrix; columns are the primaries."""
    white, *primaries = (np.array([x / y, 1, (1 - x - y) / y]) for x, y in zip(xy[::2], xy[1::2], strict=True))
    columns = np.stack(primaries, 1)
    columns = columns * np.linalg.solve(columns, white)
    gains = (_BRADFORD @ _D50) / (_BRADFORD @ white)
    adapted: Floats = np.linalg.inv(_BRADFORD) @ np.diag(gains) @ _BRADFORD @ columns
    return adapted


_FROM_XYZ = np.linalg.inv(_colorants(_PRIMARIES[1]))  # under D50, to linear sRGB


def _from_profile(profile: bytes) -> Conversion:
    """A profile of the matrix kind, or of grey (ICC.1, 8.3 and F.2, F.3)."""
    if profile[36:40] != b"acsp":
        raise ValueError("the signature of a profile is missing")
    space, pcs = profile[16:20], profile[20:24]
    tags = {}
    for number in range(min(struct.unpack_from(">I", profile, 128)[0], 200)):
        name, offset, size = struct.unpack_from(">4sII", profile, 132 + 12 * number)
        tags[name] = profile[offset : offset + size]
    if b"cicp" in tags and tags[b"cicp"][9] in _NOT_SDR:
        raise UnreadableError(f"its transfer is {_NOT_SDR[tags[b'cicp'][9]]}, not SDR; {_CONVERT}")
    if space == b"GRAY" and pcs == b"XYZ " and b"kTRC" in tags:
        curve = _curve(tags[b"kTRC"])
        return Conversion((curve, curve, curve), np.eye(3), grey=True)
    needed = [b"rXYZ", b"gXYZ", b"bXYZ", b"rTRC", b"gTRC", b"bTRC"]
    if space != b"RGB " or pcs != b"XYZ " or not all(tag in tags for tag in needed):
        told = "works by a table" if space == b"RGB " else f"is of {space.decode('latin-1').strip()}"
        raise UnreadableError(f"its colour profile {told}, which is not converted here; {_CONVERT}")
    columns = np.array([struct.unpack_from(">3i", tags[tag], 8) for tag in needed[:3]]).T / 65536
    red, green, blue = (_curve(tags[tag]) for tag in needed[3:])
    return Conversion((red, green, blue), _FROM_XYZ @ columns)


def _curve(tag: bytes) -> Curve:
    """Of type curv: none, a power, or a table; or of type para (ICC.1, 10.6 and 10.18)."""
    if tag[:4] == b"curv":
        count = struct.unpack_from(">I", tag, 8)[0]
        if count == 0:
            return _power(1.0)
        values = np.array(struct.unpack_from(f">{count}H", tag, 12), np.float64)
        if count == 1:
            return _power(values[0] / 256)
        places = np.linspace(0, 1, count)
        return lambda samples: np.interp(samples, places, values / 65535)
    if tag[:4] != b"para":
        raise ValueError("a curve of an unknown type")
    kind = struct.unpack_from(">H", tag, 8)[0]
    g, *rest = (value / 65536 for value in struct.unpack_from(f">{(1, 3, 4, 5, 7)[kind]}i", tag, 12))
    if not 0.05 <= g <= 50:
        raise ValueError("a curve that no device has")
    a, b, c, d, e, f = (rest or [1.0]) + [0.0] * (6 - max(1, len(rest)))
    slope, start, above, below = (c, d, e, f) if kind >= 3 else (0.0, -b / a, c, c)
    return lambda x: np.where(x >= start, np.maximum(a * x + b, 0) ** g + above, slope * x + below)


def _power(gamma: float) -> Curve:
    if not 0.05 <= gamma <= 50:
        raise ValueError("a curve that no device has")
    return lambda samples: samples**gamma


def _decoded(srgb: Floats) -> Floats:
    return cast(Floats, srgb_to_linear(torch.from_numpy(srgb)).numpy())


def _encoded(linear: NDArray[Any]) -> NDArray[Any]:
    """In the precision that comes."""
    return linear_to_srgb(torch.from_numpy(linear)).numpy()

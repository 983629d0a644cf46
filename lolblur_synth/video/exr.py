"""OpenEXR files: size from the header, and red, green and blue of the one part, in linear light.

By the package OpenEXR, as OpenCV's wheels lack it and PyAV's planes of half floats cannot be had as arrays.
"""

import math
from collections.abc import Callable
from contextlib import closing
from fractions import Fraction
from pathlib import Path
from typing import Any, NamedTuple

import Imath  # of the package OpenEXR
import numpy as np
import OpenEXR
from numpy.typing import NDArray

from lolblur_synth.video.headers import Colours, UnreadableError
from lolblur_synth.video.icc import conversion


class _Window(NamedTuple):
    """Columns and rows, the last ones excluded."""

    left: int
    top: int
    right: int
    bottom: int

    @property
    def size(self) -> tuple[int, int]:
        """Width and height."""
        return self.right - self.left, self.bottom - self.top


def is_exr(path: Path) -> bool:
    """Whether the name says that it is an OpenEXR file."""
    return path.suffix.lower() == ".exr"


def exr_size(path: Path) -> tuple[int, int]:
    """Width and height of the display window, as the header tells them; raises `UnreadableError`."""
    return _window(_header(path), "displayWindow").size


def exr_exposure(path: Path) -> Fraction | None:
    """Exposure time in seconds as the header's expTime tells it, else None; raises `UnreadableError`."""
    seconds = _header(path).get("expTime")
    if not isinstance(seconds, float) or not 0 < seconds < math.inf:
        return None
    return Fraction(seconds).limit_denominator(1_000_000) or None


def read_exr(path: Path, check: Callable[[int, int], None]) -> NDArray[np.float32]:
    """Read RGB of an OpenEXR file as (H, W, 3) linear light of BT.709's primaries, filling its display window.

    Other channels are ignored; what lies outside of the data window is black. Light of other primaries is converted,
    and what is outside of BT.709's gamut clipped at 0. `check` is told width and height before anything is decoded.
    Raises `UnreadableError` for several parts, deep data, missing or subsampled channels and damaged files.
    """
    header = _header(path)
    data, display = _window(header, "dataWindow"), _window(header, "displayWindow")
    check(*data.size)
    check(*display.size)
    rgb = np.stack(_channels(path, data.size), -1)
    return _in_bt709(_placed(rgb, data, display), header.get("chromaticities"))


def _header(path: Path) -> dict[str, Any]:
    """The header of the one part that is a picture."""
    try:
        parts = OpenEXR.File(str(path), header_only=True).parts
        header: dict[str, Any] = parts[0].header
        channels = {channel.name: (channel.xSampling, channel.ySampling) for channel in header["channels"]}
    except Exception as error:  # RuntimeError, but of damaged texts UnicodeDecodeError, and of none IndexError
        raise _damaged(error) from None
    if len(parts) > 1:
        raise UnreadableError(f"OpenEXR of {len(parts)} parts; write the one that is meant into a file of its own")
    if header.get("type") not in (OpenEXR.scanlineimage, OpenEXR.tiledimage):
        raise UnreadableError("deep OpenEXR, which has several samples in a pixel; flatten it first")
    missing = [name for name in "RGB" if name not in channels]
    if missing:
        there = ", ".join(sorted(channels)[:8])
        raise UnreadableError(f"it lacks the channels {', '.join(missing)} (it has {there}); write R, G and B")
    if any(channels[name] != (1, 1) for name in "RGB"):
        raise UnreadableError("OpenEXR with subsampled channels; write R, G and B in full size")
    return header


def _window(header: dict[str, Any], name: str) -> _Window:
    (left, top), (right, bottom) = (corner.tolist() for corner in header[name])
    if right < left or bottom < top:
        raise UnreadableError(f"not a picture that can be decoded (its {name} is empty)")
    return _Window(left, top, right + 1, bottom + 1)


def _channels(path: Path, size: tuple[int, int]) -> list[NDArray[np.float32]]:
    """Red, green and blue by the older interface, which raises where the newer prints and gives nothing."""
    try:
        with closing(OpenEXR.InputFile(str(path))) as file:
            planes = file.channels(["R", "G", "B"], Imath.PixelType(Imath.PixelType.FLOAT))
        return [np.frombuffer(plane, np.float32).reshape(size[::-1]) for plane in planes]
    except Exception as error:  # as above
        raise _damaged(error) from None


def _damaged(error: Exception) -> UnreadableError:
    return UnreadableError(f"not a picture that can be decoded: a damaged OpenEXR file ({error})")


def _placed(rgb: NDArray[np.float32], data: _Window, display: _Window) -> NDArray[np.float32]:
    """The samples of the data window in the display window."""
    if data == display:
        return rgb
    placed = np.zeros((*display.size[::-1], 3), np.float32)
    left, top = max(display.left, data.left), max(display.top, data.top)
    right, bottom = min(display.right, data.right), min(display.bottom, data.bottom)
    if left < right and top < bottom:
        inside = rgb[top - data.top : bottom - data.top, left - data.left : right - data.left]
        rows, columns = slice(top - display.top, bottom - display.top), slice(left - display.left, right - display.left)
        placed[rows, columns] = inside
    return placed


def _in_bt709(rgb: NDArray[np.float32], chromaticities: tuple[float, ...] | None) -> NDArray[np.float32]:
    """By the header's chromaticities of red, green, blue and white; without any they are BT.709's."""
    if chromaticities is None:
        return rgb
    red_green_blue, white = chromaticities[:6], chromaticities[6:]
    found = conversion(Colours(chromaticities=tuple(round(100_000 * value) for value in (*white, *red_green_blue))))
    if found is None:
        return rgb
    outside = rgb.min(initial=0) < 0  # else negatives are what the matrix made of them
    converted = rgb @ found.matrix.T.astype(np.float32)
    return converted if outside else np.maximum(converted, 0)

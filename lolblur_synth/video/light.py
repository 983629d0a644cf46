"""Frames of scene-linear light, most of which goes on above white: numbered OpenEXR, float TIFF, and DNG."""

from pathlib import Path
from typing import cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from lolblur_synth.core.colorimetry import linear_to_srgb
from lolblur_synth.core.errors import SequenceError
from lolblur_synth.video.dng import raw_tags
from lolblur_synth.video.exr import exr_size, is_exr, read_exr
from lolblur_synth.video.headers import UnreadableError
from lolblur_synth.video.images import (
    SUFFIXES,
    Pixels,
    check_size,
    decode_floats,
    picture_size,
    quantize,
    read_contents,
    read_pixels,
)
from lolblur_synth.video.metadata import MAX_PIXELS, RawDevelopment, VideoInfo
from lolblur_synth.video.raw import read_raw
from lolblur_synth.video.raw_light import develop_raw, development_of
from lolblur_synth.video.tiff import SIGNATURES, is_float_tiff, read_float_tiff

FRAMES = SUFFIXES | {".exr", ".dng"}  # of pictures that may be frames of a video
Samples = Pixels | NDArray[np.float32]


def holds_light(path: Path, largest: int = MAX_PIXELS) -> bool:
    """Whether a picture has scene-linear samples: OpenEXR, DNG by name, TIFF by its tags. Raises `SequenceError`."""
    if is_exr(path) or is_dng(path):
        return True
    if path.suffix.lower() not in (".tif", ".tiff"):
        return False
    data = read_contents(path, largest)
    return data.startswith(SIGNATURES) and is_float_tiff(data)


def is_dng(path: Path) -> bool:
    """Whether the name says that it is a DNG file, which is RAW."""
    return path.suffix.lower() == ".dng"


def frame_size(path: Path) -> tuple[int, int] | None:
    """Width and height as the header tells them, None where it does not."""
    try:
        if is_dng(path):
            return raw_tags(path).size
        return exr_size(path) if is_exr(path) else picture_size(path)
    except UnreadableError:
        return None


def read_light(path: Path, largest: int = MAX_PIXELS) -> NDArray[np.float32]:
    """Read scene-linear light of a picture as (H, W, 3) float32, RGB of BT.709's primaries, from 0 upwards.

    Raises `SequenceError` for what cannot be decoded, for more than `largest` pixels, which the header tells, and where
    samples are negative, infinite or no numbers.
    """

    def check(width: int, height: int) -> None:
        check_size(path, width, height, largest)

    data = read_contents(path, largest)
    try:
        light = read_exr(path, check) if is_exr(path) else read_float_tiff(data, check, decode_floats)
        _refuse_samples(light)
    except UnreadableError as error:
        raise SequenceError(error, where=path) from None
    return light


def read_samples(path: Path, info: VideoInfo) -> Samples:
    """Read a frame of a folder as (H, W, 3): scene-linear light where the video is of such, else sRGB of its depth."""
    largest = max(MAX_PIXELS, info.width * info.height)
    if info.raw:
        return read_raw_light(path, largest, info.raw)[0]
    return read_light(path, largest) if info.white is not None else read_pixels(path, largest)


def read_raw_light(
    path: Path, largest: int, like: RawDevelopment | None = None
) -> tuple[NDArray[np.float32], RawDevelopment]:
    """Develop a RAW frame as scene-linear light (H, W, 3), as the first one was or, without `like`, by its own tags.

    Raises `SequenceError`.
    """
    raw = read_raw(path, largest)
    try:
        how = like or development_of(raw)
        light = develop_raw(raw, how)
        _refuse_samples(light)
    except UnreadableError as error:
        raise SequenceError(error, where=path) from None
    return light, how


def as_srgb(light: NDArray[np.float32], white: float) -> Tensor:
    """Encode light (H, W, 3), of which `white` becomes 1, as sRGB (3, H, W), whose curve goes on above 1."""
    scaled = torch.from_numpy(np.ascontiguousarray((light / np.float32(white)).transpose(2, 0, 1)))
    return linear_to_srgb(scaled)


def as_displayed(samples: Samples, info: VideoInfo) -> Pixels:
    """What of a frame's samples can be shown, clipped at white: (H, W, 3) of 8 or 16 bits."""
    if samples.dtype != np.float32:
        return cast(Pixels, samples)
    assert info.white is not None
    return quantize(as_srgb(cast(NDArray[np.float32], samples), info.white), 16)


def _refuse_samples(light: NDArray[np.float32]) -> None:
    strange = int((~np.isfinite(light)).any(-1).sum())
    if strange:
        raise UnreadableError(f"{strange} of its pixels are infinite or no numbers (NaN); clamp them, or make it anew")
    if light.min() < 0:
        raise UnreadableError(f"negative light, down to {light.min():.3g}; clamp it at 0, or tell its primaries")

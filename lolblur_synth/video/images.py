"""Pictures on disk: 8- and 16-bit files to float tensors and back; the only file where BGR exists."""

import hashlib
from pathlib import Path
from typing import Literal, cast

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from lolblur_synth.errors import SequenceError
from lolblur_synth.files import write_whole

BitDepth = Literal[8, 16]
Pixels = NDArray[np.uint8] | NDArray[np.uint16]
SUFFIXES = {".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp", ".webp"}


def quantize(image: Tensor, bit_depth: BitDepth = 8) -> Pixels:
    """Round (3, H, W) in [0, 1] to the nearest code as (H, W, 3) uint8 or uint16; values outside are clipped."""
    scaled = image.clamp(0, 1).mul(2**bit_depth - 1).add(0.5).floor().permute(1, 2, 0).cpu().numpy()
    return np.ascontiguousarray(scaled.astype(np.uint8 if bit_depth == 8 else np.uint16))


def dequantize(pixels: Pixels) -> Tensor:
    """(H, W, 3) uint8 or uint16 as (3, H, W) float32 in [0, 1]."""
    scaled = pixels.astype(np.float32) / np.float32(np.iinfo(pixels.dtype).max)
    return torch.from_numpy(np.ascontiguousarray(scaled.transpose(2, 0, 1)))


def pixel_hash(pixels: Pixels) -> str:
    """sha256 of shape, type and values: equal for equal pictures, however the file was compressed."""
    header = f"{pixels.shape} {pixels.dtype.name} RGB".encode()
    return hashlib.sha256(header + pixels.astype(pixels.dtype.newbyteorder("<")).tobytes()).hexdigest()


def write_png(path: Path, pixels: Pixels) -> None:
    """Write (H, W, 3) RGB losslessly; the file appears whole or not at all. Raises `OSError`."""
    done, encoded = cv2.imencode(".png", cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR))
    if not done:
        raise OSError(f"{path}: PNG encoding failed")
    write_whole(path, encoded.data)


def read_pixels(path: Path) -> Pixels:
    """A picture file as (H, W, 3) RGB of its own depth: grey is spread, alpha dropped, EXIF rotation applied.

    Raises `SequenceError` when it cannot be decoded or has another depth than 8 or 16 bits.
    """
    try:
        data = np.fromfile(path, dtype=np.uint8)
    except OSError as error:
        raise SequenceError(f"{path}: cannot be read: {error.strerror}") from None
    flags = cv2.IMREAD_COLOR | cv2.IMREAD_ANYDEPTH
    try:
        decoded = cv2.imdecode(data, flags) if data.size else None
    except cv2.error:  # of a size that it does not take
        decoded = None
    if decoded is None:
        raise SequenceError(
            f"{path}: not a picture that can be decoded (empty, truncated, of an unknown kind, or above 2^30 pixels)"
        )
    if decoded.dtype not in (np.uint8, np.uint16):
        raise SequenceError(f"{path}: {decoded.dtype} samples; 8- and 16-bit integer pictures can be read")
    return cast(Pixels, cv2.cvtColor(decoded, cv2.COLOR_BGR2RGB))


def read_image(path: Path) -> Tensor:
    """A picture file as (3, H, W) float32 RGB in [0, 1]; raises as `read_pixels`."""
    return dequantize(read_pixels(path))


def is_picture(path: Path) -> bool:
    """Whether the name says that it is a picture, and not what macOS leaves beside one."""
    return path.suffix.lower() in SUFFIXES and not path.name.startswith("._")

"""Pictures on disk: 8- and 16-bit files to float tensors and back; the only file where BGR exists."""

import hashlib
from pathlib import Path
from stat import S_ISREG
from typing import Literal, cast

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from lolblur_synth.core.errors import SequenceError, setting
from lolblur_synth.core.files import write_whole
from lolblur_synth.video.headers import UnreadableError, read_header
from lolblur_synth.video.icc import conversion, to_srgb
from lolblur_synth.video.metadata import MAX_PIXELS, Subsampling
from lolblur_synth.video.tiff import SIGNATURES as TIFF
from lolblur_synth.video.tiff import read_tiff

BitDepth = Literal[8, 16]
Pixels = NDArray[np.uint8] | NDArray[np.uint16]
SUFFIXES = {".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp", ".webp"}
KINDS = ("PNG", "JPEG", "TIFF", "BMP", "WebP")
_SAMPLING_FACTORS: dict[Subsampling, int] = {
    "4:4:4": cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444,
    "4:2:2": cv2.IMWRITE_JPEG_SAMPLING_FACTOR_422,
    "4:2:0": cv2.IMWRITE_JPEG_SAMPLING_FACTOR_420,
}
_NO_PICTURE = "not a picture that can be decoded"
_LOGGING = getattr(cv2.utils, "logging", cv2)  # where OpenCV 5 has what is cv2's own in 4.10
_LOGGING.setLogLevel(0)  # silent: what is wrong with a picture is told once, in our words


def quantize(image: Tensor, bit_depth: BitDepth = 8) -> Pixels:
    """Quantize (3, H, W) in [0, 1] to the nearest code as (H, W, 3) uint8 or uint16; values outside are clipped.

    >>> quantize(torch.tensor([0.0, 0.5, 1.2]).view(3, 1, 1)).tolist()
    [[[0, 128, 255]]]
    """
    scaled = image.clamp(0, 1).mul(2**bit_depth - 1).add(0.5).floor().permute(1, 2, 0).cpu().numpy()
    return np.ascontiguousarray(scaled.astype(np.uint8 if bit_depth == 8 else np.uint16))


def dequantize(pixels: Pixels) -> Tensor:
    """Dequantize (H, W, 3) uint8 or uint16 to (3, H, W) float32 in [0, 1]; `quantize` gives the same codes again."""
    scaled = pixels.astype(np.float32) / np.float32(np.iinfo(pixels.dtype).max)
    return torch.from_numpy(np.ascontiguousarray(scaled.transpose(2, 0, 1)))


def pixel_hash(pixels: Pixels) -> str:
    """sha256 of shape, type and values: equal for equal pictures, however the file was compressed."""
    header = f"{pixels.shape} {pixels.dtype.name} RGB".encode()
    return hashlib.sha256(header + pixels.astype(pixels.dtype.newbyteorder("<")).tobytes()).hexdigest()


def write_png(path: Path, pixels: Pixels) -> None:
    """Write (H, W, 3) RGB losslessly; the file appears whole or not at all. Raises `OSError`."""
    write_whole(path, encode_png(pixels))


def encode_png(pixels: Pixels) -> memoryview:
    """The bytes of a PNG file of (H, W, 3) RGB; raises `OSError`."""
    done, encoded = cv2.imencode(".png", cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR))
    if not done:
        raise OSError("PNG encoding failed")
    return encoded.data


def encode_webp(pixels: NDArray[np.uint8], quality: int) -> bytes:
    """Encode (H, W, 3) RGB as lossy WebP, of a quality from 1 to 100."""
    _, encoded = cv2.imencode(".webp", cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_WEBP_QUALITY, quality])
    return encoded.tobytes()


def through_jpeg(pixels: Pixels, quality: int, subsampling: Subsampling) -> Pixels:
    """Encode (H, W, 3) RGB of 8 bits as baseline JPEG, of a quality from 1 to 100, and decode it again.

    By OpenCV's own libjpeg-turbo. Raises `SequenceError` for sides that JPEG cannot hold.
    """
    wanted = [cv2.IMWRITE_JPEG_QUALITY, quality, cv2.IMWRITE_JPEG_SAMPLING_FACTOR, _SAMPLING_FACTORS[subsampling]]
    try:
        done, encoded = cv2.imencode(".jpg", cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR), wanted)
    except cv2.error:
        done = False
    if not done:
        height, width = pixels.shape[:2]
        raise SequenceError(
            f"JPEG cannot hold {width}x{height}", advice="give a smaller video.size, or isp.jpeg_quality=null"
        )
    return cast(Pixels, cv2.cvtColor(cv2.imdecode(encoded, cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB))


def read_pixels(path: Path, largest: int = MAX_PIXELS) -> Pixels:
    """A picture file as (H, W, 3) sRGB of its own depth: grey is spread, alpha dropped, turned as its tags want it.

    Colours that its profile tells are converted. Raises `SequenceError` when it cannot be decoded, has another depth
    than 8 or 16 bits, holds several pictures, or more than `largest` pixels, which its header tells.
    """
    return decode_pixels(read_contents(path, largest), path, largest)


def decode_pixels(data: bytes, where: object, largest: int = MAX_PIXELS) -> Pixels:
    """Decode the bytes of a picture file, which are from `where`; as `read_pixels`, and raises as that does."""
    try:
        tiff = read_tiff(data, largest) if data.startswith(TIFF) else None
        header = tiff.header if tiff else read_header(data)
        if header is None:
            raise UnreadableError(f"{_NO_PICTURE} (empty, truncated, or of another kind than {', '.join(KINDS)})")
        if header.width * header.height == 0:
            raise UnreadableError(f"{_NO_PICTURE} (of {header.width}x{header.height} pixels)")
        check_size(where, header.width, header.height, largest)
        if header.pictures > 1:
            raise UnreadableError(f"{header.pictures} pictures that move; write each into a file of its own")
        if header.channels == 4:
            raise UnreadableError("its colours are CMYK; convert it to sRGB first: magick IN -colorspace sRGB OUT.png")
        found = conversion(header.colours)
        decoded = _decode(data) if tiff is None or tiff.samples is None else tiff.samples
        if found and found.grey and decoded.ndim == 3 and header.channels != 1 and np.ptp(decoded, axis=2).any():
            raise UnreadableError("its colour profile is one of grey pictures; remove the profile")
    except UnreadableError as error:
        raise SequenceError(error, where=where) from None
    rgb = cv2.cvtColor(decoded, cv2.COLOR_GRAY2RGB) if decoded.ndim == 2 else decoded
    return cast(Pixels, to_srgb(rgb, found) if found else rgb)


def picture_size(path: Path) -> tuple[int, int] | None:
    """Width and height as the header tells them, None where it does not."""
    try:
        data = read_contents(path, MAX_PIXELS)
        header = read_tiff(data, 0).header if data.startswith(TIFF) else read_header(data)
    except (SequenceError, UnreadableError):
        return None
    return (header.width, header.height) if header else None


def check_size(where: object, width: int, height: int, largest: int) -> None:
    """Raise `SequenceError` for more pixels than are decoded, before that takes the memory."""
    if width * height > largest:
        raise SequenceError(
            f"{width}x{height} are more than {largest} pixels",
            where=where,
            advice=f"make it smaller, or if it is meant, run with {setting('run.max_pixels')}={width * height}",
        )


def read_contents(path: Path, largest: int) -> bytes:
    """Read a file that may be a picture of at most `largest` pixels; raises `SequenceError`."""
    try:
        status = path.stat()
        if not S_ISREG(status.st_mode):  # reading a pipe would wait for ever
            raise SequenceError("cannot be read: not a file", where=path)
        if status.st_size > 16 * largest + 2**24:
            raise SequenceError(f"{status.st_size} bytes are more than a picture of {largest} pixels takes", where=path)
        return path.read_bytes()
    except OSError as error:
        raise SequenceError(f"cannot be read: {error.strerror}", where=path) from None


def _decode(data: bytes) -> Pixels:
    """By OpenCV, as (H, W, 3) RGB."""
    try:
        decoded = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR | cv2.IMREAD_ANYDEPTH)
    except cv2.error:  # of a size that it does not take
        decoded = None
    if decoded is None:
        raise UnreadableError(f"{_NO_PICTURE} (truncated or damaged)")
    if decoded.dtype not in (np.uint8, np.uint16):
        raise UnreadableError(f"{decoded.dtype} samples; 8- and 16-bit integer pictures can be read: write it as such")
    return cast(Pixels, cv2.cvtColor(decoded, cv2.COLOR_BGR2RGB))


def decode_floats(data: bytes) -> NDArray[np.float32]:
    """Decode a file of 32-bit floats by OpenCV as (H, W, 3) RGB, or (H, W) of grey; raises `UnreadableError`."""
    decoded = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    if decoded is None or decoded.dtype != np.float32 or (decoded.ndim == 3 and decoded.shape[2] != 3):
        raise UnreadableError(f"{_NO_PICTURE} (truncated or damaged)")
    return cast(NDArray[np.float32], decoded if decoded.ndim == 2 else cv2.cvtColor(decoded, cv2.COLOR_BGR2RGB))


def read_image(path: Path) -> Tensor:
    """A picture file as (3, H, W) float32 RGB in [0, 1]; raises as `read_pixels`."""
    return dequantize(read_pixels(path))


def is_picture(path: Path) -> bool:
    """Whether the name says that it is a picture, and not what macOS leaves beside one."""
    return path.suffix.lower() in SUFFIXES and not path.name.startswith("._")

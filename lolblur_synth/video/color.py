"""YCbCr to RGB: the samples of decoded frames, and colours from them by matrix and range.

swscale repacks samples but never computes colours: its levels differ between FFmpeg releases, by up to 1/255.
"""

from collections.abc import Sequence
from functools import cache
from typing import Any, cast

import av
import cv2
import numpy as np
from numpy.typing import NDArray

from lolblur_synth.video.content import Samples, checksum, digest
from lolblur_synth.video.linearize import rendered
from lolblur_synth.video.metadata import ColorMatrix, ColorRange, VideoInfo

_LUMA = {"bt601": (0.299, 0.114), "bt709": (0.2126, 0.0722), "bt2020": (0.2627, 0.0593)}  # weights of red and blue
_REPACK = {  # the same samples with a plane for each component
    "monob": "gray",
    "monow": "gray",
    "nv12": "yuv420p",
    "nv16": "yuv422p",
    "nv21": "yuv420p",
    "p010le": "yuv420p10le",
    "uyvy422": "yuv422p",
    "ya16be": "gray16le",
    "ya16le": "gray16le",
    "ya8": "gray",
    "yuyv422": "yuv422p",
}


def _unpacked(frame: av.VideoFrame) -> av.VideoFrame:
    """The same samples with a plane for each component: the frame itself where it has them so."""
    fmt = frame.format
    if fmt.has_palette or (fmt.is_rgb and not fmt.is_planar):
        return frame.reformat(format="gbrp" if all(c.bits <= 8 for c in fmt.components) else "gbrp16le")
    return frame.reformat(format=_REPACK[fmt.name]) if fmt.name in _REPACK else frame


def samples_of(frame: av.VideoFrame) -> Samples:
    """All samples of a frame but alpha's, as they were decoded: luma, luma and two chromas, or red, green, blue.

    Views of the frame where its rows follow each other, else copies. Raises `ValueError`.
    """
    name, frame = frame.format.name, _unpacked(frame)
    fmt = frame.format
    components = fmt.components[:3]
    order, depth = [component.plane for component in components], components[0].bits
    if not 8 <= depth <= 16 or len(set(order)) != len(order):
        raise ValueError(f"its pixel format {name} cannot be read")
    dtype = np.dtype(np.uint8 if depth == 8 else ">u2" if fmt.is_big_endian else "<u2")
    planes = [frame.planes[index] for index in order]
    rows = [np.frombuffer(cast(Any, plane), dtype).reshape(plane.height, -1) for plane in planes]
    native = dtype.newbyteorder("=")
    cut = [np.ascontiguousarray(row[:, : plane.width], native) for row, plane in zip(rows, planes, strict=True)]
    return Samples(cut, depth, fmt.is_rgb)


def frame_checksum(frame: av.VideoFrame) -> int:
    """Checksum of all samples of a frame but alpha's: it differs for a frame decoded without its references."""
    return checksum(digest(samples_of(frame)))


def to_rgb(frame: av.VideoFrame, info: VideoInfo) -> NDArray[np.float32]:
    """A stored frame as (H, W, 3) RGB, not turned: sRGB in [0, 1], or light of which 1 is diffuse white."""
    samples = samples_of(frame)
    return merged([_spread(plane, (frame.width, frame.height), info) for plane in samples.planes], samples, info)


def merged(planes: Sequence[NDArray[Any]], samples: Samples, info: VideoInfo) -> NDArray[np.float32]:
    """Planes of one size (H, W), made of those of a frame's samples, as (H, W, 3) RGB like `to_rgb`'s."""
    values = np.asarray(cv2.merge([plane.astype(np.float32) for plane in planes]), np.float32)
    if samples.rgb:
        return rendered(np.asarray(values / np.float32(2**samples.depth - 1), np.float32), info)
    matrix = _rgb_matrix(len(planes), samples.depth, info.color_matrix, info.color_range)
    return rendered(np.asarray(cv2.transform(values, matrix), np.float32), info)


def _spread(plane: NDArray[Any], size: tuple[int, int], info: VideoInfo) -> NDArray[Any]:
    """A chroma plane at the size of luma, linear; its samples lie on even columns (MJPEG: between) and between rows."""
    (width, height), (rows, columns) = size, plane.shape
    if (columns, rows) == size:
        return plane
    x, y = 1 / round(width / columns), 1 / round(height / rows)
    left = (x - 1) / 2 if info.codec == "mjpeg" else 0
    source = np.array([[x, 0, left], [0, y, (y - 1) / 2]])
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    return np.asarray(cv2.warpAffine(plane.astype(np.float32), source, size, None, flags, cv2.BORDER_REPLICATE))


@cache
def _rgb_matrix(channels: int, depth: int, matrix: ColorMatrix, levels: ColorRange) -> NDArray[np.float64]:
    """From luma, two chromas and 1, or from luma and 1, to RGB (ITU-T H.273): (3, channels + 1)."""
    full = levels == "full"
    black, white, swing = (0, 2**depth - 1, 2**depth - 1) if full else (x << depth - 8 for x in (16, 235, 224))
    red, blue = _LUMA[matrix]
    green = 1 - red - blue
    from_ycc = [
        [1, 0, 2 - 2 * red],
        [1, (blue - 1) * 2 * blue / green, (red - 1) * 2 * red / green],
        [1, 2 - 2 * blue, 0],
    ]
    gain = np.array(from_ycc)[:, :channels] / np.array([white - black, swing, swing])[:channels]
    return np.column_stack((gain, -gain @ np.array([black, 128 << depth - 8, 128 << depth - 8])[:channels]))

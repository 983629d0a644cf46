"""Lossless and camera-like video files."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from fractions import Fraction
from itertools import count
from pathlib import Path
from typing import cast

import av
import numpy as np
from av.container import OutputContainer
from av.video.reformatter import ColorRange, Colorspace
from av.video.stream import VideoStream
from torch import Tensor

from lolblur_synth.errors import UserError, shown
from lolblur_synth.video.images import BitDepth, Pixels, quantize
from lolblur_synth.video.stream import file_url

_X264_THREADS = 4  # they decide its bytes, and in lossy files pixels; by itself it takes as many as there are cores
_BT709 = 1  # its code as matrix, primaries and transfer in ITU-T H.273


def write_video(
    path: Path,
    frames: Iterable[Tensor],
    fps: Fraction,
    crf: int | None = None,
    pixel_format: str = "yuv420p",
    bit_depth: BitDepth = 8,
) -> None:
    """Write (3, H, W) sRGB frames in [0, 1], rounded to 8 or 16 bits; the file appears whole or not at all.

    Without `crf` losslessly: FFV1 for .mkv, H.264 in RGB for .mp4, which has 8 bits. With it as an ordinary camera
    writes: H.264 in `pixel_format`, BT.709, limited range, tagged. Equal frames give equal bytes on any number
    of cores. Raises `UserError`.
    """
    with video_writer(path, fps, crf, pixel_format, bit_depth) as write:
        for frame in frames:
            write(frame)


@contextmanager
def video_writer(
    path: Path, fps: Fraction, crf: int | None = None, pixel_format: str = "yuv420p", bit_depth: BitDepth = 8
) -> Iterator[Callable[[Tensor], None]]:
    """As `write_video`, for frames that come one by one: the function takes each; the file appears at the end."""
    codec, stored, options = _codec(path, bit_depth)
    if crf is not None:
        options = {"crf": str(crf), "preset": "veryfast", "mbtree": "0"}  # with it x264 does not repeat itself
        codec, stored = "libx264", pixel_format
    partial = path.with_name(f".{path.stem}.partial{path.suffix}")
    numbers = count()
    try:
        with av.open(file_url(partial), "w", options={"fflags": "+bitexact"}) as container:
            stream = cast(VideoStream, container.add_stream(codec, rate=fps, options=options))
            stream.pix_fmt = stored
            if codec != "ffv1":
                stream.codec_context.thread_count = _X264_THREADS
            yield lambda frame: _encode(container, stream, fps, next(numbers), quantize(frame, bit_depth))
            if next(numbers) == 0:
                raise ValueError("there are no frames to write")
            container.mux(stream.encode(None))
        partial.replace(path)
    except av.FFmpegError as error:
        raise UserError(
            f"{shown(path)}: cannot be written ({error.strerror}); is there room, and is the size even?"
        ) from None
    finally:
        partial.unlink(missing_ok=True)


def _codec(path: Path, bit_depth: BitDepth) -> tuple[str, str, dict[str, str]]:
    """Name, pixel format and options of the lossless codec for a suffix."""
    if not path.parent.is_dir():
        raise UserError(f"{shown(path)}: the folder {shown(path.parent)} does not exist; make it first")
    deep = bit_depth == 16
    codecs = {".mkv": ("ffv1", "gbrp16le" if deep else "bgr0", {"g": "1"})}
    if not deep:
        codecs[".mp4"] = ("libx264rgb", "rgb24", {"qp": "0", "preset": "veryfast"})
    if path.suffix not in codecs:
        raise UserError(f"{shown(path)}: videos of {bit_depth} bits are written as {' or '.join(codecs)}")
    return codecs[path.suffix]


def _encode(container: OutputContainer, stream: VideoStream, fps: Fraction, number: int, picture: Pixels) -> None:
    colors = {}
    if not stream.format.is_rgb:
        colors = {"dst_colorspace": Colorspace.ITU709, "dst_color_range": ColorRange.MPEG}
    if number == 0:
        stream.height, stream.width = picture.shape[:2]
        if colors:
            context = stream.codec_context
            context.colorspace = context.color_primaries = context.color_trc = _BT709
            context.color_range = ColorRange.MPEG
    given = "rgb24" if picture.dtype == np.uint8 else "gbrp16le"
    frame = av.VideoFrame.from_ndarray(picture, given).reformat(format=stream.pix_fmt, **colors)
    frame.pts, frame.time_base = number, 1 / fps
    container.mux(stream.encode(frame))

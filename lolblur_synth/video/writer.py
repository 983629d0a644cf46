"""Writer of lossless and camera-like video files."""

from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from itertools import count, pairwise
from math import lcm
from pathlib import Path
from typing import Self, cast

import av
import numpy as np
from av.container import OutputContainer
from av.packet import Packet
from av.video.reformatter import ColorRange, Colorspace
from av.video.stream import VideoStream
from torch import Tensor

from lolblur_synth.core.errors import UserError, shown
from lolblur_synth.video.images import BitDepth, Pixels, quantize
from lolblur_synth.video.matroska import count_microseconds
from lolblur_synth.video.stream import file_url

When = Fraction | Sequence[Fraction]  # frames per second; or when each is shown, in seconds, and when the last one ends

_X264_THREADS = 4  # they decide its bytes, and in lossy files pixels; by itself it takes as many as there are cores
_BT709 = 1  # its code as matrix, primaries and transfer in ITU-T H.273
_LARGEST = 2**31 - 1  # of what libraries hold a time base in


@dataclass(frozen=True)
class Timing:
    """When frames are shown, in whole ticks."""

    tick: Fraction  # seconds
    shown: Sequence[int] | None  # ticks, one more than there are frames; None: a tick each
    rate: Fraction | None  # where it is constant

    @classmethod
    def of(cls, when: When) -> Self:
        """Exact, unless that takes more ticks to a second than a file can tell: then to the microsecond."""
        if isinstance(when, Fraction):
            return cls(1 / when, None, when)
        steps = {after - before for before, after in pairwise(when)}
        ticks = lcm(*(time.denominator for time in when))
        ticks = ticks if ticks <= _LARGEST else 10**6
        return cls(
            Fraction(1, ticks), [round(time * ticks) for time in when], 1 / min(steps) if len(steps) == 1 else None
        )

    def container_options(self, path: Path) -> dict[str, str]:
        """An edit list of .mp4 says when the first frame is shown, to the millisecond if not told otherwise."""
        return {"movie_timescale": str(self.tick.denominator)} if path.suffix == ".mp4" and self.shown else {}

    def ticks(self, number: int) -> int:
        """When a frame begins."""
        return number if self.shown is None else self.shown[number]

    def duration(self, pts: int) -> int:
        """Ticks from a frame that begins at `pts` to the next."""
        return 1 if self.shown is None else self.shown[bisect_right(self.shown, pts)] - pts


def write_video(
    path: Path,
    frames: Iterable[Tensor],
    when: When,
    crf: int | None = None,
    pixel_format: str = "yuv420p",
    bit_depth: BitDepth = 8,
) -> None:
    """Write (3, H, W) sRGB frames in [0, 1], rounded to 8 or 16 bits; the file appears whole or not at all.

    Without `crf` losslessly: FFV1 for .mkv, H.264 in RGB for .mp4, which has 8 bits. With it as an ordinary camera
    writes: H.264 in `pixel_format`, BT.709, limited range, tagged. Times are exact in .mp4, and in .mkv to the
    microsecond. Equal frames give equal bytes on any number of cores. Raises `UserError`.
    """
    with video_writer(path, when, crf, pixel_format, bit_depth) as write:
        for frame in frames:
            write(frame)


@contextmanager
def video_writer(
    path: Path, when: When, crf: int | None = None, pixel_format: str = "yuv420p", bit_depth: BitDepth = 8
) -> Iterator[Callable[[Tensor], None]]:
    """As `write_video`, for frames that come one by one: the function takes each; the file appears at the end."""
    codec, stored, options = _codec(path, bit_depth)
    if crf is not None:
        options = {"crf": str(crf), "preset": "veryfast", "mbtree": "0"}  # with it x264 does not repeat itself
        codec, stored = "libx264", pixel_format
    timing = Timing.of(when)
    fine = path.suffix == ".mkv" and (1000 * timing.tick).denominator > 1
    partial = path.with_name(f".{path.stem}.partial{path.suffix}")
    numbers = count()
    try:
        options_of_file = {"fflags": "+bitexact", **timing.container_options(path)}
        with av.open(file_url(partial), "w", options=options_of_file) as container:
            stream = cast(VideoStream, container.add_stream(codec, rate=timing.rate or 1, options=options))
            stream.pix_fmt = stored
            if codec != "ffv1":
                stream.codec_context.thread_count = _X264_THREADS
            stream.codec_context.time_base = timing.tick
            if timing.rate is None:
                stream.codec_context.framerate = Fraction(0)  # a container would tell it

            def write(frame: Tensor) -> None:
                _mux(container, _encode(stream, timing, next(numbers), quantize(frame, bit_depth)), timing, fine=fine)

            yield write
            if next(numbers) == 0:
                raise ValueError("there are no frames to write")
            _mux(container, stream.encode(None), timing, fine=fine)
        if fine:
            count_microseconds(partial)
        partial.replace(path)
    except av.FFmpegError as error:
        raise UserError(
            f"cannot be written ({error.strerror})", where=shown(path), advice="is there room, and is the size even?"
        ) from None
    finally:
        partial.unlink(missing_ok=True)


def _codec(path: Path, bit_depth: BitDepth) -> tuple[str, str, dict[str, str]]:
    """Name, pixel format and options of the lossless codec for a suffix."""
    if not path.parent.is_dir():
        raise UserError(f"the folder {shown(path.parent)} does not exist", where=shown(path), advice="make it first")
    deep = bit_depth == 16
    codecs = {".mkv": ("ffv1", "gbrp16le" if deep else "bgr0", {"g": "1"})}
    if not deep:
        codecs[".mp4"] = ("libx264rgb", "rgb24", {"qp": "0", "preset": "veryfast"})
    if path.suffix not in codecs:
        raise UserError(f"videos of {bit_depth} bits are written as {' or '.join(codecs)}", where=shown(path))
    return codecs[path.suffix]


def _encode(stream: VideoStream, timing: Timing, number: int, picture: Pixels) -> "list[Packet[VideoStream]]":
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
    frame.pts, frame.time_base = timing.ticks(number), timing.tick
    return stream.encode(frame)


def _mux(container: OutputContainer, packets: "list[Packet[VideoStream]]", timing: Timing, *, fine: bool) -> None:
    """Write packets with the time that their frames are shown: FFmpeg leaves out a last one that lasts no time.

    In a file that is to be `fine` microseconds are called milliseconds meanwhile.
    """
    for packet in packets:
        pts, dts = cast(int, packet.pts), cast(int, packet.dts)
        duration = timing.duration(pts)
        if fine:
            pts, dts, end = (round(value * timing.tick * 10**6) for value in (pts, dts, pts + duration))
            duration, packet.time_base = end - pts, Fraction(1, 1000)
        packet.pts, packet.dts, packet.duration = pts, dts, duration
        container.mux(packet)

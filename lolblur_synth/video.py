"""Video in and out: what a file is, a range of its frames as tensors, lossless and camera-like files.

This file, `planes.py` and `scan.py` are the only ones that know codecs. A folder of numbered images is a video too.
"""

import math
import os
import re
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from fractions import Fraction
from itertools import chain, count, dropwhile
from pathlib import Path
from typing import cast

import av
import numpy as np
import torch
from av.container import InputContainer, OutputContainer
from av.packet import Packet
from av.stream import Disposition
from av.video.reformatter import ColorRange, Colorspace
from av.video.stream import VideoStream
from torch import Tensor

from lolblur_synth.errors import SequenceError, UserError
from lolblur_synth.footage import VideoInfo, VideoScan
from lolblur_synth.images import BitDepth, Pixels, quantize, read_pixels
from lolblur_synth.planes import Size, checksum, fit, luma, to_rgb

_VIDEOS = {".3g2", ".3gp", ".asf", ".avi", ".flv", ".h264", ".h265", ".hevc", ".m2ts", ".m4v", ".mjpeg", ".mkv", ".mov"}
_VIDEOS |= {".mp4", ".mpeg", ".mpg", ".mts", ".mxf", ".ogv", ".ts", ".webm", ".wmv", ".y4m"}
_IMAGES = {".png", ".jpg", ".jpeg", ".tif", ".tiff"}
_BT709 = 1  # its code as matrix, primaries and transfer in ITU-T H.273
_MATRICES = {0: None, 1: "bt709", 2: None, 4: "bt601", 5: "bt601", 6: "bt601", 9: "bt2020"}  # None: not stated
_NOT_SDR = {8: "linear", 9: "logarithmic", 10: "logarithmic", 16: "PQ", 17: "SMPTE 428", 18: "HLG"}
_WIDE_GAMUT = {9, 11, 12}  # primaries of BT.2020 and of P3
_TO_BT709 = "ffmpeg -i IN -vf zscale=p=bt709:t=bt709:m=bt709 -crf 8 OUT.mp4"
_TO_SDR = (
    "ffmpeg -i IN -vf zscale=t=linear:npl=203,format=gbrpf32le,zscale=p=bt709,tonemap=hable,"
    "zscale=t=bt709:m=bt709:r=tv,format=yuv420p -crf 8 OUT.mp4"
)


def find_videos(folder: Path) -> list[Path]:
    """Video files and sub-folders of numbered images in `folder`, or itself if it is one; sorted; `UserError`."""
    if not folder.is_dir():
        raise UserError(f"{folder}: {'not a' if folder.exists() else 'no such'} folder; give the one with the videos")
    found = [path for path in sorted(folder.iterdir()) if not path.name.startswith(".") and _looks_like_video(path)]
    if not found and _looks_like_video(folder):
        return [folder]
    if not found:
        raise UserError(f"{folder}: no video in it; put .mp4, .mov, .mkv, ... or sub-folders of numbered images there")
    return found


def _looks_like_video(path: Path) -> bool:
    if path.is_dir():
        return os.access(path, os.R_OK | os.X_OK) and len(list(_images(path))) >= 2
    return path.is_file() and path.suffix.lower() in _VIDEOS


def _images(folder: Path) -> Iterator[tuple[int, Path]]:
    for path in folder.iterdir():
        number = re.search(r"\d+$", path.stem)
        if number and path.suffix.lower() in _IMAGES and not path.name.startswith("."):
            yield int(number[0]), path


def numbered_images(folder: Path) -> dict[int, Path]:
    """Images of a folder by the number that ends their name, ascending; raises `SequenceError`."""
    files: dict[int, Path] = {}
    for number, path in sorted(_images(folder)):
        if number in files:
            raise SequenceError(f"{folder}: {files[number].name} and {path.name} have one number; keep one of them")
        files[number] = path
    if len(files) < 2:
        raise SequenceError(f"{folder}: fewer than two numbered images (png, jpg, tif) in it")
    return files


@contextmanager
def open_stream(path: Path) -> Iterator[tuple[InputContainer, VideoStream]]:
    """The container and its largest video stream, ready to decode; raises `SequenceError`."""
    if not path.is_file():
        raise SequenceError(f"{path}: no such file")
    if path.stat().st_size == 0:
        raise SequenceError(f"{path}: the file is empty (0 bytes); copy it again")
    try:
        container = av.open(str(path), metadata_errors="replace")
    except (av.FFmpegError, OSError) as error:
        raise SequenceError(f"{path}: no video, or cut off: it cannot be opened ({error.strerror})") from None
    with container:
        videos = [s for s in container.streams.video if not s.disposition & Disposition.attached_pic]
        if not videos:
            raise SequenceError(
                f"{path}: no video in it, only {', '.join(sorted({s.type for s in container.streams}))}"
            )
        streams = [s for s in videos if s.codec_context is not None]
        if not streams:
            raise SequenceError(
                f"{path}: FFmpeg does not know its codec; convert it by its camera maker's program first"
            )
        stream = max(streams, key=lambda s: s.width * s.height)
        stream.thread_type = "AUTO"
        stream.codec_context.thread_count = torch.get_num_threads()  # a worker's share of the cores
        yield container, stream


def decode(
    container: InputContainer, stream: VideoStream
) -> "Iterator[tuple[Packet[VideoStream], list[av.VideoFrame] | None]]":
    """Packets with the frames that they complete, in order of display; None for frames where decoding failed."""
    packets = container.demux(stream)
    while True:
        try:
            packet = next(packets)
        except (StopIteration, av.FFmpegError):  # reading fails where the file is cut off; the scan counts
            return
        try:
            frames: list[av.VideoFrame] | None = list(packet.decode())
        except av.FFmpegError:
            frames = None
        yield packet, frames


def probe(path: Path, capture_fps: Fraction | float | None = None) -> VideoInfo:
    """Read the headers and decode one frame; raises `SequenceError` for what cannot be used, saying what to do."""
    given = None if capture_fps is None else exact_rate(capture_fps)
    if path.is_dir():
        return _probe_folder(path, given)
    with open_stream(path) as (container, stream):
        frame = next(_frames(container, stream), None)
        if frame is None:
            raise SequenceError(f"{path}: no frame of it can be decoded; it is damaged or encrypted")
        _refuse(path, stream, frame)
        stored = stream.average_rate or stream.guessed_rate or given
        if not stored:
            raise SequenceError(f"{path}: it tells no frame rate; give --capture-fps")
        tags = {**stream.metadata, **container.metadata}
        capture, source = (given, "--capture-fps") if given else _capture_rate(path, tags, stored)
        return _describe(path, stream, frame, stored, capture, source)


def _refuse(path: Path, stream: VideoStream, frame: av.VideoFrame) -> None:
    transfer = _NOT_SDR.get(stream.codec_context.color_trc)
    if transfer:
        raise SequenceError(f"{path}: its transfer is {transfer}, not SDR; convert it first: {_TO_SDR}")
    if frame.colorspace not in _MATRICES:
        raise SequenceError(f"{path}: colour matrix {int(frame.colorspace)} is not known; convert it to BT.709 first")
    if stream.codec_context.color_primaries in _WIDE_GAMUT:
        raise SequenceError(f"{path}: its primaries are wide-gamut; convert it first: {_TO_BT709}")
    if _is_mirrored(frame):
        raise SequenceError(f"{path}: it is to be mirrored; apply that first: ffmpeg -i IN -crf 8 OUT.mp4")
    if frame.rotation % 90:
        raise SequenceError(f"{path}: it is to be turned by {frame.rotation} degrees; only multiples of 90 are known")
    try:
        luma(frame)
    except ValueError as error:
        raise SequenceError(f"{path}: {error}; convert it: ffmpeg -i IN -pix_fmt yuv444p16 -c:v ffv1 OUT.mkv") from None


def _is_mirrored(frame: av.VideoFrame) -> bool:
    """Whether the matrix by which it is to be shown has a negative determinant."""
    matrix = frame.side_data.get("DISPLAYMATRIX")
    if matrix is None:
        return False
    a, b, _, c, d, *_ = np.frombuffer(cast(bytes, matrix), "<i4").tolist()
    return bool(a * d < b * c)


def _describe(
    path: Path, stream: VideoStream, frame: av.VideoFrame, stored: Fraction, capture: Fraction, source: str
) -> VideoInfo:
    fmt, rotation = frame.format, frame.rotation % 360
    width, height = round(frame.width * (stream.sample_aspect_ratio or 1)), frame.height
    says_nothing = frame.color_range == ColorRange.UNSPECIFIED
    full = frame.color_range == ColorRange.JPEG or fmt.is_rgb or fmt.has_palette or fmt.name.startswith("yuvj")
    full = full or (says_nothing and fmt.name.startswith("gray"))  # as FFmpeg takes it
    return VideoInfo(
        path=path,
        width=height if rotation % 180 else width,
        height=width if rotation % 180 else height,
        stored_fps=stored,
        capture_fps=capture,
        capture_source=source,
        codec=stream.codec_context.name,
        pixel_format=fmt.name,
        bit_depth=max(component.bits for component in fmt.components),
        color_matrix=_MATRICES[frame.colorspace] or ("bt709" if frame.height >= 720 else "bt601"),
        color_range="full" if full else "limited",
        rotation=rotation,
    )


def exact_rate(fps: Fraction | float) -> Fraction:
    """A rate as a fraction, 239.76 as 240000/1001; raises `UserError` unless it is above 0."""
    value = float(fps)
    if not 0 < value < math.inf:
        raise UserError(f"--capture-fps {fps}: a rate is above 0")
    if isinstance(fps, Fraction):
        return fps
    ntsc = Fraction(round(value * 1.001) * 1000, 1001)
    rounds_ntsc = abs(value - ntsc) < 0.006 < abs(value - round(value))
    return ntsc if rounds_ntsc else Fraction(value).limit_denominator(1000)


def _capture_rate(path: Path, tags: dict[str, str], stored: Fraction) -> tuple[Fraction, str]:
    """Slow motion is stored at a playing rate: Android writes the sensor's rate in a tag, Sony beside the clip."""
    tag = "com.android.capture.fps"
    sidecars = (path.with_name(f"{path.stem}M01{suffix}") for suffix in (".XML", ".xml"))
    sidecar = next((file for file in sidecars if file.is_file()), None)
    if tag in tags:
        value, source = tags[tag], f"tag {tag}"
    elif sidecar:
        match = re.search(r'captureFps="([^"]*?)[pi]?"', sidecar.read_text(encoding="utf-8", errors="replace"))
        value, source = match[1] if match else "", f"sidecar {sidecar.name}"
    else:
        return stored, "stream rate"
    try:
        return exact_rate(float(value)), source
    except (ValueError, UserError):
        raise SequenceError(f"{path}: no capture rate in {source}, but {value!r}; give --capture-fps") from None


def _probe_folder(folder: Path, capture_fps: Fraction | None) -> VideoInfo:
    first = next(iter(numbered_images(folder).values()))
    if capture_fps is None:
        raise SequenceError(f"{folder}: images carry no frame rate; give --capture-fps")
    image = read_pixels(first)
    depth = 8 * image.dtype.itemsize
    return VideoInfo(
        path=folder,
        width=image.shape[1],
        height=image.shape[0],
        stored_fps=capture_fps,
        capture_fps=capture_fps,
        capture_source="--capture-fps",
        codec=first.suffix.lower().removeprefix("."),
        pixel_format=f"rgb{3 * depth}",
        bit_depth=depth,
        color_matrix="bt709",
        color_range="full",
        rotation=0,
    )


def read_frames(scan: VideoScan, start: int, stop: int, size: Size = "source") -> Iterator[Tensor]:
    """Frames start..stop-1 of the timeline, (3, H, W) float32 sRGB in [0, 1], covering `size` (width, height), centred.

    Where the timeline has no frame the one before stands in, to keep the count: every window that holds it is flawed.
    Raises `SequenceError` when a frame that the scan found is not there any more.
    """
    if not 0 <= start <= stop <= scan.frames:
        raise ValueError(f"frames {start} to {stop} of a video that has {scan.frames}")
    wanted: list[int] = []
    for pts in scan.pts[start:stop]:
        before = wanted[-1:] or [p for p in scan.pts[:start] if p is not None][-1:]
        wanted.append(before[0] if pts is None else pts)
    arrivals = (_read_images if scan.info.path.is_dir() else _read_stream)(scan, list(dict.fromkeys(wanted)), size)
    with closing(arrivals):
        arrived, picture = None, torch.empty(0)
        for index, pts in enumerate(wanted, start):
            if pts != arrived:
                arrived, picture = next(arrivals, (None, picture))
            if pts != arrived:
                raise SequenceError(f"{scan.info.path}: frame {index} is gone; has the file changed during the run?")
            yield picture


def _read_images(scan: VideoScan, wanted: Sequence[int], size: Size) -> Generator[tuple[int, Tensor]]:
    files = numbered_images(scan.info.path)
    for number in wanted:
        if number in files:
            pixels = read_pixels(files[number])
            yield number, fit(np.divide(pixels, np.iinfo(pixels.dtype).max, dtype=np.float32), size, scan.info)


def _read_stream(scan: VideoScan, wanted: Sequence[int], size: Size) -> Generator[tuple[int, Tensor]]:
    """From a key frame before, or if that does not give the frames that the scan saw, from the beginning."""
    due = deque(wanted)
    checksums = dict(zip(scan.pts, scan.checksums, strict=False))
    for start in (wanted[0], None):
        with closing(_frames_from(scan, start)) as frames:
            while due:
                pts, frame = next(frames, (None, None))
                expected = checksums.get(pts)
                if frame is None or (pts == due[0] and expected not in (None, checksum(luma(frame)))):
                    break
                if pts == due[0]:
                    yield due.popleft(), fit(to_rgb(frame, scan.info), size, scan.info)


def _frames_from(scan: VideoScan, start: int | None) -> Generator[tuple[int | None, av.VideoFrame]]:
    """Frames with their pts, or their number where they are counted; from a key frame not after `start`, if given."""
    if start is None or scan.time_base is None:
        with open_stream(scan.info.path) as (container, stream):
            for number, frame in enumerate(_frames(container, stream)):
                yield (number if scan.time_base is None else frame.pts), frame
        return
    with open_stream(scan.info.path) as (container, stream), suppress(av.FFmpegError):  # not everything can seek
        next(_frames(container, stream), None)  # it may carry what later ones need, such as the version of x264
        container.seek(start, stream=stream)
        frames = dropwhile(lambda frame: not frame.key_frame, _frames(container, stream))
        key = next(frames, None)
        if key is not None and key.pts is not None and key.pts <= start:
            yield from ((frame.pts, frame) for frame in chain([key], frames))


def _frames(container: InputContainer, stream: VideoStream) -> Iterator[av.VideoFrame]:
    return (frame for _, frames in decode(container, stream) for frame in frames or ())


def read_codes(path: Path) -> Iterator[Pixels]:
    """All frames of a 16-bit file that `write_video` made, (H, W, 3) RGB uint16 as they went in; `SequenceError`."""
    with open_stream(path) as (container, stream):
        for frame in _frames(container, stream):
            yield cast(Pixels, frame.to_ndarray(format="gbrp16le"))


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
    writes: H.264 in `pixel_format`, BT.709, limited range, tagged. Equal frames give equal bytes. Raises `UserError`.
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
        with av.open(str(partial), "w", options={"fflags": "+bitexact"}) as container:
            stream = cast(VideoStream, container.add_stream(codec, rate=fps, options=options))
            stream.pix_fmt = stored
            yield lambda frame: _encode(container, stream, fps, next(numbers), quantize(frame, bit_depth))
            if next(numbers) == 0:
                raise ValueError("there are no frames to write")
            container.mux(stream.encode(None))
        partial.replace(path)
    except av.FFmpegError as error:
        raise UserError(f"{path}: cannot be written ({error.strerror}); is there room, and is the size even?") from None
    finally:
        partial.unlink(missing_ok=True)


def _codec(path: Path, bit_depth: BitDepth) -> tuple[str, str, dict[str, str]]:
    """Name, pixel format and options of the lossless codec for a suffix."""
    if not path.parent.is_dir():
        raise UserError(f"{path}: the folder {path.parent} does not exist; make it first")
    deep = bit_depth == 16
    codecs = {".mkv": ("ffv1", "gbrp16le" if deep else "bgr0", {"g": "1"})}
    if not deep:
        codecs[".mp4"] = ("libx264rgb", "rgb24", {"qp": "0", "preset": "veryfast"})
    if path.suffix not in codecs:
        raise UserError(f"{path}: videos of {bit_depth} bits are written as {' or '.join(codecs)}")
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

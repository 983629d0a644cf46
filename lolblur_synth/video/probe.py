"""What the headers and the first frame of a video tell, and what of it cannot be used."""

import math
import re
from fractions import Fraction
from pathlib import Path
from typing import cast

import av
import numpy as np
from av.video.reformatter import ColorRange
from av.video.stream import VideoStream

from lolblur_synth.errors import SequenceError, UserError
from lolblur_synth.video.color import luma
from lolblur_synth.video.find import numbered_images, runs_backwards
from lolblur_synth.video.images import check_size, read_pixels
from lolblur_synth.video.metadata import MAX_PIXELS, VideoInfo
from lolblur_synth.video.stream import decoded_frames, open_stream

_MATRICES = {0: None, 1: "bt709", 2: None, 4: "bt601", 5: "bt601", 6: "bt601", 9: "bt2020"}  # None: not stated
_NOT_SDR = {8: "linear", 9: "logarithmic", 10: "logarithmic", 16: "PQ", 17: "SMPTE 428", 18: "HLG"}
_WIDE_GAMUT = {9, 11, 12}  # primaries of BT.2020 and of P3
_TO_BT709 = "ffmpeg -i IN -vf zscale=p=bt709:t=bt709:m=bt709 -crf 8 OUT.mp4"
_TO_SDR = (
    "ffmpeg -i IN -vf zscale=t=linear:npl=203,format=gbrpf32le,zscale=p=bt709,tonemap=hable,"
    "zscale=t=bt709:m=bt709:r=tv,format=yuv420p -crf 8 OUT.mp4"
)


def probe(path: Path, capture_fps: Fraction | float | None = None, largest: int = MAX_PIXELS) -> VideoInfo:
    """Read the headers and decode one frame, of at most `largest` pixels.

    Raises `SequenceError` for what cannot be used, saying what to do.
    """
    given = None if capture_fps is None else exact_rate(capture_fps)
    if path.is_dir():
        return _probe_folder(path, given, largest)
    with open_stream(path) as (container, stream):
        check_size(path, stream.codec_context.width, stream.codec_context.height, largest)
        frame = next(decoded_frames(container, stream), None)
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


def _probe_folder(folder: Path, capture_fps: Fraction | None, largest: int) -> VideoInfo:
    first = next(iter(numbered_images(folder).values()))
    if runs_backwards(folder):
        raise SequenceError(
            f"{folder}: its files were written in the order against their numbers, as if the dash before them were a "
            "minus; number them from 0 on, in order of time"
        )
    if capture_fps is None:
        raise SequenceError(f"{folder}: images carry no frame rate; give --capture-fps")
    image = read_pixels(first, largest)
    depth, used = 8 * image.dtype.itemsize, int(image.max()).bit_length()
    few = next((bits for bits in (8, 10, 12, 14) if 0 < used <= bits < depth), None)
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
        used_bits=few,
    )

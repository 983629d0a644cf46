"""Probe: what the headers and the first frame of a video tell, and what of it cannot be used."""

from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import cast

import av
import numpy as np
from av.video.reformatter import ColorRange
from av.video.stream import VideoStream

from lolblur_synth.core.errors import SequenceError, setting
from lolblur_synth.video.advice import convert
from lolblur_synth.video.color import luma
from lolblur_synth.video.dng import raw_tags
from lolblur_synth.video.find import numbered_images, runs_backwards
from lolblur_synth.video.images import check_size, read_pixels
from lolblur_synth.video.light import holds_light, is_dng, read_light, read_raw_light
from lolblur_synth.video.metadata import MAX_PIXELS, ColorMatrix, RateOrigin, VideoInfo
from lolblur_synth.video.pyav import exact, readable
from lolblur_synth.video.rates import CaptureRate, capture_rate, exact_rate
from lolblur_synth.video.shutter_tags import shutter_of_picture, shutter_of_stream
from lolblur_synth.video.stream import decoded_frames, open_stream
from lolblur_synth.video.timeline import standard_rate

_MATRICES: dict[int, ColorMatrix | None] = {
    0: None,
    1: "bt709",
    2: None,
    4: "bt601",
    5: "bt601",
    6: "bt601",
    9: "bt2020",
}  # None: not stated
_NOT_SDR = {8: "linear", 9: "logarithmic", 10: "logarithmic", 16: "PQ", 17: "SMPTE 428", 18: "HLG"}
_WIDE_GAMUT = {9, 11, 12}  # primaries of BT.2020 and of P3
_UNSPECIFIED = 2  # as transfer, primaries and matrix
_ROUNDED = Fraction(1, 10**6)  # of a rate: Matroska tells nanoseconds, and FFmpeg makes 29011/121 of 240000/1001
_TO_BT709 = "-vf zscale=p=bt709:t=bt709:m=bt709 -crf 8"
_TO_SDR = (
    "-vf zscale=t=linear:npl=203,format=gbrpf32le,zscale=p=bt709,tonemap=hable,"
    "zscale=t=bt709:m=bt709:r=tv,format=yuv420p -crf 8"
)


@dataclass(frozen=True)
class _Color:
    """Codes of ITU-T H.273 for the colours of a stream, and the range as FFmpeg counts it."""

    transfer: int
    primaries: int
    matrix: int
    range: int

    @classmethod
    def of(cls, stream: VideoStream, frame: av.VideoFrame | None = None) -> "_Color":
        """Before the first frame is decoded what the container tells, with it what the frame tells."""
        context = stream.codec_context
        kind = context if frame is None else frame
        return cls(context.color_trc, context.color_primaries, int(kind.colorspace), int(kind.color_range))

    def or_else(self, other: "_Color") -> "_Color":
        """With what is unspecified taken from the other: decoding wipes what the container alone tells."""

        def first(one: int, two: int, nothing: int = _UNSPECIFIED) -> int:
            return two if one == nothing else one

        return _Color(
            first(self.transfer, other.transfer),
            first(self.primaries, other.primaries),
            first(self.matrix, other.matrix),
            first(self.range, other.range, int(ColorRange.UNSPECIFIED)),
        )


def probe(
    path: Path,
    capture_fps: Fraction | float | None = None,
    largest: int = MAX_PIXELS,
    *,
    white: float | None = None,
) -> VideoInfo:
    """Read the headers and decode one frame, of at most `largest` pixels.

    Of scene-linear frames `white` is the value that becomes white; without it they are refused. Raises
    `SequenceError` for what cannot be used, saying what to do.
    """
    given = None if capture_fps is None else exact_rate(capture_fps)
    if path.is_dir():
        return _probe_folder(path, given, largest, white)
    with open_stream(path) as (container, stream):
        check_size(path, stream.codec_context.width, stream.codec_context.height, largest)
        container_color = _Color.of(stream)
        frame = next(decoded_frames(container, stream), None)
        if frame is None:
            raise SequenceError("no frame of it can be decoded", where=path, advice="it is damaged or encrypted")
        stored = exact(stream.average_rate) or exact(stream.guessed_rate) or given
        if not stored:
            raise SequenceError("it tells no frame rate", where=path, advice=f"give {setting('video.capture_fps')}")
        stored = standard_rate(stored, _ROUNDED / stored)
        rate = capture_rate(path, given, readable(container.metadata), readable(stream.metadata), stored)
        color = _Color.of(stream, frame).or_else(container_color)
        if color.matrix not in _MATRICES:
            raise SequenceError(
                f"colour matrix {color.matrix} is not known", where=path, advice="convert it to BT.709 first"
            )
        info = _describe(path, stream, frame, color, stored, rate)
        _refuse(info, frame, color)
        shutter = shutter_of_stream(path, map(readable, (container.metadata, stream.metadata)))
        return replace(info, shutter=shutter)


def _refuse(info: VideoInfo, frame: av.VideoFrame, color: _Color) -> None:
    path, transfer = info.path, _NOT_SDR.get(color.transfer)
    if transfer:
        raise SequenceError(
            f"its transfer is {transfer}, not SDR", where=path, advice=f"convert it first: {convert(_TO_SDR, info)}"
        )
    if color.primaries in _WIDE_GAMUT:
        raise SequenceError(
            "its primaries are wide-gamut", where=path, advice=f"convert it first: {convert(_TO_BT709, info)}"
        )
    if _is_mirrored(frame):
        raise SequenceError("it is to be mirrored", where=path, advice=f"apply that first: {convert('-crf 8', info)}")
    if frame.rotation % 90:
        raise SequenceError(
            f"it is to be turned by {frame.rotation} degrees", where=path, advice="only multiples of 90 are known"
        )
    try:
        luma(frame)
    except ValueError as error:
        line = convert("-pix_fmt yuv444p16 -c:v ffv1", info, ".mkv")
        raise SequenceError(error, where=path, advice=f"convert it: {line}") from None


def _is_mirrored(frame: av.VideoFrame) -> bool:
    """Whether the matrix by which it is to be shown has a negative determinant."""
    matrix = frame.side_data.get("DISPLAYMATRIX")
    if matrix is None:
        return False
    a, b, _, c, d, *_ = np.frombuffer(cast(bytes, matrix), "<i4").tolist()
    return bool(a * d < b * c)


def _describe(
    path: Path, stream: VideoStream, frame: av.VideoFrame, color: _Color, stored: Fraction, rate: CaptureRate
) -> VideoInfo:
    fmt, rotation = frame.format, frame.rotation % 360
    width, height = round(frame.width * (exact(stream.sample_aspect_ratio) or 1)), frame.height
    says_nothing = color.range == ColorRange.UNSPECIFIED
    full = color.range == ColorRange.JPEG or fmt.is_rgb or fmt.has_palette or fmt.name.startswith("yuvj")
    full = full or (says_nothing and fmt.name.startswith("gray"))  # as FFmpeg takes it
    mixed = len(fmt.components) >= 3 and not fmt.is_rgb  # else its tag decides no pixel, and containers lose tags
    stated = _MATRICES[color.matrix] if mixed else None
    matrix: ColorMatrix = stated or ("bt709" if frame.height >= 720 or not mixed else "bt601")
    return VideoInfo(
        path=path,
        width=height if rotation % 180 else width,
        height=width if rotation % 180 else height,
        stored_fps=stored,
        capture_fps=rate.fps,
        capture_origin=rate.origin,
        capture_detail=rate.detail,
        codec=stream.codec_context.name,
        pixel_format=fmt.name,
        bit_depth=max(component.bits for component in fmt.components),
        color_matrix=matrix,
        color_range="full" if full else "limited",
        rotation=rotation,
    )


def _probe_folder(folder: Path, capture_fps: Fraction | None, largest: int, white: float | None) -> VideoInfo:
    first = next(iter(numbered_images(folder).values()))
    if runs_backwards(folder):
        raise SequenceError(
            "its files were written in the order against their numbers, as if the dash before them were a minus",
            where=folder,
            advice="number them from 0 on, in order of time",
        )
    if is_dng(first):
        return _probe_raw(folder, first, capture_fps, largest, white)
    if capture_fps is None:
        raise SequenceError("images carry no frame rate", where=folder, advice=f"give {setting('video.capture_fps')}")
    light = holds_light(first, largest)
    if light and white is None:
        raise SequenceError(
            "its frames are scene-linear light, which goes on above white",
            where=folder,
            advice="make a dataset of them, or write them as PNG of 16 bits, in sRGB",
        )
    image = read_light(first, largest) if light else read_pixels(first, largest)
    depth, used = 8 * image.dtype.itemsize, 0 if light else int(image.max()).bit_length()
    few = next((bits for bits in (8, 10, 12, 14) if 0 < used <= bits < depth), None)
    return VideoInfo(
        path=folder,
        width=image.shape[1],
        height=image.shape[0],
        stored_fps=capture_fps,
        capture_fps=capture_fps,
        capture_origin=RateOrigin.GIVEN,
        capture_detail="",
        codec=first.suffix.lower().removeprefix("."),
        pixel_format=f"rgbf{depth}" if light else f"rgb{3 * depth}",
        bit_depth=depth,
        color_matrix="bt709",
        color_range="full",
        rotation=0,
        white=white if light else None,
        used_bits=few,
        shutter=shutter_of_picture(first, largest),
    )


def _probe_raw(folder: Path, first: Path, capture_fps: Fraction | None, largest: int, white: float | None) -> VideoInfo:
    """RAW frames, whose light ends where the sensor saturates; CinemaDNG tells its rate."""
    told = raw_tags(first).fps
    fps = capture_fps or told
    if fps is None:
        raise SequenceError("its DNG tell no frame rate", where=folder, advice=f"give {setting('video.capture_fps')}")
    if white is None:
        raise SequenceError(
            "its frames are RAW", where=folder, advice="make a dataset of them, or develop them to PNG of 16 bits"
        )
    light, how = read_raw_light(first, largest)
    bits = 32 if raw_tags(first).has_floats else int(how.white).bit_length()
    return VideoInfo(
        path=folder,
        width=light.shape[1],
        height=light.shape[0],
        stored_fps=fps,
        capture_fps=fps,
        capture_origin=RateOrigin.GIVEN if capture_fps else RateOrigin.TAG,
        capture_detail="" if capture_fps else "FrameRate",
        codec="dng",
        pixel_format=f"bayer_{how.pattern.lower()}{'f' if bits == 32 else ''}{bits}",
        bit_depth=bits,
        color_matrix="bt709",
        color_range="full",
        rotation=0,
        white=white,
        raw=how,
        saturation=None if bits == 32 else 1.0,
    )

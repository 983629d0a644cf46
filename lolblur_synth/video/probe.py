"""Probe: what the headers and the first frame of a video tell, and what of it cannot be used."""

import math
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import cast

import av
import numpy as np
from av.video.stream import VideoStream

from lolblur_synth.core.errors import SequenceError, setting
from lolblur_synth.video.advice import convert
from lolblur_synth.video.color import samples_of
from lolblur_synth.video.color_coding import (
    NOTHING_TOLD,
    TRANSFER_NAMES,
    ColorCodes,
    ColorCoding,
    ToldColors,
    camera_log,
    color_coding,
)
from lolblur_synth.video.dng import raw_tags
from lolblur_synth.video.find import numbered_images, runs_backwards
from lolblur_synth.video.images import check_size, read_pixels
from lolblur_synth.video.light import holds_light, is_dng, read_light, read_raw_light
from lolblur_synth.video.metadata import MAX_PIXELS, RateOrigin, VideoInfo
from lolblur_synth.video.pyav import exact, readable
from lolblur_synth.video.rates import CaptureRate, capture_rate, exact_rate
from lolblur_synth.video.shutter_tags import shutter_of_picture, shutter_of_stream
from lolblur_synth.video.stream import decoded_frames, open_stream
from lolblur_synth.video.timeline import standard_rate

_ROUNDED = Fraction(1, 10**6)  # of a rate: Matroska tells nanoseconds, and FFmpeg makes 29011/121 of 240000/1001
_TO_SDR = (
    "-vf zscale=t=linear:npl=203,format=gbrpf32le,zscale=p=bt709,tonemap=hable,"
    "zscale=t=bt709:m=bt709:r=tv,format=yuv420p -crf 8"
)


def probe(
    path: Path,
    capture_fps: Fraction | float | None = None,
    largest: int = MAX_PIXELS,
    *,
    white: float | None = None,
    told: ToldColors = NOTHING_TOLD,
) -> VideoInfo:
    """Read the headers and decode one frame, of at most `largest` pixels.

    Of light `white` is the value that becomes white, in video of diffuse white; without it light is refused. `told`
    goes before what a video file says of its colours. Raises `SequenceError` for what cannot be used, saying what to
    do.
    """
    given = None if capture_fps is None else exact_rate(capture_fps)
    if path.is_dir():
        return _probe_folder(path, given, largest, white)
    with open_stream(path) as (container, stream):
        check_size(path, stream.codec_context.width, stream.codec_context.height, largest)
        container_codes = ColorCodes.of(stream)
        frame = next(decoded_frames(container, stream), None)
        if frame is None:
            raise SequenceError("no frame of it can be decoded", where=path, advice="it is damaged or encrypted")
        stored = exact(stream.average_rate) or exact(stream.guessed_rate) or given
        if not stored:
            raise SequenceError("it tells no frame rate", where=path, advice=f"give {setting('video.capture_fps')}")
        stored = standard_rate(stored, _ROUNDED / stored)
        rate = capture_rate(path, given, readable(container.metadata), readable(stream.metadata), stored)
        stream_codes = ColorCodes.of(stream, frame)
        codes = stream_codes.or_else(container_codes)
        log = camera_log(path, stream, readable(container.metadata))
        color = color_coding(path, frame, codes, log, told)
        info = _describe(path, stream, frame, color, stored, rate)
        info = replace(
            info,
            white=None if color.transfer == "sdr" else white,
            shutter=shutter_of_stream(path, map(readable, (container.metadata, stream.metadata))),
            colors_disputed=stream_codes.disputed(container_codes),
        )
        _refuse(info, frame)
        return info


def _refuse(info: VideoInfo, frame: av.VideoFrame) -> None:
    path = info.path
    if info.transfer != "sdr" and not info.holds_light:
        by_ffmpeg = info.transfer in ("hlg", "pq", "linear")
        raise SequenceError(
            f"its transfer is {TRANSFER_NAMES[info.transfer]}, not SDR",
            where=path,
            advice=f"convert it first{f': {convert(_TO_SDR, info)}' if by_ffmpeg else ', by a program that knows it'}",
        )
    if info.rotation % 90:
        raise SequenceError(
            f"it is to be turned by {info.rotation} degrees", where=path, advice="only multiples of 90 are known"
        )
    try:
        samples_of(frame)
    except ValueError as error:
        line = convert("-pix_fmt yuv444p16 -c:v ffv1", info, ".mkv")
        raise SequenceError(error, where=path, advice=f"convert it: {line}") from None


def _orientation(frame: av.VideoFrame) -> tuple[int, bool]:
    """How a stored frame is to be shown: turned counter-clockwise by degrees, after it was mirrored left to right.

    By its matrix alone (ISO/IEC 14496-12, 8.3.2): what PyAV calls rotation does not know of mirrors.
    """
    matrix = frame.side_data.get("DISPLAYMATRIX")
    if matrix is None:
        return 0, False
    a, b, _, c, d, *_ = np.frombuffer(cast(bytes, matrix), "<i4").tolist()
    mirrored = a * d < b * c
    across, down = (-a, b) if mirrored else (a, -b)
    return round(math.degrees(math.atan2(down, across))) % 360, mirrored


def _describe(
    path: Path, stream: VideoStream, frame: av.VideoFrame, color: ColorCoding, stored: Fraction, rate: CaptureRate
) -> VideoInfo:
    rotation, mirrored = _orientation(frame)
    width, height = round(frame.width * (exact(stream.sample_aspect_ratio) or 1)), frame.height
    return VideoInfo(
        path=path,
        width=height if rotation % 180 else width,
        height=width if rotation % 180 else height,
        stored_fps=stored,
        capture_fps=rate.fps,
        capture_origin=rate.origin,
        capture_detail=rate.detail,
        codec=stream.codec_context.name,
        pixel_format=frame.format.name,
        bit_depth=max(component.bits for component in frame.format.components),
        color_matrix=color.matrix,
        color_range=color.range,
        rotation=rotation,
        mirrored=mirrored,
        transfer=color.transfer,
        primaries=color.primaries,
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
        transfer="linear" if light else "sdr",
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
        transfer="linear",
        shutter=shutter_of_picture(first, largest),
        raw=how,
        saturation=None if bits == 32 else 1.0,
    )

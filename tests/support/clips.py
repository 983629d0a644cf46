"""Clips of every kind for tests, made through PyAV; colours are computed here from the standard, on their own."""

import struct
from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from numpy.typing import NDArray

Picture = NDArray[np.uint8]
WEIGHTS = {"bt601": (0.299, 0.114), "bt709": (0.2126, 0.0722), "bt2020": (0.2627, 0.0593)}
H273 = {"bt601": 6, "bt709": 1, "bt2020": 9}


def textured(number: int, size: tuple[int, int] = (96, 64), seed: int = 0, shift: float = 1.5) -> Picture:
    """A smooth random scene (H, W, 3) that glides by `shift` pixels a frame; every number gives another picture."""
    width, height = size
    rng = np.random.default_rng(seed)
    picture = np.zeros((height, width, 3))
    y, x = np.mgrid[:height, :width]
    for _ in range(8):
        fx, fy = rng.uniform(-0.25, 0.25, 2)
        wave = np.sin(fx * (x + shift * number) + fy * (y + 0.4 * shift * number) + rng.uniform(0, 6))
        picture += wave[..., None] * rng.uniform(-1, 1, 3)
    return np.uint8(np.clip(128 + 40 * picture, 0, 255))


def scene(frames: int = 30, **kinds: Any) -> list[Picture]:
    return [textured(number, **kinds) for number in range(frames)]


def as_planes(pictures: NDArray[Any], pixel_format: str, matrix: str, full: bool) -> list[NDArray[Any]]:
    """RGB in [0, 1] (H, W, 3) as rounded samples of an 8- to 16-bit YUV or grey format (ITU-T H.273)."""
    fmt = av.VideoFormat(pixel_format, 16, 16)
    depth = fmt.components[0].bits
    weight_r, weight_b = WEIGHTS[matrix]
    r, g, b = np.moveaxis(pictures.astype(np.float64), -1, 0)
    y = weight_r * r + (1 - weight_r - weight_b) * g + weight_b * b
    chroma = [(b - y) / (2 - 2 * weight_b), (r - y) / (2 - 2 * weight_r)]
    black, swing_y, swing_c = (0, 2**depth - 1, 2**depth - 1) if full else np.array((16, 219, 224)) * 2 ** (depth - 8)
    planes = [black + swing_y * y]
    if len(fmt.components) >= 3:
        step_y, step_x = 16 // fmt.chroma_height(16), 16 // fmt.chroma_width(16)
        planes += [(2 ** (depth - 1) + swing_c * c)[::step_y, ::step_x] for c in chroma]
    return [np.clip(np.round(plane), 0, 2**depth - 1).astype("u1" if depth == 8 else "<u2") for plane in planes]


def frame_of(planes: Sequence[NDArray[Any]], size: tuple[int, int], pixel_format: str) -> av.VideoFrame:
    """A frame with exactly these samples; `size` is (width, height)."""
    frame = av.VideoFrame(*size, pixel_format)
    for plane, samples in zip(frame.planes, planes, strict=False):
        rows = np.zeros((plane.height, plane.line_size // samples.itemsize), samples.dtype)
        rows[:, : samples.shape[1]] = samples
        plane.update(rows.tobytes())
    return frame


def encode(
    path: Path,
    frames: Iterable[Picture | av.VideoFrame],
    codec: str = "libx264",
    pixel_format: str = "yuv420p",
    fps: Fraction | int = 250,
    time_base: Fraction | None = None,
    pts: Callable[[int], int] = lambda number: number,
    options: dict[str, str] | None = None,
    container_options: dict[str, str] | None = None,
    tags: dict[str, str] | None = None,
    color: dict[str, int] | None = None,
    aspect: Fraction | None = None,
) -> Path:
    """Write a clip; frame n gets pts(n) in units of `time_base`, or of a frame. RGB pictures become `pixel_format`."""
    with av.open(str(path), "w", options=container_options or {}) as container:
        container.metadata.update(tags or {})
        stream: Any = container.add_stream(codec, rate=fps, options=options or {})
        stream.pix_fmt = pixel_format
        stream.codec_context.thread_count = 1  # the bytes of most encoders depend on it
        for name, value in (color or {}).items():
            setattr(stream.codec_context, name, value)
        if aspect:
            stream.codec_context.sample_aspect_ratio = aspect
        base = time_base or 1 / Fraction(fps)
        stream.codec_context.time_base = base
        for number, picture in enumerate(frames):
            frame = picture if isinstance(picture, av.VideoFrame) else av.VideoFrame.from_ndarray(picture, "rgb24")
            if frame.format.name != pixel_format:
                frame = frame.reformat(format=pixel_format)
            if number == 0:
                stream.width, stream.height = frame.width, frame.height
            frame.pts, frame.time_base = pts(number), base
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def encode_sound(path: Path) -> Path:
    """A file with sound only."""
    with av.open(str(path), "w") as container:
        stream: Any = container.add_stream("aac", rate=48000)
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 4096), np.float32), "fltp", "mono")
        frame.sample_rate, frame.pts = 48000, 0
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


copies_rates = pytest.mark.skipif(
    int(av.__version__.partition(".")[0]) < 18,
    reason="before 18 PyAV keeps the rate of a copied stream from the muxer",
)


def remux(source: Path, target: Path, **tags: str) -> Path:
    """The same packets in another container, as `ffmpeg -c copy` writes them."""
    with av.open(str(source)) as reader, av.open(str(target), "w") as writer:
        writer.metadata.update(tags)
        stream: Any = writer.add_stream_from_template(reader.streams.video[0], opaque=True)
        for packet in reader.demux(video=0):
            if packet.dts is not None:
                packet.stream = stream
                writer.mux(packet)
    return target


def add_sound(source: Path, path: Path, late: Fraction) -> Path:
    """The same stream of video, `late` seconds after the beginning of a sound."""
    with av.open(str(source)) as given, av.open(str(path), "w") as container:
        video: Any = container.add_stream_from_template(given.streams.video[0], opaque=True)
        sound: Any = container.add_stream("pcm_s16le", rate=48000)
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 48000), np.int16), "s16", "mono")
        frame.sample_rate, frame.pts = 48000, 0
        container.mux(sound.encode(frame))
        for packet in given.demux(given.streams.video[0]):
            if packet.dts is not None:
                shift = round(late / packet.time_base)
                packet.pts, packet.dts, packet.stream = packet.pts + shift, packet.dts + shift, video
                container.mux(packet)
    return path


def turn(path: Path, degrees: int) -> Path:
    """Write a display matrix that turns an MP4 counter-clockwise: x' = a x + c y, y' = b x + d y, with y downwards."""
    cosine, sine = (round(f(np.radians(degrees))) << 16 for f in (np.cos, np.sin))
    return show_by(path, cosine, -sine, sine, cosine)


def show_by(path: Path, a: int, b: int, c: int, d: int) -> Path:
    """Write a display matrix into an MP4, in 65536ths."""
    data = bytearray(path.read_bytes())
    header = data.index(b"tkhd") + 4
    matrix = header + (40 if data[header] == 0 else 52)  # version 1 has longer times
    data[matrix : matrix + 36] = struct.pack(">9i", a, b, 0, c, d, 0, 0, 0, 1 << 30)
    path.write_bytes(bytes(data))
    return path


def together(path: Path, *clips: Path, track_tags: dict[str, str] | None = None) -> Path:
    """One file with the video streams of several, in this order; none is marked as a cover picture."""
    with ExitStack() as stack:
        sources = [stack.enter_context(av.open(str(clip))) for clip in clips]
        container = stack.enter_context(av.open(str(path), "w"))
        streams: list[Any] = [
            container.add_stream_from_template(source.streams.video[0], opaque=True) for source in sources
        ]
        for stream in streams:
            stream.metadata.update(track_tags or {})
        for source, stream in zip(sources, streams, strict=True):
            for packet in source.demux(video=0):
                if packet.dts is not None:
                    packet.stream = stream
                    container.mux(packet)
    return path


def insert_box(path: Path, parents: Sequence[bytes], kind: bytes, content: bytes) -> Path:
    """Put a box first into others of an MP4 whose `moov` comes last; of the same kind there may be one: it is gone."""
    data = bytearray(path.read_bytes())
    starts, end = [], 0
    for parent in parents:
        starts.append(data.index(parent, end) - 4)
        end = starts[-1] + 8
    last = starts[-1] + int.from_bytes(data[starts[-1] :][:4], "big")
    old = data.find(kind, end, last) - 4
    gone = int.from_bytes(data[old:][:4], "big") if old > 0 else 0
    data[max(old, end) : max(old, end) + gone] = box = struct.pack(">I4s", 8 + len(content), kind) + content
    for start in starts:
        data[start : start + 4] = struct.pack(">I", int.from_bytes(data[start:][:4], "big") + len(box) - gone)
    path.write_bytes(bytes(data))
    return path


def describe(path: Path, kind: bytes, content: bytes) -> Path:
    """Put a box last into the sample description of an MP4 whose `moov` comes last and which has one track."""
    data = bytearray(path.read_bytes())
    starts, at = [], 0
    for parent in (b"moov", b"trak", b"mdia", b"minf", b"stbl", b"stsd"):
        starts.append(data.index(parent, at) - 4)
        at = starts[-1] + 8
    starts.append(at + 8)
    end = starts[-1] + int.from_bytes(data[starts[-1] :][:4], "big")
    data[end:end] = box = struct.pack(">I4s", 8 + len(content), kind) + content
    for start in starts:
        data[start : start + 4] = struct.pack(">I", int.from_bytes(data[start:][:4], "big") + len(box))
    path.write_bytes(bytes(data))
    return path


def edit(path: Path, edits: Sequence[tuple[int, int, float]]) -> Path:
    """Replace the edit list of an MP4: duration in ms, first time in units of the track, rate."""
    entries = b"".join(struct.pack(">Iii", duration, time, round(rate * 65536)) for duration, time, rate in edits)
    return insert_box(path, [b"moov", b"trak", b"edts"], b"elst", struct.pack(">II", 0, len(edits)) + entries)

"""Reader: a range of frames of a video as tensors."""

from collections import deque
from collections.abc import Generator, Iterator, Sequence
from contextlib import closing, suppress
from itertools import chain, dropwhile, zip_longest
from pathlib import Path
from typing import cast

import av
import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from lolblur_synth.core.colorimetry import linear_to_srgb
from lolblur_synth.core.errors import SequenceError
from lolblur_synth.video.at_hand import at_hand
from lolblur_synth.video.color import frame_checksum, to_rgb
from lolblur_synth.video.content import checksum, digest, picture_samples
from lolblur_synth.video.find import file_stamp, numbered_images
from lolblur_synth.video.geometry import Size, fit
from lolblur_synth.video.images import Pixels, read_pixels
from lolblur_synth.video.light import Samples, read_samples
from lolblur_synth.video.metadata import StoredScan, VideoInfo, VideoScan
from lolblur_synth.video.stream import decoded_frames, open_stream


def read_frames(
    scan: VideoScan, start: int, stop: int, size: Size = "source", threads: int | None = None
) -> Iterator[Tensor]:
    """Read frames start..stop-1 of the timeline, (3, H, W) float32 sRGB in [0, 1], covering `size` (width, height).

    Of scene-linear light sRGB's curve goes on above 1. The middle is kept. Where the timeline has no frame the one
    before stands in, to keep the count: every window that holds it is flawed. Raises `SequenceError` when a frame is
    gone or has other samples than the scan saw. Footage that lies elsewhere is copied here first. Streams are decoded
    on so many threads, ahead of what is asked for; that changes no sample.

    >>> from fractions import Fraction
    >>> from tempfile import TemporaryDirectory
    >>> import torch
    >>> from lolblur_synth.video.probe import probe
    >>> from lolblur_synth.video.scan import scan
    >>> from lolblur_synth.video.writer import write_video
    >>> with TemporaryDirectory() as folder:
    ...     path = Path(folder, "a.mkv")
    ...     write_video(path, torch.rand(12, 3, 48, 64), Fraction(250))
    ...     frames = list(read_frames(scan(probe(path)), 4, 7))
    >>> [tuple(frame.shape) for frame in frames]
    [(3, 48, 64), (3, 48, 64), (3, 48, 64)]
    """
    if not 0 <= start <= stop <= scan.frames:
        raise ValueError(f"frames {start} to {stop} of a video that has {scan.frames}")
    wanted: list[int] = []
    for pts in scan.pts[start:stop]:
        before = wanted[-1:] or [p for p in scan.pts[:start] if p is not None][-1:]
        wanted.append(before[0] if pts is None else pts)
    with at_hand(scan) as here, closing(_arrivals(here, list(dict.fromkeys(wanted)), size, threads)) as arrivals:
        arrived, pictures = None, list[Tensor]()
        for index, (pts, following) in enumerate(zip_longest(wanted, wanted[1:]), start):
            if pts != arrived:
                arrived, *pictures = next(arrivals, (None,))
            if pts != arrived:
                raise SequenceError(f"frame {index} {_why_other(here)}", where=here.info.path)
            yield pictures[0] if pts == following else pictures.pop()  # else held while what follows is decoded


def _arrivals(scan: VideoScan, wanted: Sequence[int], size: Size, threads: int | None) -> Generator[tuple[int, Tensor]]:
    if scan.info.path.is_dir():
        return _read_images(scan, wanted, size)
    return _read_stream(scan, wanted, size, threads)


def _why_other(scan: VideoScan) -> str:
    """Pictures are decoded alike each time, damaged streams are not."""
    if scan.stamp is None or file_stamp(scan.info.path) != scan.stamp:
        return "is gone or not the one that was scanned: it was changed during the run; run again"
    return (
        "is decoded otherwise than before, although the file is the same: it is damaged there; copy it again, or cut "
        "that part out"
    )


def read_stored(scan: StoredScan, threads: int | None = None) -> Iterator[Tensor]:
    """Every frame that a video stores, once, as they are shown: (3, H, W) float32 sRGB in [0, 1].

    Decoded on so many threads, as by `read_frames`. Raises `SequenceError` when a frame that the scan found is not
    there any more, or is another.
    """
    path, damaged = scan.info.path, set(scan.damaged)
    frames = _stored_images(scan) if path.is_dir() else _stored_frames(scan, threads)
    with closing(frames):
        for number, expected in enumerate(scan.checksums):
            actual, rgb = next(frames, (None, None))
            if rgb is None or (number not in damaged and actual != expected):
                raise SequenceError(f"frame {number} is gone", where=path, advice="has the file changed meanwhile?")
            yield fit(rgb, "source", scan.info)


def _stored_images(scan: StoredScan) -> Generator[tuple[int, NDArray[np.float32]]]:
    """The checksum and the picture of each file."""
    for path in numbered_images(scan.info.path).values():
        pixels = read_pixels(path)
        yield checksum(digest(picture_samples(pixels, scan.info.bit_depth))), _in_range(pixels)


def _stored_frames(scan: StoredScan, threads: int | None) -> Generator[tuple[int, NDArray[np.float32]]]:
    """The checksum and the picture of each frame of a stream."""
    with open_stream(scan.info.path, threads) as (container, stream):
        for frame in decoded_frames(container, stream):
            yield frame_checksum(frame), to_rgb(frame, scan.info)


def _as_srgb(samples: Samples, size: Size, info: VideoInfo) -> Tensor:
    """A picture at its size, in sRGB."""
    rgb = samples if samples.dtype == np.float32 else _in_range(cast(Pixels, samples))
    return _fitted(cast(NDArray[np.float32], rgb), size, info)


def _fitted(rgb: NDArray[np.float32], size: Size, info: VideoInfo) -> Tensor:
    """At its size, in sRGB; light is scaled before it is encoded, as a lens or a sensor adds it up."""
    if info.white is None:
        return fit(rgb, size, info)
    srgb = linear_to_srgb(fit(rgb / np.float32(info.white), size, info))
    return srgb if info.holds_light else srgb.clamp(max=1)


def _in_range(pixels: Pixels) -> NDArray[np.float32]:
    return np.divide(pixels, np.iinfo(pixels.dtype).max, dtype=np.float32)


def _read_images(scan: VideoScan, wanted: Sequence[int], size: Size) -> Generator[tuple[int, Tensor]]:
    """Up to the first that is gone or has been replaced."""
    files = numbered_images(scan.info.path)
    expected = dict(zip(scan.pts, scan.checksums, strict=False))
    for number in wanted:
        if number not in files:
            return
        samples = read_samples(files[number], scan.info)
        if expected.get(number) not in (None, checksum(digest(picture_samples(samples, scan.info.bit_depth)))):
            return
        yield number, _as_srgb(samples, size, scan.info)


def _read_stream(
    scan: VideoScan, wanted: Sequence[int], size: Size, threads: int | None
) -> Generator[tuple[int, Tensor]]:
    """From a key frame before, or if that does not give the frames that the scan saw, from the beginning."""
    due = deque(wanted)
    checksums = dict(zip(scan.pts, scan.checksums, strict=False))
    for start in (wanted[0], None):
        with closing(_frames_from(scan, start, threads)) as frames:
            while due:
                pts, frame = next(frames, (None, None))
                expected = checksums.get(pts)
                if frame is None or (pts == due[0] and expected not in (None, frame_checksum(frame))):
                    break
                if pts == due[0]:
                    yield due.popleft(), _fitted(to_rgb(frame, scan.info), size, scan.info)


def _frames_from(
    scan: VideoScan, start: int | None, threads: int | None
) -> Generator[tuple[int | None, av.VideoFrame]]:
    """Frames with their pts, or their number where they are counted; from a key frame not after `start`, if given."""
    if start is None or scan.time_base is None:
        with open_stream(scan.info.path, threads) as (container, stream):
            for number, frame in enumerate(decoded_frames(container, stream)):
                yield (number if scan.time_base is None else frame.pts), frame
        return
    with (
        open_stream(scan.info.path, threads) as (container, stream),
        suppress(av.FFmpegError),
    ):  # not everything can seek
        next(decoded_frames(container, stream), None)  # it may carry what later ones need, such as the version of x264
        container.seek(start, stream=stream)
        frames = dropwhile(lambda frame: not frame.key_frame, decoded_frames(container, stream))
        key = next(frames, None)
        if key is not None and key.pts is not None and key.pts <= start:
            yield from ((frame.pts, frame) for frame in chain([key], frames))


def read_codes(path: Path) -> Iterator[Pixels]:
    """All frames of a 16-bit file that `write_video` made, (H, W, 3) RGB uint16 as they went in; `SequenceError`."""
    with open_stream(path) as (container, stream):
        for frame in decoded_frames(container, stream):
            yield cast(Pixels, frame.to_ndarray(format="gbrp16le"))

"""Demuxer and decoder of a file: its container, its video stream, its frames in order of display."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import av
import torch
from av.container import InputContainer
from av.packet import Packet
from av.stream import Disposition
from av.video.stream import VideoStream

from lolblur_synth.core.errors import SequenceError
from lolblur_synth.video.isobmff import has_edit_rates
from lolblur_synth.video.pyav import open_input

_THUMBNAILS = 10  # times as many frames has the video
_TELLING = 100  # packets of one stream


@contextmanager
def open_stream(path: Path, threads: int | None = None) -> Iterator[tuple[InputContainer, VideoStream]]:
    """The container and the largest video stream that has frames, ready to decode; raises `SequenceError`.

    It is decoded on so many threads, else on as many as torch has, which in a run are one.
    """
    if not path.is_file():
        raise SequenceError("no such file", where=path)
    if path.stat().st_size == 0:
        raise SequenceError("the file is empty (0 bytes)", where=path, advice="copy it again")
    with _opened(path) as container:
        videos = [s for s in container.streams.video if not s.disposition & Disposition.attached_pic]
        if not videos:
            raise SequenceError(
                f"no video in it, only {', '.join(sorted({s.type for s in container.streams}))}", where=path
            )
        streams = [s for s in _with_frames(path, videos) if s.codec_context is not None]
        if not streams:
            raise SequenceError(
                "FFmpeg does not know its codec", where=path, advice="convert it by its camera maker's program first"
            )
        stream = max(streams, key=lambda s: s.width * s.height)
        stream.thread_type = "AUTO"
        stream.codec_context.thread_count = threads or torch.get_num_threads()
        yield container, stream


def file_url(path: Path) -> str:
    """A path as FFmpeg takes it for a file, whatever is in it: `12:30.mp4` alone would be a protocol."""
    return f"file:{path}"


def _opened(path: Path) -> InputContainer:
    """Each stored frame once and as it was filmed: edit lists that play at other rates are not followed."""
    try:
        options = {"ignore_editlist": "1"} if has_edit_rates(path) else {}
        return open_input(file_url(path), options)
    except (av.FFmpegError, OSError) as error:
        raise SequenceError(f"no video, or cut off: it cannot be opened ({error.strerror})", where=path) from None


def _with_frames(path: Path, videos: list[VideoStream]) -> list[VideoStream]:
    """Those that hold the video: a cover picture has one frame, a track of thumbnails few."""
    if len(videos) == 1:
        return videos
    counts = {stream.index: stream.frames for stream in videos}
    if not all(counts.values()):  # not every container tells them
        counts = _count_packets(path, set(counts))
    most = max(counts.values())
    return [stream for stream in videos if counts[stream.index] * _THUMBNAILS >= most]


def _count_packets(path: Path, streams: set[int]) -> dict[int, int]:
    """Packets of each stream, up to those of which one has enough to tell."""
    counts = dict.fromkeys(streams, 0)
    with _opened(path) as container, suppress(av.FFmpegError):  # where a file is cut off
        for packet in container.demux(video=tuple(range(len(container.streams.video)))):
            if packet.size and packet.stream.index in streams:
                counts[packet.stream.index] += 1
            if max(counts.values()) >= _TELLING:
                break
    return counts


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


def decoded_frames(container: InputContainer, stream: VideoStream) -> Iterator[av.VideoFrame]:
    """Frames in order of display, without those where decoding failed."""
    return (frame for _, frames in decode(container, stream) for frame in frames or ())

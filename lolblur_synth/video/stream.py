"""The demuxer and decoder of a file: its container, its video stream, its frames in order of display."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import av
import torch
from av.container import InputContainer
from av.packet import Packet
from av.stream import Disposition
from av.video.stream import VideoStream

from lolblur_synth.errors import SequenceError
from lolblur_synth.video.pyav import open_input


@contextmanager
def open_stream(path: Path) -> Iterator[tuple[InputContainer, VideoStream]]:
    """The container and its largest video stream, ready to decode; raises `SequenceError`."""
    if not path.is_file():
        raise SequenceError(f"{path}: no such file")
    if path.stat().st_size == 0:
        raise SequenceError(f"{path}: the file is empty (0 bytes); copy it again")
    try:
        container = open_input(path)
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


def decoded_frames(container: InputContainer, stream: VideoStream) -> Iterator[av.VideoFrame]:
    """Frames in order of display, without those where decoding failed."""
    return (frame for _, frames in decode(container, stream) for frame in frames or ())

"""Decoder log of FFmpeg: decoders hand over frames whose damage they concealed as if they were sound.

PyAV keeps one capture for all threads and gives each line to the latest, and decoders log from threads of their own;
so all who listen share one capture, and each is told whether a decoder of its codec spoke of damage meanwhile.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from threading import Lock

import av.logging
from av.video.stream import VideoStream

Line = tuple[int, str, str]  # level, which is lower for what is worse, name of the decoder, message

_HARMLESS = (  # errors that streams are full of which were cut without being encoded anew, and that change no sample
    "mmco: unref short failure",
    "number of reference frames",
    "co located POCs unavailable",
    "SEI type",
)
_DAMAGE = ("concealing ", "Skipping invalid undecodable NALU")  # that is told as less than an error


@dataclass
class Ear:
    """Whether a decoder of `codec` has told of damage since listening began; of another stream's, it may be."""

    codec: str
    heard: bool = False

    def has_heard(self) -> bool:
        """Look what has been logged so far."""
        with _lock:
            for line in _lines:
                for ear in _ears:
                    ear.heard = ear.heard or tells_damage(line, ear.codec)
            _lines.clear()
        return self.heard


_lock = Lock()
_ears: list[Ear] = []
_lines: list[Line] = []
_capture: av.logging.Capture | None = None
_before: tuple[int | None, bool] = (None, True)


def tells_damage(line: Line, codec: str) -> bool:
    """Whether a line is a decoder's and says that what it decodes is not what was encoded."""
    level, name, message = line
    if name != codec:
        return False
    return not message.startswith(_HARMLESS) if level <= av.logging.ERROR else message.startswith(_DAMAGE)


@contextmanager
def listening(stream: VideoStream) -> Iterator[Ear]:
    """Listen to FFmpeg's log while a stream is decoded."""
    ear = Ear(stream.codec_context.name)
    _begin(ear)
    try:
        yield ear
    finally:
        # A thread of the decoder that logs waits for the interpreter; closing waits for the thread, holding it. So the
        # threads are stopped before, by what does not hold it.
        stream.codec_context.flush_buffers()
        _end(ear)


def _begin(ear: Ear) -> None:
    global _capture, _lines, _before
    with _lock:
        if not _ears:
            _before = av.logging.get_level(), av.logging.get_skip_repeated()
            _capture = av.logging.Capture(local=False)
            _lines = _capture.__enter__()
            av.logging.set_skip_repeated(False)
            av.logging.set_level(av.logging.INFO)
        _ears.append(ear)


def _end(ear: Ear) -> None:
    global _capture
    ear.has_heard()
    with _lock:
        _ears.remove(ear)
        if not _ears and _capture:
            av.logging.set_level(_before[0])
            av.logging.set_skip_repeated(_before[1])
            _capture.__exit__(None, None, None)
            _capture = None

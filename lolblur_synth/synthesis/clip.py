"""A clip: the source frames of one sequence, numbered as in their video."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice, pairwise
from operator import methodcaller
from typing import NamedTuple

import torch
from torch import Tensor

from lolblur_synth.config.run import Video
from lolblur_synth.ops.deflicker import deflicker
from lolblur_synth.ops.highlights import beside_highlights
from lolblur_synth.video.geometry import sensor_rows
from lolblur_synth.video.metadata import VideoScan
from lolblur_synth.video.reader import read_frames


class Frame(NamedTuple):
    """A frame and its number in the video."""

    number: int
    image: Tensor  # (3, H, W), float32, sRGB in [0, 1], above 1 where the footage holds light beyond white


@dataclass(frozen=True)
class Clip:
    """Frames in a row, which can be read more than once."""

    span: range  # their numbers
    breaks: frozenset[int]  # of them, those that do not follow on from the one before: a cut, or a gap
    read: Callable[[], Iterator[Tensor]]
    holds_light: bool = False  # beyond white: then values exceed 1

    def head(self, count: int) -> Iterator[Tensor]:
        """The first frames that follow on from each other, `count` of them, or where there are not as many the most."""
        at = sorted(number - self.span.start for number in self.breaks if number != self.span.start)
        start, stop = max(pairwise((0, *at, len(self.span))), key=lambda part: min(part[1] - part[0], count))
        return islice(self.read(), start, min(stop, start + count))


def open_clip(scan: VideoScan, span: range, video: Video, device: torch.device, threads: int | None = None) -> Clip:
    """The frames `span` of a scanned video on a device, at the size that is set, without flicker if that is set.

    Decoded on so many threads.
    """

    def read() -> Iterator[Tensor]:
        decoded = read_frames(scan, span.start, span.stop, video.size, threads)
        frames = map(methodcaller("to", device), decoded)  # which, unlike a generator, holds none
        return _without_flicker(frames, scan, span, video) if video.flicker == "remove" else frames

    return Clip(span, frozenset(at for at in scan.breaks if at in span), read, scan.info.holds_light)


def _without_flicker(frames: Iterator[Tensor], scan: VideoScan, span: range, video: Video) -> Iterator[Tensor]:
    if scan.flicker is None:
        yield from frames
        return
    rows = sensor_rows(video.size, scan.info)
    shares = scan.flicker.gains[span.start : span.stop]

    def even(stream: Iterator[Tensor]) -> Iterator[Tensor]:
        for frame, gains in zip(stream, shares, strict=True):
            yield deflicker(frame, frame.new_tensor(gains), rows.to(frame.device))

    yield from beside_highlights(frames, even) if scan.info.holds_light else even(frames)

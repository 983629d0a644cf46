"""Speed of motion in footage, before anything is made of it: by flow between small pictures of every other frame."""

from collections.abc import Iterator
from functools import cache
from itertools import pairwise
from pathlib import Path

import torch

from lolblur_synth.core.files import file_hash
from lolblur_synth.ops import optical_flow
from lolblur_synth.ops.optical_flow import dis_flow, grey
from lolblur_synth.video import scan_cache
from lolblur_synth.video.geometry import Size
from lolblur_synth.video.metadata import VideoScan
from lolblur_synth.video.reader import read_frames

_WIDTH = 320  # pixels, about: less noise than in larger pictures, and motion of a tenth of a pixel is still seen
_GAPS = 2  # the shortest exposure; over two gaps what noise adds to slow motion counts half


def measure_speeds(scan: VideoScan, span: range, size: Size) -> list[float]:
    """Mean length of the optical flow of each gap in a span of frames, in pixels of frames of `size`.

    Measured once, and kept with the scan. Raises `SequenceError` as `read_frames` does.
    """
    options = {"rendering": str(scan.info.rendering), "span": str(span), "size": str(size), "code": _code()}
    speeds = scan_cache.recall_or_measure(scan, options, lambda: list(_speeds(scan, span, size)))
    return speeds if len(speeds) == len(span) - 1 else list(_speeds(scan, span, size))


@cache
def _code() -> str:
    return "".join(file_hash(Path(file)) for file in (__file__, str(optical_flow.__file__)))


def _speeds(scan: VideoScan, span: range, size: Size) -> Iterator[float]:
    width, height = (scan.info.width, scan.info.height) if size == "source" else size
    shrunk = max(1.0, width / _WIDTH)
    small = round(width / shrunk), max(1, round(height / shrunk))
    scale = torch.tensor((width / small[0], height / small[1]))
    taken = {*range(0, len(span), _GAPS), len(span) - 1}
    frames = enumerate(read_frames(scan, span.start, span.stop, small))
    pictures = ((number, grey(frame)) for number, frame in frames if number in taken)
    for (first, before), (last, after) in pairwise(pictures):
        length = float((dis_flow(before, after, scale=0) * scale).norm(dim=2).mean())
        yield from [round(length / (last - first), 4)] * (last - first)

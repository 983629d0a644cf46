"""Blur that footage has itself, seen in a few of its frames where nobody tells its shutter."""

from collections.abc import Sequence
from contextlib import suppress
from functools import cache
from pathlib import Path

from torch import Tensor

from lolblur_synth.core.errors import SequenceError
from lolblur_synth.core.files import file_hash
from lolblur_synth.ops import optical_flow, source_blur
from lolblur_synth.ops.optical_flow import dis_flow, grey
from lolblur_synth.ops.source_blur import Patch, exposure_ratio, moving_patches
from lolblur_synth.video import scan_cache
from lolblur_synth.video.metadata import VideoScan
from lolblur_synth.video.reader import read_frames

_GAPS = 8  # that are looked at
_LARGEST = 1080, 1920  # pixels of the middle of a frame, rows and columns
RATIO, EVIDENCE = 0.4, 0.05  # from which on blur is told: tests/bench/source_blur.py counts how often it is


def seen_exposure(scan: VideoScan, spans: Sequence[range]) -> float | None:
    """The exposure ratio that the blur of frames looks like, [0, 1]; None where it is small, or nothing tells.

    By frames of the spans, in pixels as stored; measured once, and kept with the scan.
    """
    options = {"rendering": str(scan.info.rendering), "spans": str(spans), "code": _code()}
    found = scan_cache.recall_or_measure(scan, options, lambda: _measure(scan, spans))
    ratio, evidence = found if len(found) == 2 else (0.0, 0.0)
    return min(1.0, ratio) if ratio >= RATIO and evidence >= EVIDENCE else None


@cache
def _code() -> str:
    return "".join(file_hash(Path(str(file))) for file in (__file__, optical_flow.__file__, source_blur.__file__))


def _measure(scan: VideoScan, spans: Sequence[range]) -> list[float]:
    gaps = [number for span in spans for number in span[:-1] if number + 1 not in scan.breaks]
    patches = list[Patch]()
    for number in gaps[:: max(1, len(gaps) // _GAPS)][:_GAPS]:
        with suppress(SequenceError):  # which the run will tell
            before, after = (_middle(grey(frame)) for frame in read_frames(scan, number, number + 2))
            patches += moving_patches(before, dis_flow(before, after))
    found = exposure_ratio(patches)
    return [found.ratio, found.evidence] if found else []


def _middle(picture: Tensor) -> Tensor:
    rows, columns = (
        slice(max(0, (side - most) // 2), max(0, (side - most) // 2) + most)
        for side, most in zip(picture.shape, _LARGEST, strict=True)
    )
    return picture[rows, columns].contiguous()

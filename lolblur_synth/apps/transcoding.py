"""Transcoding of a video frame by frame: who is told how far it is, and of what is not in the result, or not as it was.

The rate of a video may vary (VFR); each frame is written once, at its own time.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from shlex import quote

from lolblur_synth.video.metadata import StoredScan

_NAMED = 5  # frames in a line
_UNEVEN = 1.1  # by which the longest time between frames exceeds the shortest one where a rate varies: clocks tremble


def _ignore(*_: object) -> None:
    """Tell nobody."""


@dataclass(frozen=True)
class Listener:
    """Who is told what: of frames or pictures that are done, of how many, and of what is lost, a line each."""

    progress: Callable[[int, int], None] = _ignore
    warn: Callable[[str], None] = _ignore


NOBODY = Listener()


def frame_spacing(scan: StoredScan) -> str | None:
    """The range of times between frames, in words, where the rate varies."""
    if scan.steady and scan.slots[-1] + 1 == scan.frames:
        return None
    gaps = [float(after - before) * 1000 for before, after in pairwise(scan.shown[:-1])]
    return f"{min(gaps):.3g} to {max(gaps):.3g} ms apart" if max(gaps) > _UNEVEN * min(gaps) else None


def variable_rate(scan: StoredScan) -> Iterator[str]:
    """That each frame of a video whose rate varies keeps its time, in a line."""
    spacing = frame_spacing(scan)
    if spacing:
        yield f"{scan.info.path}: its {scan.frames} frames are {spacing}; each is written once, at its own time"


def losses(scan: StoredScan, out: Path) -> Iterator[str]:
    """Frames that are lost, damaged or moved, and sound, a line each."""
    path = scan.info.path
    if scan.lost:
        yield f"{path}: frames that cannot be decoded, and are missing in {out.name}: {scan.lost}"
    if scan.damaged:
        yield f"{path}: frames that may be damaged: {frame_list(scan.damaged)}"
    if scan.moved:
        yield f"{path}: frames no later than the one before, shown right after it: {scan.moved}"
    if scan.sound:
        offset = f"-itsoffset {float(scan.lead):.6g} " if scan.lead else ""
        inputs = f"-i {quote(str(out))} -i {quote(str(path))}"
        yield (
            f"{path}: its sound is not in {out.name}; to add it: "
            f"ffmpeg {offset}{inputs} -map 0:v -map 1:a -c copy BOTH{out.suffix}"
        )


def frame_list(frames: Sequence[int]) -> str:
    """The first of some frames by their number, and how many they are in all.

    >>> frame_list([3, 5]), frame_list(range(9))
    ('3, 5', '0, 1, 2, 3, 4, ... (9 in all)')
    """
    more = f", ... ({len(frames)} in all)" if len(frames) > _NAMED else ""
    return ", ".join(str(frame) for frame in frames[:_NAMED]) + more

"""What to tell where a video is converted frame by frame: what of it is not in the result, or not as it was."""

from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from shlex import quote

from lolblur_synth.video.metadata import StoredScan

_NAMED = 5  # frames in a line
_UNEVEN = 1.1  # by which the longest time between frames exceeds the shortest one where a rate varies: clocks tremble


def spacing(found: StoredScan) -> str | None:
    """How far apart frames are, where that varies."""
    if found.steady and found.slots[-1] + 1 == found.frames:
        return None
    gaps = [float(after - before) * 1000 for before, after in pairwise(found.shown[:-1])]
    return f"{min(gaps):.3g} to {max(gaps):.3g} ms apart" if max(gaps) > _UNEVEN * min(gaps) else None


def times_kept(found: StoredScan) -> Iterator[str]:
    """That each frame of a video whose rate varies keeps its time, in a line."""
    varying = spacing(found)
    if varying:
        yield f"{found.info.path}: its {found.frames} frames are {varying}; each is written once, at its own time"


def shortcomings(found: StoredScan, out: Path) -> Iterator[str]:
    """Frames that are lost, damaged or moved, and sound, a line each."""
    path = found.info.path
    if found.lost:
        yield f"{path}: frames that cannot be decoded, and are missing in {out.name}: {found.lost}"
    if found.damaged:
        yield f"{path}: frames that may be damaged: {named(found.damaged)}"
    if found.moved:
        yield f"{path}: frames no later than the one before, shown right after it: {found.moved}"
    if found.sound:
        offset = f"-itsoffset {float(found.lead):.6g} " if found.lead else ""
        inputs = f"-i {quote(str(out))} -i {quote(str(path))}"
        yield (
            f"{path}: its sound is not in {out.name}; to add it: "
            f"ffmpeg {offset}{inputs} -map 0:v -map 1:a -c copy BOTH{out.suffix}"
        )


def named(frames: Sequence[int]) -> str:
    """The first of some frames by their number, and how many they are in all."""
    more = f", ... ({len(frames)} in all)" if len(frames) > _NAMED else ""
    return ", ".join(str(frame) for frame in frames[:_NAMED]) + more

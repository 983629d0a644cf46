"""What to tell where a video is converted frame by frame: what of it is not in the result, or not as it was."""

from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path

from lolblur_synth.video.metadata import StoredScan

_NAMED = 5  # frames in a line


def spacing(found: StoredScan) -> str | None:
    """How far apart frames are, where that varies."""
    gaps = [float(after - before) * 1000 for before, after in pairwise(found.shown[:-1])]
    return None if max(gaps) - min(gaps) < 0.01 else f"{min(gaps):.3g} to {max(gaps):.3g} ms apart"


def times_kept(found: StoredScan) -> Iterator[str]:
    """That each frame of a video whose rate varies keeps its time, in a line."""
    varying = spacing(found)
    if varying:
        yield f"{found.info.path}: its {found.frames} frames are {varying}; each is written once, at its own time"


def shortcomings(found: StoredScan, out: Path) -> Iterator[str]:
    """Frames that are lost, damaged or moved, and sound, a line each."""
    path = found.info.path
    if found.lost:
        yield f"{path}: {_frames(found.lost)} cannot be decoded, and what is not there is not in {out.name}"
    if found.damaged:
        yield f"{path}: {_frames(len(found.damaged))} may be damaged: {named(found.damaged)}"
    if found.moved:
        yield f"{path}: {_frames(found.moved)} are no later than those before; they are shown right after them"
    if found.sound:
        offset = f"-itsoffset {float(found.lead):.6g} " if found.lead else ""
        both = f"BOTH{out.suffix}"
        yield (
            f"{path}: its sound is not in {out.name}; to add it: "
            f"ffmpeg {offset}-i {out.name} -i {path.name} -map 0:v -map 1:a -c copy {both}"
        )


def _frames(count: int) -> str:
    return f"{count} frame{'s' * (count > 1)}"


def named(frames: Sequence[int]) -> str:
    """The first of some frames by their number, and how many they are in all."""
    more = f", ... ({len(frames)} in all)" if len(frames) > _NAMED else ""
    return ", ".join(str(frame) for frame in frames[:_NAMED]) + more

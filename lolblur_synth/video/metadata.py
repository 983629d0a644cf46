"""What is known about a video: plain values, without codecs."""

from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction
from pathlib import Path
from typing import Literal

MAX_PIXELS = 2**27  # of a picture or a frame, where nothing else is said: 1.6 GB as three floats each


@dataclass(frozen=True)
class VideoInfo:
    """What the headers and the first frame tell; width and height are square pixels as displayed."""

    path: Path
    width: int
    height: int
    stored_fps: Fraction  # rate of the timestamps
    capture_fps: Fraction  # rate of the sensor; higher than stored_fps for slow motion
    capture_source: str  # "--capture-fps", "tag com.android.capture.fps", "sidecar C0001M01.XML", "stream rate", ...
    codec: str
    pixel_format: str
    bit_depth: int
    color_matrix: str  # "bt601", "bt709" or "bt2020"
    color_range: str  # "limited" or "full"
    rotation: int  # degrees counter-clockwise that the stored frames are turned by
    used_bits: int | None = None  # that the first picture of a folder takes, where these are fewer than its depth

    @property
    def bits_to_write(self) -> Literal[8, 16]:
        """What its samples take in a picture or a lossless video."""
        return 8 if self.bit_depth <= 8 else 16


def few_bits(info: VideoInfo) -> str:
    """What is to be said about samples of 10 to 14 bits in files of 16, which look dark."""
    assert info.used_bits is not None
    times = 2 ** (info.bit_depth - info.used_bits)
    return (
        f"of the {info.bit_depth} bits of its pictures the first takes {info.used_bits}: if the camera has no more, "
        f"they are {times} times too dark; multiply them first: magick IN -evaluate Multiply {times} OUT"
    )


class FlawKind(StrEnum):
    """What is wrong with frames; the value is how it is told."""

    SCENE_CUT = "scene cut"
    DUPLICATED_FRAME = "duplicated frame"
    MISSING_FRAME = "missing frame"
    DECODE_ERROR = "decode error"


@dataclass(frozen=True)
class Flaw:
    """A window of frames that holds both `first` and `last` cannot be used."""

    first: int
    last: int
    kind: FlawKind


@dataclass(frozen=True)
class VideoScan:
    """What one full decode found, on a timeline of equal steps."""

    info: VideoInfo
    frames: int
    pts: tuple[int | None, ...]  # by timeline index; None where no frame is
    flaws: tuple[Flaw, ...]
    sha256: str
    time_base: Fraction | None = None  # seconds per pts; None where frames are counted, for want of timestamps
    checksums: tuple[int | None, ...] = ()  # of luma, by timeline index; None where no frame is, or it is damaged

    @property
    def breaks(self) -> frozenset[int]:
        """Frames that do not follow on from the one before: after a cut, a repetition, or where one is missing."""
        return frozenset(at for flaw in self.flaws for at in (flaw.last, flaw.last + (flaw.first == flaw.last)))

    def time(self, index: int) -> Fraction:
        """Stored time of a frame in seconds from the first; where no frame is, when it should have been."""
        pts, first = self.pts[index], self.pts[0]
        if pts is None or first is None or self.time_base is None:
            return index / self.info.stored_fps
        return (pts - first) * self.time_base

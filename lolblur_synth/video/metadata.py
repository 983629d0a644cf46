"""What is known about a video: plain values, without codecs."""

from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction
from pathlib import Path
from typing import Literal


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

    @property
    def bits_to_write(self) -> Literal[8, 16]:
        """What its samples take in a picture or a lossless video."""
        return 8 if self.bit_depth <= 8 else 16


class FlawKind(StrEnum):
    """What is wrong with frames; the value is how it is told."""

    SCENE_CUT = "scene cut"
    DUPLICATED_FRAME = "duplicated frame"
    MISSING_FRAME = "missing frame"
    DECODE_ERROR = "decode error"
    CONCEALED_DAMAGE = "concealed damage"  # the decoder said so in its log, and handed the frame over as sound
    UNSTABLE_DECODE = "other pixels at each decoding"
    FLICKER = "mains flicker"  # where video.flicker is drop


@dataclass(frozen=True)
class Flaw:
    """A window of frames that holds both `first` and `last` cannot be used."""

    first: int
    last: int
    kind: FlawKind


@dataclass(frozen=True)
class Flicker:
    """Light that pulses twice a period of the mains."""

    hertz: int  # 100 or 120
    percent: float  # per cent flicker: 100 (max - min) / (max + min) of linear light
    parts: tuple[tuple[int, int], ...]  # from a frame to before another
    gains: tuple[tuple[float, ...], ...]  # that take it out, by frame and band of the sensor from its first row


@dataclass(frozen=True)
class VideoScan:
    """What one full decode found, on a timeline of equal steps."""

    info: VideoInfo
    frames: int
    pts: tuple[int | None, ...]  # by timeline index; None where no frame is
    flaws: tuple[Flaw, ...]
    sha256: str
    time_base: Fraction | None = None  # seconds per pts; None where frames are counted, for want of timestamps
    checksums: tuple[int | None, ...] = ()  # of samples, by timeline index; None where no frame is, or it is damaged
    lightness: tuple[float, ...] = ()  # mean CIE L*/100 but for lights, by timeline index
    flicker: Flicker | None = None
    stamp: tuple[int, int] | None = None  # size and modification time (ns) of the file; None of a folder

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

"""Metadata of a video: what is known about it, as plain values, without codecs."""

from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction
from pathlib import Path
from typing import Literal

from lolblur_synth.mosaic.color import Matrix
from lolblur_synth.mosaic.pattern import Pattern
from lolblur_synth.remote.video import RemoteVideo
from lolblur_synth.video.shutter import LONGEST_RATIO, SourceShutter

ColorMatrix = Literal["bt601", "bt709", "bt2020"]  # from luma and chroma to RGB (ITU-T H.273)
Transfer = Literal["sdr", "hlg", "pq", "linear", "s-log3", "v-log", "apple-log"]  # from light to samples
Primaries = Literal["bt709", "bt2020", "p3-d65", "p3-dci", "s-gamut3", "s-gamut3.cine", "v-gamut", "apple-wide-gamut"]
ColorRange = Literal["limited", "full"]  # of samples: 16 to 235, or all
MAX_PIXELS = 2**27  # of a picture or a frame, where nothing else is said: 1.6 GB as three floats each
Subsampling = Literal["4:4:4", "4:2:2", "4:2:0"]  # of chroma: none, by two in a row, by two in rows and columns
SUBSAMPLINGS: tuple[Subsampling, ...] = ("4:4:4", "4:2:2", "4:2:0")


class RateOrigin(StrEnum):
    """What tells the rate of the sensor; the value is how it is told."""

    GIVEN = "given"
    TAG = "tag"  # of the file
    TRACK_TAG = "track's tag"
    BOX = "box"
    SIDECAR = "sidecar"
    STREAM = "stream rate"  # as the headers have it, which may be an average
    TIMESTAMPS = "timestamps"

    @property
    def is_told(self) -> bool:
        """Whether it is said, beside the times of the frames: then it holds however fast they are played."""
        return self not in (RateOrigin.STREAM, RateOrigin.TIMESTAMPS)


@dataclass(frozen=True)
class RawDevelopment:
    """How RAW frames become scene-linear light, all as the first one says; 1 is where its samples saturate."""

    pattern: Pattern  # of the first frame's mosaic
    black: tuple[float, float, float, float]  # by site in rows; each frame is taken by its own
    white: float  # digital number where samples saturate, or the value of floats that is 1
    gains: tuple[float, float, float]  # white balance of red, green, blue; the least is 1
    gains_source: str
    matrix: Matrix  # white-balanced camera RGB -> linear sRGB; rows sum to 1
    matrix_source: str


@dataclass(frozen=True)
class VideoInfo:
    """What the headers and the first frame tell; width and height are square pixels as displayed."""

    path: Path
    width: int
    height: int
    stored_fps: Fraction  # rate of the timestamps
    capture_fps: Fraction  # rate of the sensor; higher than stored_fps for slow motion
    capture_origin: RateOrigin
    capture_detail: str  # name of the tag, box or file that tells it, or nothing
    codec: str
    pixel_format: str
    bit_depth: int
    color_matrix: ColorMatrix
    color_range: ColorRange
    rotation: int  # degrees counter-clockwise that the stored frames are turned by
    white: float | None = None  # linear value that is shown as white; None: samples are display-referred, up to white
    mirrored: bool = False  # left to right, before they are turned
    transfer: Transfer = "sdr"  # sdr: that of BT.709 and its like, whose samples are taken for sRGB's
    primaries: Primaries = "bt709"  # bt709: those of BT.601 too, which differ little
    colors_disputed: bool = False  # the container tells other ones than the stream, which is believed
    used_bits: int | None = None  # that the first picture of a folder takes, where these are fewer than its depth
    shutter: SourceShutter | None = None  # None: nobody tells
    raw: RawDevelopment | None = None  # of RAW frames
    saturation: float | None = None  # linear value that no sample exceeds; None: of light without an end

    @property
    def capture_source(self) -> str:
        """Where the rate of the sensor is from, in words: "tag com.android.capture.fps", "sidecar C0001M01.XML", ..."""
        return f"{self.capture_origin} {self.capture_detail}".rstrip()

    @property
    def exposure_ratio(self) -> float | None:
        """The share of the time from frame to frame that is exposed, [0, 1]; None where it is not told, or cannot be.

        Cameras round: 1/240 s is a little more than a frame at 240000/1001 fps.
        """
        ratio = self.shutter.ratio(self.capture_fps) if self.shutter else LONGEST_RATIO + 1
        return min(1.0, float(ratio)) if ratio <= LONGEST_RATIO else None

    @property
    def holds_light(self) -> bool:
        """Whether its samples are scene-linear light that goes on above white."""
        return self.white is not None and (self.saturation is None or self.white < self.saturation)

    @property
    def rendering(self) -> dict[str, float | int | str]:
        """What besides the decoded samples decides the pixels: size as displayed, rotation, matrix, range, siting.

        Of light also which value becomes white, and what is not as in most footage.
        """
        rare = {"white": self.white, "mirrored": self.mirrored}
        colors = {"transfer": (self.transfer, ("sdr", "linear")), "primaries": (self.primaries, ("bt709",))}
        told: dict[str, float | int | str] = {name: value for name, value in rare.items() if value}
        told |= {name: value for name, (value, usual) in colors.items() if value not in usual}
        return told | {
            "size": f"{self.width}x{self.height}",
            "rotation": self.rotation,
            "matrix": self.color_matrix,
            "range": self.color_range,
            "chroma": "center" if self.codec == "mjpeg" else "left",
        }

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
    ANOTHER_SPEED = "another speed of playing"
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
    content: str  # digest of the decoded samples and the slots that they fill: the identity of the footage
    time_base: Fraction | None = None  # seconds per pts; None where frames are counted, for want of timestamps
    checksums: tuple[int | None, ...] = ()  # of samples, by timeline index; None where no frame is, or it is damaged
    lightness: tuple[float, ...] = ()  # mean CIE L*/100 but for lights, by timeline index
    flicker: Flicker | None = None
    seen_exposure: float | None = None  # exposure ratio that its blur looks like, where that is clear
    stamp: tuple[int, int] | None = None  # size and modification time (ns) of the file; None of a folder
    remote: RemoteVideo | None = None  # where the footage lies, if not here; `info.path` then may not be there

    @property
    def breaks(self) -> frozenset[int]:
        """Frames that do not follow on from the one before: after a cut, a repetition, or where one is missing."""
        return _breaks(self.flaws)

    def breaks_within(self, span: range) -> list[int]:
        """The breaks between the frames of a span, ascending."""
        return sorted(at for at in self.breaks if span.start < at < span.stop)

    def time(self, index: int) -> Fraction:
        """Stored time of a frame in seconds from the first; where no frame is, when it should have been."""
        pts, first = self.pts[index], self.pts[0]
        if pts is None or first is None or self.time_base is None:
            return index / self.info.stored_fps
        return (pts - first) * self.time_base


@dataclass(frozen=True)
class StoredScan:
    """What one full decode found, frame by frame as they are stored, each once, in order of display."""

    info: VideoInfo
    shown: tuple[Fraction, ...]  # seconds, ascending: frame n is shown from shown[n] until shown[n + 1]
    slots: tuple[int, ...]  # of a timeline of equal steps, by frame
    steady: bool  # each frame has a slot of its own and lies where the slot does
    flaws: tuple[Flaw, ...]  # by number of frame
    lost: int  # frames that could not be decoded, and are not counted here
    moved: int  # frames whose timestamp is not after that of the one before; here they are shown right after it
    checksums: tuple[int, ...]  # of all samples
    lightness: tuple[float, ...]  # mean L*/100 of each frame, without its lights
    sound: bool  # the file has sound, too
    lead: Fraction = Fraction(0)  # seconds from the beginning of the file to the first frame

    @property
    def frames(self) -> int:
        """How many there are."""
        return len(self.checksums)

    @property
    def cuts(self) -> tuple[int, ...]:
        """The first frame of each scene but the first."""
        return tuple(sorted({flaw.last for flaw in self.flaws if flaw.kind is FlawKind.SCENE_CUT}))

    @property
    def breaks(self) -> frozenset[int]:
        """Frames that do not follow on from the one before: after a cut, a repetition, where some are lost, damage."""
        return _breaks(self.flaws)

    @property
    def damaged(self) -> tuple[int, ...]:
        """Frames that were decoded but may not be what was filmed."""
        whole = {FlawKind.SCENE_CUT, FlawKind.DUPLICATED_FRAME, FlawKind.MISSING_FRAME}
        return tuple(sorted({flaw.first for flaw in self.flaws if flaw.kind not in whole}))


def _breaks(flaws: tuple[Flaw, ...]) -> frozenset[int]:
    return frozenset(at for flaw in flaws for at in (flaw.last, flaw.last + (flaw.first == flaw.last)))

"""The schema of records: what is written about each sequence and pair, as pydantic models that know their format.

A change of what is written raises `FORMAT`; records of another format are told apart from damaged ones.
"""

from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Literal, Self, get_args

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator
from pydantic.dataclasses import dataclass

from lolblur_synth.config.run import Config
from lolblur_synth.dataset.layout import FOLDERS, Folder, Split, image_path
from lolblur_synth.dataset.statistics import Statistic
from lolblur_synth.metrics.difficulty import EQUAL, Tier, tier_of
from lolblur_synth.ops.denoise.noise_model import Channels, Space
from lolblur_synth.synthesis.draws import Draws
from lolblur_synth.synthesis.sequences import AimLimit, Reject, RejectKind, Slot
from lolblur_synth.video.metadata import FlawKind, RawDevelopment
from lolblur_synth.video.shutter import ShutterOrigin

FORMAT: Literal[5] = 5  # 4 is read too: it has fewer fields

STRICT = ConfigDict(strict=True, extra="forbid", allow_inf_nan=False)
Digest = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]  # SHA-256; of footage BLAKE3
Count = Annotated[int, Field(ge=0, lt=2**53)]
Text = Annotated[str, Field(max_length=4096)]
Url = Annotated[str, Field(max_length=4096, pattern=r"^[a-z][a-z0-9+.-]*://[^/@\n]*(/[^\n]*)?$")]
Word = Annotated[str, Field(min_length=1, max_length=100)]
Positive = Annotated[float, Field(ge=0)]
Share = Annotated[float, Field(ge=0, le=1)]
Rate = Annotated[str, Field(pattern=r"^[1-9][0-9]{0,39}(/[1-9][0-9]{0,39})?$")]  # of frames per second, as a fraction
Hashes = Annotated[dict[Folder, Digest], Field(min_length=len(FOLDERS))]
Statistics = Annotated[dict[Statistic, float], Field(min_length=len(get_args(Statistic)))]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, **STRICT)


class SourceShutterRecord(_Part):
    """For how long each frame of the source was exposed."""

    origin: ShutterOrigin = ShutterOrigin.UNKNOWN  # what tells it
    detail: Text = ""  # name of the tag or file
    seconds: Annotated[float, Field(gt=0)] | None = None
    exposure_ratio: Share | None = None  # to the time from frame to frame; None: unknown, or it cannot be
    seen_ratio: Share | None = None  # that blur in the frames looks like, where it is unknown, and that is clear


class Source(_Part):
    """The video of a sequence, as its headers and a full decode told."""

    name: Text  # of the file, printable
    content: Digest  # of its decoded frames and the slots that they fill
    frames: Count
    width: Count
    height: Count
    stored_fps: Rate
    capture_fps: Rate
    capture_source: Text
    codec: Text
    pixel_format: Text
    bit_depth: Count
    used_bits: Count | None = None
    color_matrix: Word
    color_range: Word
    rotation: int = Field(ge=-360, le=360)
    mirrored: bool = False
    transfer: Word | None = None  # None, as primaries: in records before December 2026
    primaries: Word | None = None
    shutter: SourceShutterRecord = SourceShutterRecord()
    white: Annotated[float, Field(gt=0)] | None = None  # linear value shown as white; None: display-referred footage
    saturation: Annotated[float, Field(gt=0)] | None = None  # linear value that no sample exceeds; None: without an end
    raw: RawDevelopment | None = None  # how RAW frames were developed
    url: Url | None = None  # of footage that was read from elsewhere, without user, password and signature

    @property
    def holds_light(self) -> bool:
        """Whether it is scene-linear light that goes on above white: then reverse clipping is off."""
        return self.white is not None and (self.saturation is None or self.white < self.saturation)


class ShutterRecord(_Part):
    """The shutter of a sequence, in source frames and sub-frames."""

    gaps: Count
    factor: Count
    milliseconds: Positive
    frames: Count
    sub_frames: Count
    sub_frame_fps: Positive
    readout: Positive = 0.0  # sub-frames, of a rolling shutter


class BlurAimRecord(_Part):
    """The blur that the shutter of a sequence was chosen for, as mean paths in pixels."""

    wanted: Positive
    planned: Positive  # by the motion that was seen in planning, in small pictures
    reached: Positive | None = None  # by the flow that made the sub-frames, over the pairs; None: there was none
    limit: AimLimit | None = None  # why it cannot be had


class NoiseLevel(_Part):
    """Noise as it was measured, or told; see `NoiseModel`."""

    sigma: Positive  # of 255
    space: Space
    a: Channels
    b: Channels
    white: bool


class Denoising(_Part):
    """Noise of the footage, and its removal."""

    backend: Literal["vbm4d", "bm4d", "none"]
    preset: Literal["fast", "best"]
    level: NoiseLevel | None = None  # None: nobody looked


class RejectRecord(_Part):
    """A window of the video that gave no pair, and why."""

    slot: Count
    center: Count
    reason: Text
    kinds: Annotated[list[FlawKind | RejectKind], Field(max_length=20)] = []  # none in records before November 2026
    frames: Annotated[list[Count], Field(max_length=20)] = []  # the first of them
    detail: Text = ""

    @property
    def cause(self) -> str:
        """Why, without the frames, the same for all windows that share it."""
        place = Slot(self.slot, self.center)
        return Reject(place, tuple(self.kinds), tuple(self.frames), self.detail).cause if self.kinds else self.reason


@dataclass(frozen=True, slots=True, config=STRICT)  # slots: a dataset has hundreds of thousands
class BlurRecord:
    """The motion of an exposure, by the flow that made its sub-frames: see `MotionBlur`."""

    mean: Positive  # pixels that things go while the shutter is open, over the picture
    p95: Positive
    direction: Annotated[float, Field(ge=0, lt=180)] | None  # degrees from the horizontal, counter-clockwise
    concentration: Share  # of directions
    straightness: Share  # chord over path


@dataclass(frozen=True, slots=True, config=STRICT)
class PairRecord:
    """One pair: its number, the source frames it came from, and what its pictures hold."""

    number: Annotated[int, Field(ge=1, le=9999)]  # FFFF
    slot: Count  # counted at the output rate from the start of the video
    center: Count  # source frame of the ground truth
    first: Count  # source frames of the exposure
    last: Count
    seconds: Positive  # of the ground truth, from the start of the recording
    sha256: Hashes  # of the decoded pixels
    statistics: Statistics  # of low_blur_noise
    untrusted: Share | None = None  # largest share of a gap that moves inconsistently
    blur: BlurRecord | None = None  # None: sub-frames without flow, or a record before December 2026
    psnr: Annotated[float, Field(le=EQUAL)] | None = None  # dB, of low_blur against low_sharp
    psnr_in_light: Annotated[float, Field(le=EQUAL)] | None = None  # the same, as bright as the ground truth

    @property
    def tier(self) -> Tier | None:
        """How hard it is; None of records before December 2026."""
        return None if self.psnr_in_light is None else tier_of(self.psnr_in_light)


class FlickerRecord(_Part):
    """Mains flicker of the footage, and the gains of linear light that took it out."""

    hertz: Count  # of the light
    percent: Positive  # per cent flicker
    first: Count  # source frame of the first gains
    gains: list[list[Positive]]  # by frame and band of the sensor; none where it was left in


def _rising(pairs: list[PairRecord]) -> list[PairRecord]:
    if any(one.number >= other.number for one, other in pairwise(pairs)):
        raise ValueError("numbers do not rise")
    return pairs


def _with_versions(versions: dict[str, str]) -> dict[str, str]:
    missing = {"lolblur-synth", "pipeline"} - versions.keys()
    if missing:
        raise ValueError(f"lacks {', '.join(sorted(missing))}")
    return versions


class SequenceRecord(_Part):
    """Everything that explains a sequence."""

    format: Literal[4, 5]
    id: str  # VVVV-S
    fingerprint: Digest  # same source, settings, weights and code version: same fingerprint
    split: Split
    video: int = Field(ge=0, le=9999)
    sequence: int = Field(ge=0, le=9)
    source: Source
    shutter: ShutterRecord
    draws: Draws
    noise: Denoising
    config: Config
    weights: dict[Word, Digest] = Field(max_length=100)  # by network
    versions: Annotated[dict[Word, Word], Field(max_length=100), AfterValidator(_with_versions)]
    device: Word
    seconds: dict[Word, Positive] = Field(max_length=100)  # by operator
    pairs: Annotated[list[PairRecord], Field(min_length=1, max_length=9999, fail_fast=True), AfterValidator(_rising)]
    rejects: Annotated[
        list[RejectRecord], Field(fail_fast=True)
    ]  # windows of the whole video that gave no pair; some when it was made
    flicker: FlickerRecord | None = None
    aim: BlurAimRecord | None = None  # None: the shutter was drawn

    @model_validator(mode="after")
    def _is_named_by_its_fields(self) -> Self:
        name = f"{self.video:04d}-{self.sequence}"
        if self.id != name:
            raise ValueError(f"id {self.id[:20]!r} where video and sequence make {name}")
        return self

    def images(self) -> Iterator[tuple[Path, str]]:
        """Relative path and pixel hash of each image."""
        for pair in self.pairs:
            for folder in FOLDERS:
                yield image_path(self.split, folder, self.video, pair.number), pair.sha256[folder]

    def as_json(self) -> bytes:
        """The record as it is written; what the maker tells (`about`) is the dataset's, and stands elsewhere."""
        return (self.model_dump_json(indent=1, exclude={"config": {"about"}}) + "\n").encode()

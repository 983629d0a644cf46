"""What a summary of a dataset holds: counts, splits, ranges, spreads, rejects, times, as data."""

from dataclasses import dataclass
from typing import NamedTuple

from lolblur_synth.config.run import Config
from lolblur_synth.dataset.layout import Split
from lolblur_synth.dataset.records import Source
from lolblur_synth.dataset.statistics import Statistic
from lolblur_synth.metrics.difficulty import Tier

Names = tuple[str, ...]


class Range(NamedTuple):
    """The smallest and the largest of some values."""

    low: float
    high: float


class Spread(NamedTuple):
    """How values are spread: quantiles, and both ends."""

    least: float
    p5: float
    median: float
    p95: float
    most: float


class ShutterFrames(NamedTuple):
    """Frames of an exposure."""

    source: int
    sub_frames: int


@dataclass(frozen=True)
class SplitSummary:
    """Counts of a split."""

    videos: int
    sequences: int
    pairs: int


@dataclass(frozen=True)
class VideoSummary:
    """A source and what came of it."""

    number: int  # VVVV
    split: Split
    source: Source
    pairs: int
    rejects: int  # windows that gave no pair


@dataclass(frozen=True)
class SequenceSummary:
    """A sequence: what it measures, what it cost, how far its motion is to be trusted."""

    id: str  # VVVV-S
    split: Split
    source: str  # name of the video
    pairs: int
    exposure: float  # that was drawn, lightness in [0, 1]
    means: dict[Statistic, float]  # over its pairs, of low_blur_noise
    seconds: float  # that it took in all
    operators: dict[str, float]  # seconds by operator, the slowest first
    untrusted: dict[int, float]  # by FFFF, shares of the picture above the limit of its settings


@dataclass(frozen=True)
class DroppedWindow:
    """A window of a video that gave no pair."""

    video: int
    center: int  # source frame in its middle
    cause: str  # the same for all windows that share it
    reason: str  # with its frames


@dataclass(frozen=True)
class StatisticSummary:
    """An image statistic over pictures."""

    mean: float
    spread: Spread
    outside: float  # share of the pictures that leave the band of real nights, [0, 1]


@dataclass(frozen=True)
class DrawSummary:
    """Ranges of what the sequences drew, in the units of `Draws`."""

    dim: Range
    exposure: Range
    streak: Range | None  # of reverse clipping; None: all footage holds its light
    holding_light: int  # sequences without reverse clipping, as their footage holds what it would guess
    shot: Range
    read: Range
    noise: Names  # its models, with their cameras
    defocused: int  # sequences
    defocus_sigma: Range | None  # pixels; None: all lenses were sharp
    rolling_ms: Range | None  # readout of a rolling shutter; None: all shutters were global
    sharpening: Range | None  # amounts of unsharp masking; None: off
    jpeg_quality: Range | None  # None: nothing was compressed
    subsampling: Names  # of chroma
    compressed: int  # sequences


@dataclass(frozen=True)
class DenoiseSummary:
    """Noise of the footage, and its removal."""

    denoised: int  # sequences
    ways: Names  # backends, with their presets
    sigma: Range | None  # of 255, of the noise that was found; None: nobody looked


@dataclass(frozen=True)
class MotionSummary:
    """Flow inconsistency: shares of the picture that move inconsistently (forward-backward)."""

    largest: float
    above: int  # pairs above the limit of the settings
    judged: int  # pairs


@dataclass(frozen=True)
class BlurSummary:
    """The diversity of motion blur: how its paths are spread over pairs."""

    pairs: int  # that tell
    mean: Spread  # pixels, over the picture
    p95: Spread
    straightness: Spread
    concentration: Spread
    directions: dict[int, int]  # pairs by the nearest axis, degrees
    undirected: int  # pairs whose directions are spread, as of a turn, a zoom, several things, or nothing that moves


@dataclass(frozen=True)
class AimSummary:
    """Blur that shutters were chosen for, as mean paths in pixels."""

    sequences: int
    wanted: Range
    reached: Range | None  # None: sub-frames without flow
    too_slow: int  # sequences whose motion is so for the longest shutter
    too_fast: int


@dataclass(frozen=True)
class DifficultySummary:
    """How hard pairs are, by PSNR in dB of low_blur against low_sharp."""

    pairs: int  # that tell
    psnr: Spread
    in_light: Spread  # as bright as the ground truth, by which the tiers go
    tiers: dict[Tier, int]
    thirds: tuple[float, float]  # dB in light, that part the pairs into three equal tiers


@dataclass(frozen=True)
class Summary:
    """All numbers of a dataset."""

    config: Config  # of the first sequence
    made_by: str  # version of lolblur-synth, of the first sequence
    splits: dict[Split, SplitSummary]
    videos: tuple[VideoSummary, ...]
    sequences: tuple[SequenceSummary, ...]
    dropped: tuple[DroppedWindow, ...]  # by video and time
    rejects: dict[str, int]  # the same counted by cause, the most frequent first
    draws: DrawSummary
    denoise: DenoiseSummary
    exposure_ratio: Range | None  # of the videos: source's shutter to the time between frames; None: unknown of all
    unknown_shutters: int  # videos
    motion: MotionSummary | None  # None: the backend does not tell
    blur: BlurSummary | None  # likewise
    aim: AimSummary | None  # None: shutters were drawn
    difficulty: DifficultySummary | None  # None: records before December 2026
    statistics: dict[Statistic, StatisticSummary]  # over the pairs, of low_blur_noise
    exposures: tuple[ShutterFrames, ...]
    milliseconds: Range  # of the exposures
    sub_frame_fps: Range
    operators: dict[str, float]  # seconds that all sequences took, the slowest operator first
    versions: dict[str, Names]  # of packages
    devices: Names
    weights: dict[str, Names]  # sha256 by name

    @property
    def pairs(self) -> int:
        """Pairs of both splits."""
        return sum(split.pairs for split in self.splits.values())

    @property
    def seconds(self) -> float:
        """That all sequences took."""
        return sum(self.operators.values())

"""The summary of a dataset: counts, splits, ranges, rejects, times, as data; card, tables and reports are views of it.

It follows from the records alone, and each number is taken here and nowhere else.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from lolblur_synth.config.run import Config
from lolblur_synth.dataset.layout import SPLITS, Split
from lolblur_synth.dataset.records import SequenceRecord, Source
from lolblur_synth.dataset.statistics import Statistic, mean_statistics

Names = tuple[str, ...]


class Range(NamedTuple):
    """The smallest and the largest of some values."""

    low: float
    high: float


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
class Summary:
    """All numbers of a dataset."""

    config: Config  # of the first sequence
    made_by: str  # version of lolblur-synth, of the first sequence
    splits: dict[Split, SplitSummary]
    videos: tuple[VideoSummary, ...]
    sequences: tuple[SequenceSummary, ...]
    rejects: dict[str, int]  # windows that gave no pair, by cause, the most frequent first
    draws: DrawSummary
    denoise: DenoiseSummary
    motion: MotionSummary | None  # None: the backend does not tell
    exposures: tuple[ShutterFrames, ...]
    milliseconds: Range  # of the exposures
    sub_frame_fps: Range
    versions: dict[str, Names]  # of packages
    devices: Names
    weights: dict[str, Names]  # sha256 by name

    @property
    def pairs(self) -> int:
        """Pairs of both splits."""
        return sum(split.pairs for split in self.splits.values())


def summarize(records: Sequence[SequenceRecord]) -> Summary:
    """The summary of a dataset of at least one record, in the order of the records."""
    rejects = _rejects(records)
    videos, sequences = _videos(records, rejects), tuple(map(summarize_sequence, records))
    return Summary(
        config=records[0].config,
        made_by=records[0].versions["lolblur-synth"],
        splits={split: _split(split, records, videos) for split in SPLITS},
        videos=videos,
        sequences=sequences,
        rejects=dict(Counter(cause for causes in rejects.values() for cause in causes.values()).most_common()),
        draws=_draws(records),
        denoise=_denoise(records),
        motion=_motion(records, sequences),
        exposures=tuple(sorted({ShutterFrames(r.shutter.frames, r.shutter.sub_frames) for r in records})),
        milliseconds=_range(r.shutter.milliseconds for r in records),
        sub_frame_fps=_range(r.shutter.sub_frame_fps for r in records),
        versions=_values_by_name(r.versions for r in records),
        devices=_names(r.device for r in records),
        weights=_values_by_name(r.weights for r in records),
    )


def summarize_sequence(record: SequenceRecord) -> SequenceSummary:
    """The summary of one sequence."""
    limit = record.config.interpolate.untrusted
    return SequenceSummary(
        id=record.id,
        split=record.split,
        source=record.source.name,
        pairs=len(record.pairs),
        exposure=record.draws.exposure,
        means=mean_statistics([pair.statistics for pair in record.pairs]),
        seconds=sum(record.seconds.values()),
        operators=dict(sorted(record.seconds.items(), key=lambda entry: -entry[1])),
        untrusted={pair.number: pair.untrusted for pair in record.pairs if pair.untrusted and pair.untrusted > limit},
    )


def _split(split: Split, records: Iterable[SequenceRecord], videos: Iterable[VideoSummary]) -> SplitSummary:
    sequences = [record for record in records if record.split == split]
    return SplitSummary(
        videos=sum(video.split == split for video in videos),
        sequences=len(sequences),
        pairs=sum(len(record.pairs) for record in sequences),
    )


def _videos(records: Iterable[SequenceRecord], rejects: Mapping[int, Mapping[int, str]]) -> tuple[VideoSummary, ...]:
    latest, pairs = dict[int, SequenceRecord](), Counter[int]()
    for record in records:
        latest[record.video] = record
        pairs[record.video] += len(record.pairs)
    return tuple(
        VideoSummary(video, record.split, record.source, pairs[video], len(rejects[video]))
        for video, record in sorted(latest.items())
    )


def _rejects(records: Iterable[SequenceRecord]) -> dict[int, dict[int, str]]:
    """By video and slot, why a window gave no pair: known of the video, or found when one of its sequences was made."""
    causes: dict[int, dict[int, str]] = {}
    for record in records:
        causes.setdefault(record.video, {}).update({reject.slot: reject.cause for reject in record.rejects})
    return causes


def _draws(records: Sequence[SequenceRecord]) -> DrawSummary:
    draws = [record.draws for record in records]
    blurs = [d.defocus for d in draws if d.defocus]
    jpegs = [d.jpeg for d in draws if d.jpeg]
    return DrawSummary(
        dim=_range(d.dim for d in draws),
        exposure=_range(d.exposure for d in draws),
        streak=_range_if_any(r.draws.streak for r in records if not r.source.holds_light),
        holding_light=sum(record.source.holds_light for record in records),
        shot=_range(d.shot for d in draws),
        read=_range(d.read for d in draws),
        noise=_names(f"{d.noise} {d.sensor.camera}" if d.sensor else d.noise for d in draws),
        defocused=len(blurs),
        defocus_sigma=_range_if_any(sigma for blur in blurs for sigma in (blur.sigma_along, blur.sigma_across)),
        rolling_ms=_range_if_on(d.rolling_ms for d in draws),
        sharpening=_range_if_on(d.sharpening for d in draws),
        jpeg_quality=_range_if_any(jpeg.quality for jpeg in jpegs),
        subsampling=_names(jpeg.subsampling for jpeg in jpegs),
        compressed=len(jpegs),
    )


def _denoise(records: Iterable[SequenceRecord]) -> DenoiseSummary:
    noises = [record.noise for record in records]
    done = [noise for noise in noises if noise.backend != "none"]
    return DenoiseSummary(
        denoised=len(done),
        ways=_names(f"{n.backend} {n.preset}" if n.backend == "vbm4d" else n.backend for n in done),
        sigma=_range_if_any(noise.level.sigma for noise in noises if noise.level),
    )


def _motion(records: Sequence[SequenceRecord], sequences: Iterable[SequenceSummary]) -> MotionSummary | None:
    shares = [pair.untrusted for record in records for pair in record.pairs if pair.untrusted is not None]
    above = sum(len(sequence.untrusted) for sequence in sequences)
    return MotionSummary(max(shares), above, len(shares)) if shares else None


def _range(values: Iterable[float]) -> Range:
    numbers = list(values)
    return Range(min(numbers), max(numbers))


def _range_if_any(values: Iterable[float]) -> Range | None:
    numbers = list(values)
    return _range(numbers) if numbers else None


def _range_if_on(values: Iterable[float]) -> Range | None:
    """None where all are 0."""
    numbers = list(values)
    return _range(numbers) if any(numbers) else None


def _names(values: Iterable[str]) -> Names:
    return tuple(sorted(set(values)))


def _values_by_name(parts: Iterable[Mapping[str, str]]) -> dict[str, Names]:
    """Every name with all that it stands for, in the order in which they come; not every record has every name."""
    values: dict[str, list[str]] = {}
    for name, value in (item for part in parts for item in part.items()):
        values.setdefault(name, []).append(value)
    return {name: _names(found) for name, found in values.items()}

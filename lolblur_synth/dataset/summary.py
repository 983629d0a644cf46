"""The summary of a dataset: counts, splits, ranges, rejects, times, as data; card, tables and reports are views of it.

It follows from the records alone, and each number is taken here and nowhere else.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from math import isnan
from statistics import fmean

import numpy as np
from numpy.typing import NDArray

from lolblur_synth.dataset.layout import SPLITS, Split
from lolblur_synth.dataset.pair_columns import PairColumns
from lolblur_synth.dataset.records import RejectRecord, SequenceRecord
from lolblur_synth.dataset.statistics import MEANINGS, Meaning, Statistic, Statistics, mean_statistics
from lolblur_synth.dataset.summary_types import (
    AimSummary,
    BlurSummary,
    DenoiseSummary,
    DifficultySummary,
    DrawSummary,
    DroppedWindow,
    MotionSummary,
    Names,
    Range,
    SequenceSummary,
    ShutterFrames,
    SplitSummary,
    Spread,
    StatisticSummary,
    Summary,
    VideoSummary,
)
from lolblur_synth.metrics.difficulty import TIERS, tier_of
from lolblur_synth.synthesis.sequences import AimLimit

Values = NDArray[np.float64]
_ALIKE = "source", "config", "versions", "weights"  # which records that follow each other often share
_AXIS = 30  # degrees
_DIRECTED = 0.5  # concentration from which on a pair counts as blurred in one direction


def summarize(records: Iterable[SequenceRecord]) -> Summary:
    """The summary of a dataset of at least one record, in the order of the records, which are gone through once."""
    tally = Tally()
    for record in records:
        tally.add(record)
    return tally.summary()


class Tally:
    """What is kept of records until all are seen: numbers of pairs as columns, and of the rest what differs."""

    def __init__(self) -> None:
        self._records: list[SequenceRecord] = []  # without pairs and rejects
        self._sequences: list[SequenceSummary] = []
        self._rejects: dict[tuple[int, int], RejectRecord] = {}  # by video and slot
        self._columns = PairColumns()
        self._latest: dict[str, object] = {}

    def add(self, record: SequenceRecord) -> None:
        """Take note of a record."""
        self._sequences.append(summarize_sequence(record))
        self._columns.add(record.pairs)
        self._rejects.update({(record.video, reject.slot): reject for reject in record.rejects})
        same = {name: self._shared(name, getattr(record, name)) for name in _ALIKE}
        self._records.append(record.model_copy(update={"pairs": [], "rejects": [], **same}))

    def _shared(self, name: str, value: object) -> object:
        """The value of the record before, where it is equal, so that many are one in memory."""
        if self._latest.get(name) != value:
            self._latest[name] = value
        return self._latest[name]

    def summary(self) -> Summary:
        """The summary of all, of which there is at least one."""
        records, sequences, columns = self._records, tuple(self._sequences), self._columns
        dropped = _dropped(self._rejects)
        videos = _videos(records, sequences, dropped)
        return Summary(
            config=records[0].config,
            made_by=records[0].versions["lolblur-synth"],
            splits={split: _split(split, sequences, videos) for split in SPLITS},
            videos=videos,
            sequences=sequences,
            dropped=dropped,
            rejects=dict(Counter(window.cause for window in dropped).most_common()),
            draws=_draws(records),
            denoise=_denoise(records),
            exposure_ratio=_range_if_any(_ratios(videos)),
            unknown_shutters=len(videos) - len(_ratios(videos)),
            motion=_motion(columns, sequences),
            blur=_blur(columns),
            aim=_aim(records),
            difficulty=_difficulty(columns),
            statistics=_statistics(columns.statistics),
            exposures=tuple(sorted({ShutterFrames(r.shutter.frames, r.shutter.sub_frames) for r in records})),
            milliseconds=_range(r.shutter.milliseconds for r in records),
            sub_frame_fps=_range(r.shutter.sub_frame_fps for r in records),
            operators=_operators(sequences),
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


def _split(split: Split, sequences: Iterable[SequenceSummary], videos: Iterable[VideoSummary]) -> SplitSummary:
    inside = [sequence for sequence in sequences if sequence.split == split]
    return SplitSummary(
        videos=sum(video.split == split for video in videos),
        sequences=len(inside),
        pairs=sum(sequence.pairs for sequence in inside),
    )


def summarize_statistics(pictures: Sequence[Statistics]) -> dict[Statistic, StatisticSummary]:
    """The summary of each image statistic over one picture or more."""
    return _statistics({name: np.array([picture[name] for picture in pictures]) for name in MEANINGS})


def _statistics(columns: Mapping[Statistic, Values]) -> dict[Statistic, StatisticSummary]:
    return {name: _statistic(meaning, columns[name]) for name, meaning in MEANINGS.items()}


def _statistic(meaning: Meaning, column: Values) -> StatisticSummary:
    values = column.tolist()
    outside = sum(meaning.side(value) is not None for value in values) / len(values)
    return StatisticSummary(mean=fmean(values), spread=spread(column), outside=outside)


def _videos(
    records: Iterable[SequenceRecord], sequences: Iterable[SequenceSummary], dropped: Iterable[DroppedWindow]
) -> tuple[VideoSummary, ...]:
    latest, pairs = dict[int, SequenceRecord](), Counter[int]()
    rejects = Counter(window.video for window in dropped)
    for record, sequence in zip(records, sequences, strict=True):
        latest[record.video] = record
        pairs[record.video] += sequence.pairs
    return tuple(
        VideoSummary(video, record.split, record.source, pairs[video], rejects[video])
        for video, record in sorted(latest.items())
    )


def _dropped(found: Mapping[tuple[int, int], RejectRecord]) -> tuple[DroppedWindow, ...]:
    """By video and slot, why a window gave no pair: known of the video, or found when one of its sequences was made."""
    return tuple(
        DroppedWindow(video, reject.center, reject.cause, reject.reason)
        for (video, _), reject in sorted(found.items(), key=lambda entry: entry[0])
    )


def _operators(sequences: Iterable[SequenceSummary]) -> dict[str, float]:
    seconds = Counter[str]()
    for sequence in sequences:
        seconds.update(sequence.operators)
    return dict(seconds.most_common())


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


def _motion(columns: PairColumns, sequences: Iterable[SequenceSummary]) -> MotionSummary | None:
    above = sum(len(sequence.untrusted) for sequence in sequences)
    return MotionSummary(max(columns.untrusted), above, len(columns.untrusted)) if columns.untrusted else None


def _blur(columns: PairColumns) -> BlurSummary | None:
    blur, directions = columns.blur, columns.directions
    if not directions:
        return None
    directed = [
        direction
        for direction, concentration in zip(directions, blur["concentration"].tolist(), strict=True)
        if not isnan(direction) and concentration >= _DIRECTED
    ]
    axes = Counter(round(direction / _AXIS) * _AXIS % 180 for direction in directed)
    return BlurSummary(
        pairs=len(directions),
        mean=spread(blur["mean"]),
        p95=spread(blur["p95"]),
        straightness=spread(blur["straightness"]),
        concentration=spread(blur["concentration"]),
        directions={axis: axes[axis] for axis in range(0, 180, _AXIS)},
        undirected=len(directions) - len(directed),
    )


def _aim(records: Iterable[SequenceRecord]) -> AimSummary | None:
    aims = [record.aim for record in records if record.aim]
    if not aims:
        return None
    limits = Counter(aim.limit for aim in aims)
    return AimSummary(
        sequences=len(aims),
        wanted=_range(aim.wanted for aim in aims),
        reached=_range_if_any(aim.reached for aim in aims if aim.reached is not None),
        too_slow=limits[AimLimit.TOO_SLOW],
        too_fast=limits[AimLimit.TOO_FAST],
    )


def _difficulty(columns: PairColumns) -> DifficultySummary | None:
    in_light = columns.psnr_in_light
    if not in_light:
        return None
    tiers = Counter(map(tier_of, in_light))
    low, high = np.quantile(in_light, (1 / 3, 2 / 3)).tolist()
    return DifficultySummary(
        pairs=len(in_light),
        psnr=spread(columns.psnr),
        in_light=spread(in_light),
        tiers={tier: tiers[tier] for tier in TIERS},
        thirds=(low, high),
    )


def spread(values: Sequence[float] | Values) -> Spread:
    """The spread of at least one value.

    >>> spread(range(101))
    Spread(least=0.0, p5=5.0, median=50.0, p95=95.0, most=100.0)
    """
    return Spread(*np.quantile(values, (0, 0.05, 0.5, 0.95, 1)).tolist())


def _ratios(videos: Iterable[VideoSummary]) -> list[float]:
    ratios = (video.source.shutter.exposure_ratio for video in videos)
    return [ratio for ratio in ratios if ratio is not None]


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

"""Scan of stored frames, each once and at its own time (variable frame rate): what is converted keeps both."""

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from fractions import Fraction
from itertools import pairwise

from lolblur_synth.video.content import checksum
from lolblur_synth.video.flaws import DecodeStats, find_flaws
from lolblur_synth.video.metadata import Flaw, FlawKind, StoredScan, VideoInfo
from lolblur_synth.video.pyav import exact
from lolblur_synth.video.scan import Survey, survey
from lolblur_synth.video.stream import open_stream
from lolblur_synth.video.timeline import Timeline, lay_out

_LEAST = Fraction(1, 10**6)  # seconds between two frames: what a Matroska file of ours can tell apart
_OFF_SLOT = 0.25  # of a step, by which the time between frames of a steady video may differ from that of their slots
_ROOM = 1.5  # times as far apart as others are two frames between which one is lost; not every packet shows a frame
_DISCONTINUOUS = 0x0200  # AVFMT_TS_DISCONT: transport streams and their like count time from anywhere


def scan_stored(info: VideoInfo) -> StoredScan:
    """Decode all frames once, at whatever rate; raises `SequenceError` for a file that is cut off or interlaced."""
    whole = survey(info)
    stats = whole.stats
    info, timeline = lay_out(info, stats.pts, whole.time_base, timed=stats.timed)
    time_base = whole.time_base if stats.timed else 1 / info.stored_fps
    times = [value * time_base for value in _numbered(stats)]
    shown = _ascending(times, max(time_base, _LEAST))
    step = 1 / info.stored_fps
    steady = _is_steady(shown, timeline.slots, step, time_base)
    if steady:
        shown = _on_grid(shown, timeline.slots, step, time_base)
    shown.append(shown[-1] + (step if steady else shown[-1] - shown[-2]))
    origin, begins, sound = _beginning(info, shown[0])
    losses = _losses(stats, timeline.pts, step / time_base)
    return StoredScan(
        info=info,
        shown=tuple(time - origin for time in shown),
        slots=tuple(timeline.slots),
        steady=steady,
        flaws=tuple(_flaws(whole, losses)),
        lost=len(losses),
        moved=sum(after <= before for before, after in pairwise(times)),
        checksums=tuple(map(checksum, stats.digests)),
        lightness=tuple(stats.lightness),
        sound=sound,
        lead=shown[0] - begins,
    )


def _numbered(stats: DecodeStats) -> Sequence[int]:
    """The pts of each frame, or its number where they do not tell."""
    pts = [value for value in stats.pts if value is not None]
    return pts if stats.timed else range(len(stats.pts))


def _ascending(times: Sequence[Fraction], least: Fraction) -> list[Fraction]:
    """The same times, each at `least` so much later than the one before."""
    shown = list(times[:1])
    for time in times[1:]:
        shown.append(max(time, shown[-1] + least))
    return shown


def _is_steady(shown: Sequence[Fraction], slots: Sequence[int], step: Fraction, time_base: Fraction) -> bool:
    between = zip(pairwise(shown), pairwise(slots), strict=True)
    off = (abs(after - before - (next_ - slot) * step) for (before, after), (slot, next_) in between)
    return all(slot < next_ for slot, next_ in pairwise(slots)) and max(off) <= _OFF_SLOT * step + time_base


def _on_grid(shown: list[Fraction], slots: Sequence[int], step: Fraction, time_base: Fraction) -> list[Fraction]:
    """Exact multiples of `step`, where all times differ from those by no more than what time bases round."""
    exact = [shown[0] + slot * step for slot in slots]
    return exact if all(abs(one - other) <= time_base for one, other in zip(exact, shown, strict=True)) else shown


def _beginning(info: VideoInfo, first: Fraction) -> tuple[Fraction, Fraction, bool]:
    """What is to be time 0, when the file begins, both in its own time, and whether it has sound.

    Most containers count from 0, where the first frame may come later than the sound; that stays.
    """
    if info.path.is_dir():
        return first, first, False
    with open_stream(info.path) as (container, _):
        sounds = container.streams.audio
        starts = [s.start_time * base for s in sounds if s.start_time is not None and (base := exact(s.time_base))]
        begins = min([first, *starts])
        return begins if container.format.flags & _DISCONTINUOUS else min(first, Fraction(0)), begins, bool(sounds)


def _losses(stats: DecodeStats, pts: Sequence[int], step: Fraction) -> list[int]:
    """For each frame that could not be decoded the number of the one that came next; `step` is the usual, in pts."""
    if not stats.timed:
        return stats.failures
    between = (Fraction(after - before) for before, after in pairwise(pts))
    gaps = [2 * step, *between, 2 * step]  # before each frame, and the end
    places = (bisect_right(pts, lost) for lost in sorted(stats.pending))
    return [at for at in places if gaps[at] > _ROOM * min(step, *gaps[max(0, at - 1) : at], *gaps[at + 1 : at + 2])]


def _flaws(survey: Survey, losses: Sequence[int]) -> Iterator[Flaw]:
    """Cuts, repetitions, damage, and between which frames others are lost."""
    stats, reorder, count = survey.stats, survey.reorder, len(survey.stats.pts)
    numbers = list(range(count))
    kinds = {
        FlawKind.UNSTABLE_DECODE: stats.unstable,
        FlawKind.CONCEALED_DAMAGE: stats.concealed,
        FlawKind.DECODE_ERROR: stats.damaged,
    }
    damaged = {at: kind for kind, hit in kinds.items() for n in hit for at in _unsure(stats, n, n + 1, reorder)}
    damaged |= {at: FlawKind.DECODE_ERROR for number in losses for at in _unsure(stats, number, number, reorder)}
    flaws = find_flaws(stats, Timeline(numbers, numbers, [1.0] * count), numbers, survey.cuts, damaged)
    gaps = [Flaw(at - 1, at, FlawKind.MISSING_FRAME) for at in sorted({*losses}) if 0 < at < count]
    yield from sorted([*flaws, *gaps], key=lambda flaw: (flaw.first, flaw.last, flaw.kind))


def _unsure(stats: DecodeStats, start: int, stop: int, reorder: int) -> range:
    """Frames that may refer to one of `start` to before `stop`: up to a key frame, and `reorder` before."""
    keys, count = stats.keys, len(stats.pts)
    before, after = bisect_left(keys, start), bisect_left(keys, stop)
    return range(max(start - reorder, keys[before - 1] if before else 0), keys[after] if after < len(keys) else count)

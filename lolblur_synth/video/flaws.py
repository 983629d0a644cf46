"""Flaws of a video: what no window of frames may cross, from what one decode adds up."""

from bisect import bisect_left, bisect_right
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from lolblur_synth.video.metadata import Flaw, FlawKind
from lolblur_synth.video.timeline import Timeline

_DUPLICATE = 0.05  # of the change that is usual around it: what is left where the repetition was encoded anew
_STILL = 0.5 / 255  # less is usual in a scene that stands still, whose frames may well be equal
_AROUND = 8  # frames on each side


@dataclass
class DecodeStats:
    """Statistics that one decode adds up, frame by frame; frames are numbered in order of display."""

    pts: list[int | None] = field(default_factory=list)
    change: list[float] = field(default_factory=list)  # mean |difference| of luma from the frame before, in [0, 1]
    span: list[float] = field(default_factory=list)  # the same from three frames before
    keys: list[int] = field(default_factory=list)
    damaged: list[int] = field(default_factory=list)
    failures: list[int] = field(default_factory=list)  # the number of the frame that came next
    pending: set[int] = field(default_factory=set)  # pts of packets that no frame came from
    concealed: list[int] = field(default_factory=list)
    unstable: list[int] = field(default_factory=list)
    digests: list[bytes] = field(default_factory=list)  # of all samples
    latest: deque[NDArray[Any]] = field(default_factory=lambda: deque(maxlen=4))  # lumas
    light: list[NDArray[np.float64]] = field(default_factory=list)  # linear, in bands
    lightness: list[float] = field(default_factory=list)
    packets: int = 0
    corrupt_packets: int = 0  # as the container says
    timed: bool = True  # every packet and frame has a pts

    def add(self, pts: int | None, samples: NDArray[Any], depth: int, *, key: bool, damaged: bool) -> None:
        """Note one more frame; `samples` are of luma, or green."""
        number = len(self.pts)
        self.pts.append(pts)
        self.latest.append(samples)
        for lag, distances in ((1, self.change), (3, self.span)):
            distance = cv2.norm(samples, self.latest[-1 - lag], cv2.NORM_L1) if lag < len(self.latest) else 0.0
            distances.append(distance / samples.size / (2**depth - 1))
        self.keys += [number] * key
        self.damaged += [number] * damaged
        self.timed = self.timed and pts is not None
        if pts is not None:
            self.pending.discard(pts)


def find_flaws(
    stats: DecodeStats,
    timeline: Timeline,
    pts: Sequence[int | None],
    cuts: Iterable[int],
    damaged: Mapping[int, FlawKind],
) -> list[Flaw]:
    """All flaws in order: cuts, repeated frames, slots without a frame, and `damaged` ones."""
    missing = {slot for slot, value in enumerate(pts) if value is None} - damaged.keys()

    def between(numbers: Iterable[int], kind: FlawKind) -> Iterator[Flaw]:
        for number in numbers:
            first, second = timeline.slots[number - 1], timeline.slots[number]
            if second - first < 2:  # else the missing frames between tell, over which any motion is a great change
                yield Flaw(first, first + 1, kind)

    flaws = [
        *between((number for number in cuts if 0 < number < len(timeline.slots)), FlawKind.SCENE_CUT),
        *between(_repeated(stats), FlawKind.DUPLICATED_FRAME),
        *between(timeline.unclear, FlawKind.ANOTHER_SPEED),
        *(Flaw(slot, slot, FlawKind.MISSING_FRAME) for slot in missing),
        *(Flaw(slot, slot, kind) for slot, kind in damaged.items()),
    ]
    return sorted(flaws, key=lambda flaw: (flaw.first, flaw.last, flaw.kind))


def damaged_slots(
    stats: DecodeStats, timeline: Timeline, pts: Sequence[int | None], reorder: int
) -> dict[int, FlawKind]:
    """Slots that are damaged or may refer to such a one: up to the next key frame, and `reorder` slots before."""
    slots, keys, damaged = timeline.slots, [timeline.slots[number] for number in stats.keys], dict[int, FlawKind]()
    if stats.timed:
        filled = {slot for slot, value in enumerate(pts) if value is not None}
        broken = {timeline.slot_at(lost) for lost in stats.pending} - filled
    else:
        broken = {slots[min(number, len(slots) - 1)] for number in stats.failures}
    kinds = {
        FlawKind.DECODE_ERROR: broken | {slots[number] for number in stats.damaged},
        FlawKind.CONCEALED_DAMAGE: {slots[number] for number in stats.concealed},
        FlawKind.UNSTABLE_DECODE: {slots[number] for number in stats.unstable},
    }
    for kind, hit in kinds.items():
        reached = dict[int, int]()  # from where, by the key frame that ends it
        for slot in hit:
            before, after = bisect_left(keys, slot), bisect_right(keys, slot)
            start, stop = max(slot - reorder, keys[before - 1] if before else 0), [*keys, len(pts)][after]
            reached[stop] = min(start, reached.get(stop, start))
        for stop, start in reached.items():
            damaged = dict.fromkeys(range(start, stop), kind) | damaged
    return damaged


def _repeated(stats: DecodeStats) -> Iterator[int]:
    """Numbers of frames that equal the one before while the scene moves on.

    A hand that shakes stands still at its turning points too; but there either the motion is slow for a while, or the
    frames on both sides are alike. Encoders like to repeat a key frame and to save on the frames before: none counts.
    """
    change, count = _without_key_frames(stats), len(stats.change)
    keys = set[int]() if len(stats.keys) == count else set(stats.keys)
    for number in range(1, count):
        near = [n for n in range(number - _AROUND, number + _AROUND + 1) if 0 < n < count and n != number]
        beside = sorted([change[n] for n in near if abs(n - number) <= 3] + [0, 0])[-2]
        if beside < _STILL / 2 or change[number] > 2 * _DUPLICATE * beside or keys & set(range(number - 1, number + 3)):
            continue
        usual = float(np.quantile([change[n] for n in near], 0.8))  # holds where all frames come four times, too
        inside = 1 < number < count - 1
        moved = stats.span[number + 1] if inside else change[2 if number == 1 else number - 1]
        if max(_STILL, change[number] / _DUPLICATE) <= usual <= min(2 * beside, moved / 0.75):
            yield number


def _without_key_frames(stats: DecodeStats) -> list[float]:
    """The change from frame to frame; a key frame, encoded afresh, counts no more than the others around it."""
    change, keys = list(stats.change), set(stats.keys)
    if len(keys) < len(change):
        for key in keys:
            around = range(max(1, key - _AROUND), min(len(change), key + _AROUND + 1))
            change[key] = min(change[key], max((stats.change[n] for n in around if n not in keys), default=0))
    return change

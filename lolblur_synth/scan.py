"""One full decode of a video: its uniform timeline, and the flaws that no window of frames may cross."""

import hashlib
import re
from bisect import bisect_left, bisect_right
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from itertools import accumulate, islice, pairwise
from pathlib import Path
from statistics import median
from typing import Any

import av
import cv2
import numpy as np
from av.container import InputContainer
from av.video.stream import VideoStream
from numpy.typing import NDArray
from scenedetect import FrameTimecode
from scenedetect.detectors import AdaptiveDetector, ContentDetector

from lolblur_synth.errors import SequenceError
from lolblur_synth.files import file_hash
from lolblur_synth.footage import Flaw, VideoInfo, VideoScan
from lolblur_synth.images import Pixels, read_pixels
from lolblur_synth.planes import checksum, luma, to_rgb
from lolblur_synth.video import decode, numbered_images, open_stream

_THUMBNAIL = 64  # pixels wide: blurs noise and the motion of one frame away, but not what a cut changes
_CUT_SCORE = 25.0  # of 255: a cut exceeds it, a lamp or the sun that flares up does not
_CUT_RATIO = 2.0  # and exceeds by this factor what the frames beside it change
_BESIDE = 2  # frames on each side
_DUPLICATE = 0.05  # of the change that is usual around it: what is left where the repetition was encoded anew
_STILL = 0.5 / 255  # less is usual in a scene that stands still, whose frames may well be equal
_AROUND = 8  # frames on each side
_REORDER = 16  # frames by which H.264 and HEVC may show a frame ahead of one that it refers to


@dataclass
class _Findings:
    """What the decode adds up; frames are numbered in order of display."""

    pts: list[int | None] = field(default_factory=list)
    change: list[float] = field(default_factory=list)  # mean |difference| of luma from the frame before, in [0, 1]
    span: list[float] = field(default_factory=list)  # the same from three frames before
    keys: list[int] = field(default_factory=list)
    damaged: list[int] = field(default_factory=list)
    failures: list[int] = field(default_factory=list)  # the number of the frame that came next
    pending: set[int] = field(default_factory=set)  # pts of packets that no frame came from
    checksums: list[int] = field(default_factory=list)
    latest: deque[NDArray[Any]] = field(default_factory=lambda: deque(maxlen=4))  # lumas
    packets: int = 0
    timed: bool = True  # every packet and frame has a pts

    def add(self, pts: int | None, key: bool, damaged: bool, samples: NDArray[Any], depth: int) -> None:
        """Note one more frame."""
        number = len(self.pts)
        self.pts.append(pts)
        self.checksums.append(checksum(samples))
        self.latest.append(samples)
        for lag, distances in ((1, self.change), (3, self.span)):
            distance = cv2.norm(samples, self.latest[-1 - lag], cv2.NORM_L1) if lag < len(self.latest) else 0.0
            distances.append(distance / samples.size / (2**depth - 1))
        self.keys += [number] * key
        self.damaged += [number] * damaged
        self.timed = self.timed and pts is not None
        if pts is not None:
            self.pending.discard(pts)


@dataclass(frozen=True)
class _Timeline:
    """Where decoded frames lie: `pts` and `slots` by frame, ascending; `step` is the pts between two slots."""

    pts: list[int]
    slots: list[int]
    step: float

    def slot_at(self, pts: int) -> int:
        """The slot nearest to a pts, counted from the last frame before it."""
        before = max(0, bisect_right(self.pts, pts) - 1)
        return self.slots[before] + round((pts - self.pts[before]) / self.step)


def scan(info: VideoInfo) -> VideoScan:
    """Decode all frames once; raises `SequenceError` for a file that is cut off, interlaced or too irregular."""
    found = _Findings()
    if info.path.is_dir():
        time_base, reorder = 1 / info.stored_fps, 0
        cuts = list(_cuts(_watch_images(info, found), info))
    else:
        with open_stream(info.path) as (container, stream):
            time_base, reorder = stream.time_base or Fraction(1), _REORDER * bool(stream.codec_context.has_b_frames)
            cuts = list(_cuts(_watch_stream(info, container, stream, found), info))
            _refuse_cut_off(info, container, stream, found)
    if len(found.pts) < 2:
        raise SequenceError(f"{info.path}: {len(found.pts)} frame can be decoded; that is a picture, not a video")
    return _conclude(info, found, cuts, time_base, reorder)


def _conclude(info: VideoInfo, found: _Findings, cuts: list[int], time_base: Fraction, reorder: int) -> VideoScan:
    info, timeline = _lay_out(info, found, time_base)
    numbers = dict(zip(reversed(timeline.slots), reversed(range(len(timeline.slots))), strict=True))
    taken = [numbers.get(slot) for slot in range(timeline.slots[-1] + 1)]  # of two frames for a slot the earlier
    pts = [None if number is None else timeline.pts[number] for number in taken]
    damaged = _damaged_slots(found, timeline, pts, reorder)
    sound = (None if slot in damaged else number for slot, number in enumerate(taken))
    return VideoScan(
        info=info,
        frames=len(pts),
        pts=tuple(pts),
        flaws=tuple(_flaws(found, timeline, pts, cuts, damaged)),
        sha256=_sha256(info.path),
        time_base=time_base if found.timed else None,
        checksums=tuple(None if number is None else found.checksums[number] for number in sound),
    )


def _watch_stream(
    info: VideoInfo, container: InputContainer, stream: VideoStream, found: _Findings
) -> Iterator[Pixels]:
    """Decode, add to the findings, and pass on small pictures."""
    found.timed = _tells_times(info, container, stream)
    for packet, frames in decode(container, stream):
        if packet.size and not packet.is_discard:  # an edit list discards
            found.packets += 1
            found.timed = found.timed and packet.pts is not None
            found.pending |= set() if packet.pts is None else {packet.pts}
        if frames is None:
            found.failures.append(len(found.pts))
        for frame in frames or ():
            samples = luma(frame)
            _refuse_frame(info, frame, len(found.pts), not found.latest or found.latest[-1].shape == samples.shape)
            found.add(frame.pts, frame.key_frame, frame.is_corrupt, samples, info.bit_depth)
            yield (to_rgb(frame, info, _thumbnail_size(samples)) * 255).astype(np.uint8)


def _tells_times(info: VideoInfo, container: InputContainer, stream: VideoStream) -> bool:
    """AVI has no pts to set B-frames right; the milliseconds of Matroska cannot tell frames apart at 960 fps."""
    if container.format.name == "avi":
        return not stream.codec_context.has_b_frames
    step = 1 / (info.stored_fps * (stream.time_base or 1))
    return container.format.name != "matroska,webm" or step >= 2 or step.denominator == 1


def _refuse_frame(info: VideoInfo, frame: av.VideoFrame, number: int, same_size: bool) -> None:
    if frame.interlaced_frame:
        raise SequenceError(
            f"{info.path}: it is interlaced; deinterlace it first: ffmpeg -i IN -vf bwdif -crf 8 OUT.mp4"
        )
    if not same_size:
        raise SequenceError(f"{info.path}: frame {number} has another size than those before; split the file there")


def _watch_images(info: VideoInfo, found: _Findings) -> Iterator[Pixels]:
    first: Pixels | None = None
    for number, path in numbered_images(info.path).items():
        picture = read_pixels(path)
        first = picture if first is None else first
        if (picture.shape, picture.dtype) != (first.shape, first.dtype):
            raise SequenceError(f"{path}: it has another size or depth than the images before; make them all alike")
        samples = np.ascontiguousarray(picture[..., 1])
        found.add(number, True, False, samples, info.bit_depth)
        small = cv2.resize(picture, _thumbnail_size(samples), interpolation=cv2.INTER_AREA)
        yield (small // 2 ** (info.bit_depth - 8)).astype(np.uint8)


def _thumbnail_size(samples: NDArray[Any]) -> tuple[int, int]:
    return _THUMBNAIL, max(1, round(_THUMBNAIL * samples.shape[0] / samples.shape[1]))


def _cuts(pictures: Iterable[Pixels], info: VideoInfo) -> Iterator[int]:
    """Numbers of the frames that begin a scene; hue and saturation count most, as they hardly heed a lamp."""
    grey = info.pixel_format.startswith(("gray", "mono", "ya"))
    weights = ContentDetector.Components(0, 0, 1, 0) if grey else ContentDetector.Components(1, 1, 0.5, 0)
    detector = AdaptiveDetector(
        adaptive_threshold=_CUT_RATIO,
        min_content_val=_CUT_SCORE,
        window_width=_BESIDE,
        min_scene_len=1,
        weights=weights,
    )
    for number, picture in enumerate(_mirrored(pictures)):
        for cut in detector.process_frame(FrameTimecode(number, info.stored_fps), picture):
            yield cut.frame_num - _BESIDE


def _mirrored(pictures: Iterable[Pixels]) -> Iterator[Pixels]:
    """With as many more at both ends as the detector looks at beside one, so that it sees the first and the last."""
    stream = iter(pictures)
    latest = deque(islice(stream, _BESIDE + 1), maxlen=_BESIDE + 1)
    yield from reversed([*latest][1:])
    yield from latest
    for picture in stream:
        latest.append(picture)
        yield picture
    yield from reversed([*latest][:-1])


def _refuse_cut_off(info: VideoInfo, container: InputContainer, stream: VideoStream, found: _Findings) -> None:
    """A header that promises more than there is; how long the last frame stays varies, so counts overrule times."""
    promised = _promised_seconds(container, stream)
    pts = [value for value in found.pts if value is not None]
    seconds = len(found.pts) / info.stored_fps
    if found.timed and pts and stream.time_base:
        seconds = (max(pts) - min(pts)) * stream.time_base + 1 / info.stored_fps
    if 0 < stream.frames <= found.packets or seconds >= promised * 0.99 - 3 / info.stored_fps:
        return
    frames = stream.frames or round(promised * info.stored_fps)
    raise SequenceError(
        f"{info.path}: cut off: of {frames} frames that its header promises {len(found.pts)} are there; copy it again, "
        "or keep what there is: ffmpeg -i IN -c copy OUT.mp4"
    )


def _promised_seconds(container: InputContainer, stream: VideoStream) -> float:
    tag = re.fullmatch(r"(\d+):(\d+):([\d.]+)", stream.metadata.get("DURATION", ""))  # Matroska
    if stream.duration and stream.time_base:
        return float(stream.duration * stream.time_base)
    if tag:
        return int(tag[1]) * 3600 + int(tag[2]) * 60 + float(tag[3])
    alone = len(container.streams) == 1  # else the file may last as long as its sound
    return container.duration / av.time_base if container.duration and alone else 0.0


def _lay_out(info: VideoInfo, found: _Findings, time_base: Fraction) -> tuple[VideoInfo, _Timeline]:
    """Place the frames on a timeline of equal steps; corrects the rate of `info` where the headers tell an average."""
    pts = [value for value in found.pts if value is not None]
    if not found.timed:
        numbers = list(range(len(found.pts)))
        return info, _Timeline(numbers, numbers, 1)
    step, headers_step = _usual_step(info, pts), 1 / (info.stored_fps * time_base)
    if abs(step - headers_step) <= headers_step / 1000 + Fraction(1, len(pts)):  # time bases round
        step = headers_step
    else:
        measured = (1 / (step * time_base)).limit_denominator(1001)
        info = replace(info, stored_fps=measured)
        if info.capture_source == "stream rate":
            info = replace(info, capture_fps=measured, capture_source="timestamps")
    timeline = _Timeline(list(accumulate(pts, max)), _place(info, pts, step), float(step))
    if timeline.slots[-1] + 1 > 2 * len(pts):
        raise SequenceError(
            f"{info.path}: at its usual {float(info.stored_fps):g} fps more than half of the frames are missing; "
            "a steady frame rate is needed"
        )
    return info, timeline


def _usual_step(info: VideoInfo, pts: Sequence[int]) -> Fraction:
    """Mean of the gaps near the median one: exact where a time base rounds them (240 fps in ms: 4, 4, 4, 4, 4, 5)."""
    gaps = [after - before for before, after in pairwise(pts) if after > before]
    if not gaps:
        raise SequenceError(f"{info.path}: its timestamps stand still; remux it: ffmpeg -i IN -c copy OUT.mkv")
    middle = median(gaps)
    near = [gap for gap in gaps if abs(gap - middle) <= middle / 2]
    return Fraction(sum(near), len(near))


def _place(info: VideoInfo, pts: Sequence[int], step: Fraction) -> list[int]:
    """The slot nearest to each pts. The grid follows the camera's clock: it moves by a tenth of each deviation."""
    gap, expected, slots = float(step), float(pts[0]), [0]
    for number, value in enumerate(pts[1:], 1):
        ahead = round((value - expected) / gap)
        if ahead < -_REORDER:  # by less where frames are damaged
            raise SequenceError(f"{info.path}: timestamps run backwards at frame {number}; split the file there")
        slots.append(slots[-1] + max(0, ahead))
        if ahead > 0:
            expected += ahead * gap
            expected += 0.1 * (value - expected)
    return slots


def _flaws(
    found: _Findings, timeline: _Timeline, pts: Sequence[int | None], cuts: Iterable[int], damaged: set[int]
) -> list[Flaw]:
    missing = {slot for slot, value in enumerate(pts) if value is None} - damaged

    def between(numbers: Iterable[int], reason: str) -> Iterator[Flaw]:
        for number in numbers:
            first, second = timeline.slots[number - 1], timeline.slots[number]
            if second - first < 2:  # else the missing frames between tell, over which any motion is a great change
                yield Flaw(first, first + 1, reason)

    flaws = [
        *between((number for number in cuts if 0 < number < len(timeline.slots)), "scene cut"),
        *between(_repeated(found), "duplicated frame"),
        *(Flaw(slot, slot, "missing frame") for slot in missing),
        *(Flaw(slot, slot, "decode error") for slot in damaged),
    ]
    return sorted(flaws, key=lambda flaw: (flaw.first, flaw.last, flaw.reason))


def _damaged_slots(found: _Findings, timeline: _Timeline, pts: Sequence[int | None], reorder: int) -> set[int]:
    """Slots that are damaged or may refer to such a one: up to the next key frame, and `reorder` slots before."""
    slots, keys, damaged = timeline.slots, [timeline.slots[number] for number in found.keys], set[int]()
    if found.timed:
        filled = {slot for slot, value in enumerate(pts) if value is not None}
        broken = {timeline.slot_at(lost) for lost in found.pending} - filled
    else:
        broken = {slots[min(number, len(slots) - 1)] for number in found.failures}
    for slot in broken | {slots[number] for number in found.damaged}:
        before, after = bisect_left(keys, slot), bisect_right(keys, slot)
        start = max(slot - reorder, keys[before - 1] if before else 0)
        damaged.update(range(start, keys[after] if after < len(keys) else len(pts)))
    return damaged


def _repeated(found: _Findings) -> Iterator[int]:
    """Numbers of frames that equal the one before while the scene moves on.

    A hand that shakes stands still at its turning points too; but there either the motion is slow for a while, or the
    frames on both sides are alike. Encoders like to repeat a key frame and to save on the frames before: none counts.
    """
    change, count = _without_key_frames(found), len(found.change)
    keys = set[int]() if len(found.keys) == count else set(found.keys)
    for number in range(1, count):
        near = [n for n in range(number - _AROUND, number + _AROUND + 1) if 0 < n < count and n != number]
        beside = sorted([change[n] for n in near if abs(n - number) <= 3] + [0, 0])[-2]
        if beside < _STILL / 2 or change[number] > 2 * _DUPLICATE * beside or keys & set(range(number - 1, number + 3)):
            continue
        usual = float(np.quantile([change[n] for n in near], 0.8))  # holds where all frames come four times, too
        inside = 1 < number < count - 1
        moved = found.span[number + 1] if inside else change[2 if number == 1 else number - 1]
        if max(_STILL, change[number] / _DUPLICATE) <= usual <= min(2 * beside, moved / 0.75):
            yield number


def _without_key_frames(found: _Findings) -> list[float]:
    """The change from frame to frame; a key frame, encoded afresh, counts no more than the others around it."""
    change, keys = list(found.change), set(found.keys)
    if len(keys) < len(change):
        for key in keys:
            around = range(max(1, key - _AROUND), min(len(change), key + _AROUND + 1))
            change[key] = min(change[key], max((found.change[n] for n in around if n not in keys), default=0))
    return change


def _sha256(path: Path) -> str:
    """Of what is in a video; or in its frames, and how far apart their numbers are: nothing else of a name counts."""
    if path.is_file():
        return file_hash(path)
    digest = hashlib.sha256()
    images = numbered_images(path)
    first = min(images)
    for number, image in images.items():
        digest.update(f"{number - first} {file_hash(image)}\n".encode())
    return digest.hexdigest()

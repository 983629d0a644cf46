"""One full decode of a video: its uniform timeline, and the flaws that no window of frames may cross."""

import re
from bisect import bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise

import av
import numpy as np
from av.container import InputContainer
from av.video.stream import VideoStream
from numpy.typing import NDArray

from lolblur_synth.core.errors import SequenceError
from lolblur_synth.video.advice import convert
from lolblur_synth.video.color import samples_of
from lolblur_synth.video.content import checksum, content_of, digest, picture_samples
from lolblur_synth.video.cuts import find_cuts
from lolblur_synth.video.damage import locate_damage
from lolblur_synth.video.decoder_log import listening
from lolblur_synth.video.find import file_stamp, numbered_images
from lolblur_synth.video.flaws import DecodeStats, damaged_slots, find_flaws
from lolblur_synth.video.flicker import BANDS, find_flicker, light_of
from lolblur_synth.video.light import Samples as LightOrPixels
from lolblur_synth.video.light import as_displayed, read_samples
from lolblur_synth.video.metadata import VideoInfo, VideoScan
from lolblur_synth.video.pyav import exact, readable
from lolblur_synth.video.small_pictures import small_frame, small_picture
from lolblur_synth.video.stream import decode, open_stream
from lolblur_synth.video.timeline import REORDER, lay_out, refuse_sparse

_Small = NDArray[np.uint8]
_HEADERS = {  # containers that tell how long they last in a header, and whether that is, or may be, the time of the end
    "asf": True,
    "avi": False,
    "flv": True,
    "matroska,webm": True,
    "mov,mp4,m4a,3gp,3g2,mj2": False,
    "mxf": False,
}


def scan(info: VideoInfo) -> VideoScan:
    """Decode all frames once; raises `SequenceError` for a file that is cut off, interlaced or too irregular."""
    return _conclude(info, survey(info))


@dataclass(frozen=True)
class Survey:
    """What one full decode tells; frames are numbered as they are stored, in order of display."""

    stats: DecodeStats
    cuts: list[int]  # frames that begin a scene
    time_base: Fraction  # seconds per pts
    reorder: int  # frames by which the decoder may reorder


def survey(info: VideoInfo) -> Survey:
    """Decode all frames once and add up what they tell; raises `SequenceError`."""
    stats = DecodeStats()
    if info.path.is_dir():
        time_base, reorder = 1 / info.stored_fps, 0
        cuts = list(_cuts(_lit(_watch_images(info, stats), stats), info))
    else:
        with open_stream(info.path) as (container, stream), listening(stream) as ear:
            time_base = exact(stream.time_base) or Fraction(1)
            reorder = REORDER * bool(stream.codec_context.has_b_frames)
            cuts = list(_cuts(_lit(_watch_stream(info, container, stream, stats), stats), info))
            _refuse_cut_off(info, container, stream, stats)
            if ear.has_heard() or stats.failures or stats.damaged or stats.pending or stats.corrupt_packets:
                locate_damage(info.path, stats)
    if len(stats.pts) < 2:
        raise SequenceError(
            f"{len(stats.pts)} frame can be decoded", where=info.path, advice="that is a picture, not a video"
        )
    return Survey(stats, cuts, time_base, reorder)


def _conclude(info: VideoInfo, survey: Survey) -> VideoScan:
    stats, cuts, time_base = survey.stats, survey.cuts, survey.time_base
    info, timeline = lay_out(info, stats.pts, time_base, timed=stats.timed)
    refuse_sparse(info, timeline)
    numbers = dict(zip(reversed(timeline.slots), reversed(range(len(timeline.slots))), strict=True))
    taken = [numbers.get(slot) for slot in range(timeline.slots[-1] + 1)]  # of two frames for a slot the earlier
    pts = [None if number is None else timeline.pts[number] for number in taken]
    damaged = damaged_slots(stats, timeline, pts, survey.reorder)
    light = np.array([[np.nan] * BANDS if number is None else stats.light[number] for number in taken])
    sound = [None if slot in damaged else number for slot, number in enumerate(taken)]
    return VideoScan(
        info=info,
        frames=len(pts),
        pts=tuple(pts),
        flaws=tuple(find_flaws(stats, timeline, pts, cuts, damaged)),
        content=content_of((slot, stats.digests[number]) for slot, number in enumerate(sound) if number is not None),
        time_base=time_base if stats.timed else None,
        checksums=tuple(None if number is None else checksum(stats.digests[number]) for number in sound),
        lightness=tuple(stats.lightness[bisect_right(timeline.slots, slot) - 1] for slot in range(len(pts))),
        flicker=find_flicker(
            light, [timeline.slots[cut] for cut in cuts if 0 < cut < len(timeline.slots)], info.capture_fps
        ),
        stamp=file_stamp(info.path),
    )


def _watch_stream(
    info: VideoInfo, container: InputContainer, stream: VideoStream, stats: DecodeStats
) -> Iterator[_Small]:
    """Decode, add to the findings, and pass on small pictures."""
    stats.timed = _tells_times(info, container, stream)
    for packet, frames in decode(container, stream):
        if packet.size and not packet.is_discard:  # an edit list discards
            stats.packets += 1
            stats.corrupt_packets += packet.is_corrupt
            stats.timed = stats.timed and packet.pts is not None
            stats.pending |= set() if packet.pts is None else {packet.pts}
        if frames is None:
            stats.failures.append(len(stats.pts))
        for frame in frames or ():
            samples = samples_of(frame)
            same_size = not stats.latest or stats.latest[-1].shape == samples.guide.shape
            _refuse_frame(info, frame, len(stats.pts), same_size=same_size)
            stats.add(frame.pts, samples.guide, samples.depth, key=frame.key_frame, damaged=frame.is_corrupt)
            stats.digests.append(digest(samples))
            yield small_frame(samples, info)


def _tells_times(info: VideoInfo, container: InputContainer, stream: VideoStream) -> bool:
    """AVI has no pts to set B-frames right; the milliseconds of Matroska cannot tell frames apart at 960 fps."""
    if container.format.name == "avi":
        return not stream.codec_context.has_b_frames
    step = 1 / (info.stored_fps * (exact(stream.time_base) or 1))
    return container.format.name != "matroska,webm" or step >= 2 or step.denominator == 1


def _refuse_frame(info: VideoInfo, frame: av.VideoFrame, number: int, *, same_size: bool) -> None:
    if frame.interlaced_frame:
        raise SequenceError(
            "it is interlaced", where=info.path, advice=f"deinterlace it first: {convert('-vf bwdif -crf 8', info)}"
        )
    if not same_size:
        raise SequenceError(
            f"frame {number} has another size than those before", where=info.path, advice="split the file there"
        )


def _watch_images(info: VideoInfo, stats: DecodeStats) -> Iterator[_Small]:
    first: LightOrPixels | None = None
    for number, path in numbered_images(info.path).items():
        frame = read_samples(path, info)
        first = frame if first is None else first
        if (frame.shape, frame.dtype) != (first.shape, first.dtype):
            raise SequenceError(
                "it has another size or depth than the images before", where=path, advice="make them all alike"
            )
        samples = picture_samples(frame, info.bit_depth)
        shown = samples if info.white is None else picture_samples(as_displayed(frame, info), 16)
        stats.add(number, shown.guide, shown.depth, key=True, damaged=False)
        stats.digests.append(digest(samples))
        yield small_picture(shown)


def _lit(pictures: Iterable[_Small], stats: DecodeStats) -> Iterator[_Small]:
    """Add to the findings how light small pictures are, and pass them on."""
    for picture in pictures:
        bands, lightness = light_of(picture)
        stats.light.append(bands)
        stats.lightness.append(lightness)
        yield picture


def _cuts(pictures: Iterable[_Small], info: VideoInfo) -> Iterator[int]:
    return find_cuts(pictures, info.stored_fps, grey=info.pixel_format.startswith(("gray", "mono", "ya")))


def _refuse_cut_off(info: VideoInfo, container: InputContainer, stream: VideoStream, stats: DecodeStats) -> None:
    """A header that promises more than there is; how long the last frame stays varies, so counts overrule times."""
    promised, is_end = _promised_seconds(container, stream)
    pts = sorted(value for value in stats.pts if value is not None)
    seconds, frame = len(stats.pts) / info.stored_fps, 1 / info.stored_fps
    time_base = exact(stream.time_base)
    if stats.timed and pts and time_base:
        longest = max((after - before for before, after in pairwise(pts)), default=0)  # the last one may stay so
        seconds = (pts[-1] - pts[0]) * time_base + max(frame, longest * time_base)
        promised -= float(pts[0] * time_base) if is_end else 0
    if 0 < stream.frames <= stats.packets or seconds >= promised * 0.99 - 3 * frame:
        return
    frames = stream.frames or round(promised * info.stored_fps)
    raise SequenceError(
        f"cut off: of {frames} frames that its header promises {len(stats.pts)} are there",
        where=info.path,
        advice=f"copy it again, or keep what there is: {convert('-c copy', info)}",
    )


def _promised_seconds(container: InputContainer, stream: VideoStream) -> tuple[float, bool]:
    """What a header promises, not what FFmpeg reckons from the end of a file; and whether it is the time of the end."""
    kind = container.format.name
    if kind not in _HEADERS:
        return 0.0, False
    tag = re.fullmatch(r"(\d+):(\d+):([\d.]+)", readable(stream.metadata).get("DURATION", ""))  # Matroska
    alone = len(container.streams) == 1  # else the file may last as long as its sound
    seconds, time_base = 0.0, exact(stream.time_base)
    if stream.duration and time_base:
        seconds = float(stream.duration * time_base)
    elif tag:
        seconds = int(tag[1]) * 3600 + int(tag[2]) * 60 + float(tag[3])
    elif container.duration and alone:
        seconds = container.duration / av.time_base
    return seconds, _HEADERS[kind]

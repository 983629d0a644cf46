"""Told slow motion that is played at several speeds: each frame is one step of the sensor, or no window crosses it."""

import math
import random
from fractions import Fraction
from itertools import accumulate, pairwise
from pathlib import Path

import pytest

from lolblur_synth.video.metadata import FlawKind, RateOrigin, VideoInfo, VideoScan
from lolblur_synth.video.probe import probe
from lolblur_synth.video.scan import scan
from lolblur_synth.video.timeline import Timeline, lay_out
from tests.support.clips import encode, scene

BASE = Fraction(1, 2400)
FAST, SLOW = 10, 80  # 1/240 and 1/30 s
CODED = ("h264", "yuv420p", 8, "bt709", "limited", 0)


def ramp(gaps: list[int], capture_fps: int = 240, base: Fraction = BASE) -> tuple[VideoInfo, Timeline]:
    """The timeline of frames with these gaps, as a header would have it that tells the mean rate."""
    mean = len(gaps) / (sum(gaps) * base)
    info = VideoInfo(Path("v"), 2, 2, mean, Fraction(capture_fps), RateOrigin.GIVEN, "", *CODED)
    return lay_out(info, list(accumulate(gaps, initial=0)), base, timed=True)


def info_of(fps: int) -> VideoInfo:
    return VideoInfo(Path("v"), 2, 2, Fraction(fps), Fraction(fps), RateOrigin.STREAM, "", *CODED)


def test_what_is_played_as_filmed_and_what_is_slowed_are_one_step_a_frame(tmp_path):
    gaps = [FAST] * 12 + [SLOW] * 30 + [FAST] * 7
    pts = list(accumulate(gaps, initial=0))
    options = {"preset": "ultrafast", "bf": "2"}
    path = encode(tmp_path / "a.mov", scene(50), fps=30, time_base=BASE, pts=pts.__getitem__, options=options)
    found: VideoScan = scan(probe(path, 240))
    assert (found.frames, found.flaws) == (50, ())
    assert (found.info.stored_fps, found.info.capture_fps) == (30, 240)


@pytest.mark.parametrize("ends", [4, 50, 200])
@pytest.mark.parametrize("milliseconds", [False, True])
def test_whichever_speed_is_the_usual_one_no_frame_vanishes(ends, milliseconds):
    gaps = [FAST] * ends + [SLOW] * 60 + [FAST] * ends
    base = BASE
    if milliseconds:
        times = [round(time * BASE * 1000) for time in accumulate(gaps, initial=0)]
        gaps, base = [b - a for a, b in pairwise(times)], Fraction(1, 1000)
    _, timeline = ramp(gaps, base=base)
    assert timeline.slots == list(range(2 * ends + 61))
    slowed = list(range(ends + 1, ends + 61))
    assert timeline.unclear == ([] if ends < 50 else slowed)  # where most is played as filmed, 1/30 s may be 1/30 s


@pytest.mark.parametrize(("speed", "step"), [(FAST, 0), (SLOW, 1)])
def test_frames_that_are_missing_at_either_speed_are_seen(speed, step):
    gaps = [FAST] * 20 + [SLOW] * 60
    at = (10, 50)[step]
    gaps[at : at + 3] = [speed * 3]
    _, timeline = ramp(gaps)
    assert timeline.slots == [*range(at + 1), *range(at + 3, 81)]
    assert timeline.unclear == []
    assert timeline.slot_at(sum(gaps[:at]) + speed) == at + 1  # where a lost packet belongs


def test_a_speed_that_is_neither_is_told_and_no_window_crosses_it():
    gaps = [SLOW] * 30 + [33] * 9 + [SLOW] * 30
    _, timeline = ramp(gaps)
    assert timeline.slots == list(range(70))
    assert timeline.unclear == list(range(31, 40))


def test_a_gradual_ramp_is_unclear_where_it_is_between_both_speeds():
    gaps = [FAST] * 20 + [14, 20, 28, 40, 56] + [SLOW] * 60
    _, timeline = ramp(gaps)
    assert set(range(22, 25)) <= set(timeline.unclear) <= set(range(21, 27))


def test_a_frame_that_is_squeezed_in_is_kept_and_unclear():
    gaps = [SLOW] * 20 + [15, 65] + [SLOW] * 20
    _, timeline = ramp(gaps)
    assert timeline.slots == list(range(43))
    assert timeline.unclear == [21]


def test_a_lost_frame_after_one_that_is_squeezed_in_is_seen():
    gaps = [SLOW] * 20 + [15, SLOW, 2 * SLOW] + [SLOW] * 20
    assert ramp(gaps)[1].slots == [*range(23), *range(24, 45)]


def test_jitter_is_no_other_speed():
    gaps = [SLOW, 60, 100, 65, 95, 104, 56] * 9
    _, timeline = ramp(gaps)
    assert timeline.slots == list(range(len(gaps) + 1))
    assert timeline.unclear == []


def test_windows_at_another_speed_are_dropped_with_the_reason(tmp_path):
    gaps = [SLOW] * 30 + [33] * 9 + [SLOW] * 20
    pts = list(accumulate(gaps, initial=0))
    path = encode(tmp_path / "a.mov", scene(60), fps=30, time_base=BASE, pts=pts.__getitem__, options={"bf": "0"})
    found = scan(probe(path, 240))
    kind = FlawKind.ANOTHER_SPEED
    assert [(flaw.first, flaw.last, flaw.kind) for flaw in found.flaws] == [(n - 1, n, kind) for n in range(31, 40)]


def test_without_a_told_rate_time_is_what_the_timestamps_say(tmp_path):
    pts = list(accumulate([FAST] * 40 + [SLOW] * 3 + [FAST] * 30, initial=0))
    path = encode(tmp_path / "a.mov", scene(74), fps=240, time_base=BASE, pts=pts.__getitem__, options={"bf": "0"})
    found = scan(probe(path))
    assert found.frames == 74 + 3 * 7
    assert {flaw.kind for flaw in found.flaws} == {FlawKind.MISSING_FRAME}


@pytest.mark.parametrize("fps", [960, Fraction(960_000, 1001), 720, 900])
def test_rates_near_the_time_base_are_told_from_missing_frames(fps):
    """In Matroska without a default duration FFmpeg takes 960 fps for 1000: 23 steps of 1 ms, then one of 2."""
    times = [math.floor(number * 1000 / fps + 0.5) for number in range(300)]
    info, line = lay_out(info_of(1000), times, Fraction(1, 1000), timed=True)
    assert info.stored_fps == fps
    assert line.slots == list(range(300))


@pytest.mark.parametrize("seed", range(20))
def test_frames_that_are_missing_here_and_there_are_missed(seed):
    rng = random.Random(seed)
    missing = set(rng.sample(range(1, 299), rng.randint(1, 60)))
    times = [number for number in range(300) if number not in missing]
    info, line = lay_out(info_of(1000), times, Fraction(1, 1000), timed=True)
    assert info.stored_fps == 1000
    assert line.slots == times

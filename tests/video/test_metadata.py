"""What follows from the metadata and from a scan of a video."""

from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import pytest

from lolblur_synth.video.metadata import Flaw, FlawKind, RateOrigin, StoredScan, VideoInfo, VideoScan, few_bits

INFO = VideoInfo(
    Path("a.mp4"), 96, 64, Fraction(30), Fraction(240), RateOrigin.TAG, "com.android.capture.fps", "h264", "yuv420p", 8,
    "bt709", "limited", 0,
)  # fmt: skip
SCAN = VideoScan(INFO, 5, (0, 512, None, 1536, 2048), (Flaw(1, 2, FlawKind.SCENE_CUT),), "", Fraction(1, 15360))


def test_where_a_rate_is_from_is_told_in_words():
    assert INFO.capture_source == "tag com.android.capture.fps"
    assert replace(INFO, capture_origin=RateOrigin.STREAM, capture_detail="").capture_source == "stream rate"


def test_a_rate_that_is_measured_is_not_told():
    told = {origin for origin in RateOrigin if origin.is_told}
    assert told == set(RateOrigin) - {RateOrigin.STREAM, RateOrigin.TIMESTAMPS}


@pytest.mark.parametrize(("change", "key"), [({"rotation": 90}, "rotation"), ({"codec": "mjpeg"}, "chroma")])
def test_how_a_video_is_rendered_depends_on_what_decides_pixels(change, key):
    before, after = INFO.rendering, replace(INFO, **change).rendering
    assert {name for name in before if before[name] != after[name]} == {key}
    assert replace(INFO, path=Path("b.mkv"), stored_fps=Fraction(25)).rendering == before


@pytest.mark.parametrize(("depth", "written"), [(8, 8), (10, 16), (16, 16)])
def test_samples_take_8_or_16_bits(depth, written):
    assert replace(INFO, bit_depth=depth).bits_to_write == written


def test_few_bits_are_told_with_the_factor_to_multiply_by():
    assert "they are 16 times too dark" in few_bits(replace(INFO, bit_depth=16, used_bits=12))


def test_breaks_are_where_frames_do_not_follow_on():
    assert SCAN.breaks == {2}
    missing = replace(SCAN, flaws=(Flaw(3, 3, FlawKind.MISSING_FRAME),))
    assert missing.breaks == {3, 4}
    assert missing.breaks_within(range(3, 5)) == [4]


def test_a_frame_has_its_own_time_and_a_missing_one_that_of_its_slot():
    assert [SCAN.time(index) for index in range(5)] == [Fraction(n, 30) for n in range(5)]
    assert replace(SCAN, pts=(0, 600, *SCAN.pts[2:])).time(1) == Fraction(600, 15360)
    assert replace(SCAN, time_base=None).time(3) == Fraction(3, 30)


def test_stored_frames_that_are_damaged_are_not_those_beside_a_cut():
    flaws = Flaw(0, 1, FlawKind.SCENE_CUT), Flaw(2, 2, FlawKind.DECODE_ERROR), Flaw(2, 3, FlawKind.MISSING_FRAME)
    times = tuple(Fraction(n, 30) for n in range(5))
    scan = StoredScan(INFO, times, (0, 1, 2, 3), True, flaws, 0, 0, (1, 2, 3, 4), (0.5,) * 4, False)
    assert (scan.frames, scan.cuts, scan.damaged) == (4, (1,), (2,))
    assert scan.breaks == {1, 2, 3}

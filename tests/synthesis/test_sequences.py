"""The arithmetic of windows: odd, centred, inside, and never across a flaw."""

from fractions import Fraction
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lolblur_synth.config.run import Sequences
from lolblur_synth.synthesis.sequences import (
    AimLimit,
    BlurAim,
    Shutter,
    Slot,
    choose,
    nearest_shutter,
    shutter_at,
    shutters_within,
    slots,
)
from lolblur_synth.video.metadata import Flaw


@pytest.mark.parametrize(
    ("fps", "ms", "frames", "sub_frames", "exposure"),
    [
        (250, 24, 7, 49, 24),
        (250, 32, 9, 65, 32),
        (240, 24, 7, 49, 25),
        (240, 32, 9, 65, 1000 / 30),
        (960, 32, 31, 61, 31.25),
        (1000, 32, 33, 65, 32),
        (120, 24, 3, 35, 1000 / 60),
        (60, 32, 3, 67, 1000 / 30),
    ],
)
def test_shutter_keeps_the_physical_exposure(fps, ms, frames, sub_frames, exposure):
    shutter = shutter_at(Fraction(fps), ms, 2000)
    assert (shutter.frames, shutter.sub_frames) == (frames, sub_frames)
    assert shutter.milliseconds == pytest.approx(exposure)


@pytest.mark.parametrize(
    ("fps", "output_fps", "gaps"),
    [(250, 24, [2, 4, 6, 8, 10]), (240, 24, [2, 4, 6, 8, 10]), (120, 24, [2, 4]), (48, 24, [2]), (30, 24, [2])],
)
def test_shutters_fit_into_the_period_of_an_output_frame(fps, output_fps, gaps):
    """But for the shortest, without which there would be none."""
    found = shutters_within(Fraction(fps), output_fps, 2000)
    assert [shutter.gaps for shutter in found] == gaps
    assert [shutter.milliseconds for shutter in found] == pytest.approx([1000 * count / fps for count in gaps])
    assert all(shutter == shutter_at(Fraction(fps), shutter.milliseconds, 2000) for shutter in found)


@pytest.mark.parametrize(
    ("wanted", "gaps", "limit"),
    [(12, 6, None), (13, 6, None), (15, 8, None), (20, 10, None), (4, 2, None), (21, 10, "slow"), (3.9, 2, "fast")],
)
def test_the_nearest_shutter_is_taken(wanted, gaps, limit):
    found, aim = nearest_shutter(
        shutters_within(Fraction(250), 24, 2000), [Slot(1, 10), Slot(2, 21)], [2.0] * 21, wanted
    )
    assert found.gaps == gaps
    limits = {"slow": AimLimit.TOO_SLOW, "fast": AimLimit.TOO_FAST, None: None}
    assert aim == BlurAim(wanted, 2.0 * gaps, limits[limit])


def test_motion_counts_inside_the_windows_alone():
    """Speeds begin with the longest window, here at frame 5: 1 in the shortest windows, 100 elsewhere."""
    speeds = [100.0] * 21
    for center in (10, 21):
        speeds[center - 1 - 5] = speeds[center - 5] = 1.0
    found, aim = nearest_shutter(shutters_within(Fraction(250), 24, 2000), [Slot(1, 10), Slot(2, 21)], speeds, 50.0)
    assert (found.gaps, aim.planned) == (2, 2.0)


def test_ntsc_rates_are_exact():
    assert shutter_at(Fraction(240000, 1001), 32, 2000).sub_frames == 65


@given(st.fractions(48, 4000), st.floats(1, 41), st.floats(100, 8000))
def test_windows_are_odd_and_centred(fps, ms, sub_frame_fps):
    shutter = shutter_at(fps, round(ms, 3), round(sub_frame_fps, 3))
    assert shutter.sub_frames % 2 == 1
    window = shutter.window(1000)
    assert 1000 - window.start == window[-1] - 1000
    assert len(window) == shutter.frames


def test_centres_are_ten_or_eleven_apart_and_on_average_exact():
    centers = [slot.center for slot in slots(2500, Fraction(250), 24, 4)]
    steps = {b - a for a, b in pairwise(centers)}
    assert steps == {10, 11}
    assert centers[0] == 10  # slot 0 would reach before the first frame
    assert [slot.center for slot in slots(2500, Fraction(250), 24, 4)][23] == 250  # one second is 24 pairs
    assert centers[-1] + 4 < 2500


@given(st.integers(0, 400), st.fractions(48, 1000), st.integers(1, 20))
def test_every_window_lies_inside_and_none_is_left_out(frames, fps, half):
    found = slots(frames, fps, 24, half)
    assert all(slot.center - half >= 0 and slot.center + half < frames for slot in found)
    assert [slot.index for slot in found] == list(range(found[0].index, found[0].index + len(found))) if found else True
    exhaustive = [k for k in range(500) if half <= (c := int(k * fps / 24 + Fraction(1, 2))) and c + half < frames]
    assert [slot.index for slot in found] == exhaustive


def row(count: int) -> list[Slot]:
    return [Slot(k, 10 * k + 5) for k in range(count)]


def test_first_and_last_thirty():
    kept, rejects = choose(row(100), [], 4, Sequences())
    assert [slot.index for slot in kept[0]] == list(range(30))
    assert [slot.index for slot in kept[1]] == list(range(70, 100))
    assert rejects == []


@pytest.mark.parametrize(("count", "lengths"), [(60, [30, 30]), (45, [30, 15]), (32, [30]), (12, [12]), (3, [])])
def test_short_videos_give_what_they_hold(count, lengths):
    kept, rejects = choose(row(count), [], 4, Sequences())
    assert [len(chunk) for chunk in kept] == lengths
    assert len(rejects) == count - sum(lengths)
    assert all("min_pairs" in reject.reason for reject in rejects)


def test_one_sequence_per_video():
    kept, _ = choose(row(100), [], 4, Sequences(per_video=1))
    assert [len(chunk) for chunk in kept] == [30]


@pytest.mark.parametrize(
    ("flaw", "dropped"),
    [
        (Flaw(18, 19, "scene cut"), [1]),  # inside 11..19
        (Flaw(19, 20, "scene cut"), []),  # a cut between two windows harms neither
        (Flaw(10, 11, "scene cut"), []),
        (Flaw(11, 12, "scene cut"), [1]),
        (Flaw(20, 20, "missing frame"), []),
        (Flaw(21, 21, "missing frame"), [2]),
    ],
)
def test_windows_that_touch_a_flaw_are_dropped_with_the_reason(flaw, dropped):
    kept, rejects = choose(row(10), [flaw], 4, Sequences())
    assert [reject.slot.index for reject in rejects] == dropped
    assert all(flaw.kind in reject.reason and str(flaw.last) in reject.reason for reject in rejects)
    assert [slot.index for slot in kept[0]] == [k for k in range(10) if k not in dropped]


@given(st.lists(st.tuples(st.integers(0, 110), st.integers(0, 1))), st.integers(1, 7))
def test_flaws_drop_the_same_windows_as_looking_at_each(pairs, half):
    flaws = [Flaw(first, first + width, "scene cut") for first, width in pairs]
    kept, _ = choose(row(11), flaws, half, Sequences(min_pairs=1))
    expected = [
        slot
        for slot in row(11)
        if not any(slot.center - half <= flaw.first and flaw.last <= slot.center + half for flaw in flaws)
    ]
    assert [slot for chunk in kept for slot in chunk] == expected


def test_window_of_a_slot():
    assert list(Shutter(6, 8, 24).window(10)) == [7, 8, 9, 10, 11, 12, 13]


@given(st.fractions(48, 4000), st.floats(1, 41), st.floats(0, 41), st.floats(100, 8000))
def test_a_rolling_shutter_sees_the_source_frames_of_its_first_and_last_row(fps, ms, rolling_ms, sub_frame_fps):
    at_once, rolling = (shutter_at(fps, round(ms, 3), round(sub_frame_fps, 3), round(r, 3)) for r in (0.0, rolling_ms))
    assert (rolling.gaps, rolling.factor, rolling.exposed) == (at_once.gaps, at_once.factor, at_once.sub_frames)
    assert rolling.readout / rolling.factor == pytest.approx(round(rolling_ms, 3) / 1000 * float(fps))
    spare = rolling.sub_frames - rolling.exposed - rolling.readout
    assert 0 <= spare < 2 * rolling.factor
    window = rolling.window(1000)
    assert 1000 - window.start == window[-1] - 1000 == rolling.half
    assert len(window) == rolling.frames


def test_readout_makes_windows_longer():
    shutter = shutter_at(Fraction(250), 24, 2000, 20)
    assert (shutter.readout, shutter.margin, shutter.exposed) == (40, 3, 49)
    assert list(shutter.window(10)) == list(range(4, 17))
    assert slots(100, Fraction(250), 24, shutter.half)[0] == Slot(1, 10)
    assert slots(100, Fraction(250), 24, 11)[0] == Slot(2, 21)

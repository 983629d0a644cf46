"""Frames by their names: order, gaps, signs, clocks, and what cannot be told."""

from itertools import accumulate

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lolblur_synth.video.image_sequence import NoImageSequenceError, order_frames

TEXT = st.text(st.characters(blacklist_categories=["Nd", "Cs"], blacklist_characters="/+-."), max_size=8)


@settings(max_examples=60)
@given(
    start=st.integers(0, 10**19),
    step=st.integers(20, 10**10),
    gaps=st.lists(st.sampled_from([1, 1, 1, 1, 2, 5]), min_size=4, max_size=12).filter(
        lambda g: 2 * g.count(1) > len(g)
    ),
    jitter=st.lists(st.floats(0, 0.1), min_size=13, max_size=13),
    before=TEXT,
    after=TEXT,
    padded=st.booleans(),
)
def test_numbers_show_order_and_gaps_whatever_they_count(start, step, gaps, jitter, before, after, padded):
    slots = [0, *accumulate(gaps)]
    values = [start + slot * step + int(late * step) for slot, late in zip(slots, jitter, strict=False)]
    names = [f"{before}{value:0{24 if padded else 1}d}{after}.png" for value in values]
    assert order_frames(reversed(names)).frames == dict(zip(slots, names, strict=True))


def laid(*names: str) -> dict[int, str]:
    return order_frames(names).frames


def test_seconds_with_a_fraction_go_on_over_a_full_second():
    names = [f"{1305031102.9 + i / 240:.6f}.png" for i in range(60)]
    assert laid(*names[::-1]) == dict(enumerate(names))


def test_nanoseconds_with_jitter_and_microseconds():
    nanoseconds = [f"{1403636579763555584 + int(i * 1e9 / 240) + i % 3 * 900}.png" for i in range(60)]
    microseconds = [f"{1691000000000000 + int(i * 1e6 / 240)}.png" for i in range(60)]
    for names in (nanoseconds, microseconds):
        assert laid(*names) == dict(enumerate(names))


def test_signed_numbers_are_in_order_of_time():
    names = [f"Img{number:+07d}.tif" for number in range(-30, 30)]
    assert list(laid(*sorted(names)).values()) == names
    without_plus = [f"Img{number:06d}.tif" for number in range(-30, 30)]
    assert list(laid(*sorted(without_plus)).values()) == without_plus


def test_a_dash_before_every_number_is_a_dash_and_told():
    names = [f"clip-{number:04d}.png" for number in range(1, 9)]
    series = order_frames(names)
    assert (list(series.frames.values()), series.dashed) == (names, True)
    assert not order_frames(["2024-01-0001.png", "2024-01_0002.png", "2024-01_0003.png"]).dashed


@pytest.mark.parametrize(
    ("names", "slots"),
    [
        (["0.png", "10.png", "20.png", "40.png"], [0, 1, 2, 4]),
        (["8.png", "9.png", "10.png", "11.png"], [0, 1, 2, 3]),
        (["a_0001_sharp.png", "a_0002_sharp.png", "a_0004_sharp.png"], [0, 1, 3]),
        (["v2_take3.0007.png", "v2_take3.0008.png"], [0, 1]),
        (["shot.1.8.png", "shot.1.9.png", "shot.1.10.png"], [0, 1, 2]),  # a counter: nothing before it varies
        (["1_5.png", "1_9.png"], [0, 1]),
        (["000_1000.png", "001_1004.png", "002_1012.png", "003_1016.png"], [0, 1, 3, 4]),  # a counter and a clock
        (["5_000.png", "7000_001.png", "9000_002.png", "19000_003.png", "19001_004.png"], [0, 1, 2, 3, 4]),
        (["1.jpg", "2.JPG", "3.png"], [0, 1, 2]),
        (["cover1.png", *(f"{n}.png" for n in range(4)), "notes.png"], [0, 1, 2, 3]),
    ],
)
def test_the_number_that_varies_is_the_number(names, slots):
    series = order_frames(reversed(names))
    assert list(series.frames) == slots
    assert list(series.frames.values()) == [name for name in names if name not in series.others]


@pytest.mark.parametrize(
    ("names", "told"),
    [
        ([], "fewer than two"),
        (["1.png"], "fewer than two"),
        (["a.png", "b.png"], "fewer than two"),
        (["1.png", "1.jpg"], "1.jpg and 1.png have one number; keep one"),
        (["1.png", "01.png", "2.png"], "01.png and 1.png have one number"),
        ([f"{n}_{side}.png" for n in range(4) for side in "LR"], r"two series .* #_L \(4\) and #_R \(4\); give each"),
        ([f"chunk{c}_{n}.png" for c in range(2) for n in range(3)], "several numbers in its names chunk#_#"),
        (["1_9.png", "2_8.png", "3_7.png"], "order them differently"),
    ],
)
def test_what_is_no_series_is_told(names, told):
    with pytest.raises(NoImageSequenceError, match=told):
        order_frames(names)


def test_a_series_of_holes_is_not_steady():
    assert order_frames(["0.png", "1.png", "2.png", "3.png", "9.png"]).steady is True
    assert order_frames(["0.png", "1.png", "2.png", "3.png", "90000000000000.png"]).steady is False

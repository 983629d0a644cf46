"""Exposure times as people and cameras write them."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lolblur_synth.video.shutter import ShutterOrigin, SourceShutter, parse_shutter, shown_time


@pytest.mark.parametrize(
    ("told", "seconds"),
    [
        ("1/500", Fraction(1, 500)),
        ("1/50s", Fraction(1, 50)),
        (" 1 / 479.5 s ", Fraction(2, 959)),
        ("0.002", Fraction(1, 500)),
        (0.002, Fraction(1, 500)),
        (1e-5, Fraction(1, 100_000)),
        (1, Fraction(1)),
        ("20ms", Fraction(1, 50)),
    ],
)
def test_seconds(told, seconds):
    assert parse_shutter(told) == SourceShutter(seconds, None, ShutterOrigin.GIVEN)


@pytest.mark.parametrize(
    ("told", "degrees"), [("180deg", 180), ("360.00deg", 360), ("172.8 deg", Fraction("172.8")), ("90°", 90)]
)
def test_angles_depend_on_the_rate(told, degrees):
    found = parse_shutter(told)
    assert found.degrees == degrees
    for fps in (24, 240):
        assert found.time(Fraction(fps)) == Fraction(degrees) / 360 / fps
        assert found.ratio(Fraction(fps)) == Fraction(degrees) / 360


@pytest.mark.parametrize(
    "told",
    [
        "",
        "0",
        0,
        -0.1,
        "1/0",
        "0/5",
        "-1/500",
        "361deg",
        "auto",
        "1e3",
        "nan",
        "inf",
        float("nan"),
        "1/500/2",
        "9" * 99,
    ],
)
def test_anything_else_is_refused(told):
    with pytest.raises(ValueError, match="a shutter is seconds such as 1/500"):
        parse_shutter(told)


@given(st.integers(4, 16000))
def test_what_is_shown_is_read_back(below):
    shown = shown_time(Fraction(1, below))
    assert float(parse_shutter(shown).time(Fraction(1))) == pytest.approx(1 / below, rel=0.005)

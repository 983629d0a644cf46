"""Mains flicker in what a scan sees: found with its rate and depth, in bands too, and not where there is none."""

from fractions import Fraction

import numpy as np
import pytest
from numpy.typing import NDArray

from lolblur_synth.video.flicker import BANDS, find_flicker, light_of
from lolblur_synth.video.metadata import Flicker
from lolblur_synth.video.probe import probe
from lolblur_synth.video.scan import scan
from tests.support.clips import encode, scene

RATES = [Fraction(120), Fraction(240), Fraction(250), Fraction(960), Fraction(240000, 1001)]


def handheld(frames: int, fps: Fraction, seed: int = 0) -> NDArray[np.float64]:
    """Light in bands as a camera sees it that a hand shakes: below 8 Hz, and grain."""
    rng, times = np.random.default_rng(seed), np.arange(frames) / float(fps)
    sways = [
        rng.uniform(0.005, 0.02) * np.sin(2 * np.pi * hertz * times[:, None] + rng.uniform(0, 6, BANDS))
        for hertz in range(1, 8)
    ]
    return np.asarray(0.2 * np.exp(sum(sways) + rng.normal(0, 0.0003, (frames, BANDS))))


def pulse(frames: int, fps: Fraction, hertz: int, depth: float, readout: float = 0.0) -> NDArray[np.float64]:
    """Light of a lamp at the times of frames and of bands, which a sensor reads in `readout` seconds."""
    times = np.arange(frames)[:, None] / float(fps) + readout * np.arange(BANDS) / BANDS
    return np.asarray(1 + depth * np.cos(2 * np.pi * hertz * times + 0.4))


def found(light: NDArray[np.float64], fps: Fraction) -> Flicker:
    flicker = find_flicker(light, [], fps)
    assert flicker is not None
    return flicker


@pytest.mark.parametrize("fps", RATES)
@pytest.mark.parametrize("depth", [0.05, 0.3])
def test_a_lamp_on_the_mains_is_found_and_taken_out(fps, depth):
    steady = handheld(300, fps)
    light = steady * pulse(300, fps, 100, depth)
    flicker = found(light, fps)
    assert flicker.hertz == 100
    assert flicker.percent == pytest.approx(100 * depth, rel=0.1)  # (max - min) / (max + min) of 1 + depth cos
    assert flicker.parts == ((0, 300),)
    left = light * np.array(flicker.gains) / steady
    assert np.ptp(left) / left.mean() < 0.12 * depth


@pytest.mark.parametrize(("fps", "hertz"), [(240, 120), (250, 120), (480, 120), (200, 120)])
def test_the_mains_of_60_hz_are_told_from_those_of_50(fps, hertz):
    assert found(handheld(200, Fraction(fps)) * pulse(200, Fraction(fps), hertz, 0.2), Fraction(fps)).hertz == hertz


def test_bands_of_a_rolling_shutter_are_taken_out_where_they_are():
    """Read in 8 ms the bands are 0.8 of a period apart: the mean of a frame shows nearly nothing."""
    steady, fps = handheld(240, Fraction(240)), Fraction(240)
    light = steady * pulse(240, fps, 100, 0.3, readout=0.008)
    flicker = found(light, fps)
    assert flicker.percent == pytest.approx(30, rel=0.1)
    left = light * np.array(flicker.gains) / steady
    assert np.ptp(left) / left.mean() < 0.04


@pytest.mark.parametrize("fps", RATES)
def test_what_moves_or_is_switched_is_no_flicker(fps):
    times = np.arange(300)[:, None] / float(fps)
    steady = handheld(300, fps)
    assert find_flicker(steady, [], fps) is None
    assert find_flicker(steady * np.exp(-times), [], fps) is None
    assert find_flicker(steady * (1 + (times * 6 % 2 > 1)), [], fps) is None  # a signal lamp
    assert find_flicker(steady * (1 + (times * 25 % 2 > 1)), [], fps) is None
    assert find_flicker(np.full((300, BANDS), 0.2), [], fps) is None
    assert find_flicker(np.zeros((300, BANDS)), [], fps) is None


def test_where_it_begins_and_where_frames_are_missing():
    fps, light = Fraction(240), handheld(600, Fraction(240))
    light[300:] *= pulse(300, fps, 100, 0.2)
    light[400:402] = np.nan
    flicker = find_flicker(light, [300], fps)
    assert flicker is not None
    assert flicker.parts == ((300, 600),)
    assert np.array_equal(flicker.gains[:300], np.ones((300, BANDS)))


@pytest.mark.parametrize(("fps", "hertz"), [(50, 100), (100, 100), (120, 120), (Fraction(120000, 1001), 120)])
def test_what_a_rate_cannot_see_is_not_told(fps, hertz):
    assert find_flicker(handheld(200, Fraction(fps)) * pulse(200, Fraction(fps), hertz, 0.3), [], Fraction(fps)) is None


def test_light_of_a_picture_by_hand():
    """Half black, half of code 188, whose linear light is 0.5029 and whose lightness is 0.7626."""
    picture = np.zeros((16, 4, 3), np.uint8)
    picture[8:] = 188
    bands, lightness = light_of(picture)
    np.testing.assert_allclose(bands, [0] * 4 + [0.5029] * 4, atol=1e-4)
    assert lightness == pytest.approx(0.7626 / 2, abs=1e-4)
    assert light_of(np.full((16, 4, 3), 255, np.uint8))[1] == 0  # all of it is a light


@pytest.mark.parametrize(("depth", "percent"), [(0.0, None), (0.2, 20)])
def test_a_scan_tells_it(tmp_path, depth, percent):
    light = pulse(120, Fraction(240), 100, depth)[:, 0] / (1 + depth)
    linear = [light[n] * (picture / 255.0) ** 2.2 for n, picture in enumerate(scene(120))]
    clip = encode(tmp_path / "a.mp4", [np.uint8(255 * picture ** (1 / 2.2)) for picture in linear], fps=240)
    told = scan(probe(clip))
    assert len(told.lightness) == told.frames == 120
    assert (told.flicker is None) == (percent is None)
    if told.flicker:
        assert (told.flicker.hertz, len(told.flicker.gains)) == (100, 120)
        assert told.flicker.percent == pytest.approx(percent, rel=0.1)

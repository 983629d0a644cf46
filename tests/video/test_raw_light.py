"""RAW frames as scene-linear light: what a sensor with known colours saw is had again."""

import cv2
import numpy as np
import pytest
import torch

from lolblur_synth.core.colorimetry import linear_to_srgb
from lolblur_synth.core.errors import SequenceError, UserError
from lolblur_synth.mosaic.pattern import PATTERNS
from lolblur_synth.video.light import read_raw_light
from lolblur_synth.video.probe import probe
from lolblur_synth.video.reader import read_frames
from lolblur_synth.video.scan import scan
from tests.support.light import night
from tests.support.raws import mosaic_of, write_dng, write_mosaic

GAINS = 2.0, 1.6
NEUTRAL = 1 / GAINS[0], 1.0, 1 / GAINS[1]


@pytest.mark.parametrize("pattern", PATTERNS)
def test_a_flat_colour_is_had_again(tmp_path, pattern):
    light = np.broadcast_to(np.array([0.3, 0.2, 0.1]), (32, 48, 3))
    found, how = read_raw_light(write_mosaic(tmp_path / "a.dng", light, pattern), 2**20)
    np.testing.assert_allclose(found, light, atol=2e-4)
    assert (how.pattern, how.gains, how.gains_source) == (pattern, pytest.approx((2, 1, 1.6)), "as shot")
    assert np.sum(how.matrix, 1) == pytest.approx([1, 1, 1])


def test_a_picture_is_had_again_with_fifty_decibels(tmp_path):
    light = cv2.GaussianBlur(night(3, (96, 64), lamp=0.9), (0, 0), 2)  # as a lens does, or it aliases
    found, _ = read_raw_light(write_mosaic(tmp_path / "a.dng", light), 2**20)
    assert 10 * np.log10(1 / np.mean((found - light) ** 2)) > 50


def test_saturated_light_is_white_and_nothing_exceeds_it(tmp_path):
    light = np.full((32, 32, 3), 5.0) * (1.0, 0.5, 0.3)
    found, _ = read_raw_light(write_mosaic(tmp_path / "a.dng", light), 2**20)
    np.testing.assert_allclose(found, 1, atol=1e-6)
    red = np.broadcast_to(np.array([0.9, 0.02, 0.0]), (32, 32, 3))
    assert read_raw_light(write_mosaic(tmp_path / "b.dng", red), 2**20)[0].max() <= 1


def test_white_balance_and_colours_are_those_of_the_first_frame(tmp_path):
    light = np.full((32, 32, 3), 0.2)
    _, how = read_raw_light(write_mosaic(tmp_path / "a.dng", light), 2**20)
    raw = write_dng(tmp_path / "b.dng", np.full((32, 32), 4000, np.uint16), neutral=(0.9, 1.0, 0.9), black=512)
    later, same = read_raw_light(raw, 2**20, how)
    assert same is how
    assert later[..., 0].mean() > 1.2 * later[..., 1].mean()


def test_without_a_white_balance_it_is_that_of_d65_and_no_gain_is_below_one(tmp_path):
    flat = np.full((32, 32), 3000, np.uint16)
    how = read_raw_light(write_dng(tmp_path / "a.dng", flat, neutral=None), 2**20)[1]
    assert how.gains == pytest.approx((2.74, 1, 1.37), abs=0.01)
    assert how.gains_source == "of D65, as none is told"
    how = read_raw_light(write_dng(tmp_path / "b.dng", flat, neutral=(1.25, 1.0, 0.5)), 2**20)[1]
    assert how.gains == pytest.approx((1, 1.25, 2.5))


def test_it_is_turned_as_the_file_wants(tmp_path):
    light = np.full((32, 48, 3), 0.2)
    light[:8] = 0.7
    upright, _ = read_raw_light(write_mosaic(tmp_path / "a.dng", light, tags=((274, "H", 1, 6, True),)), 2**20)
    assert upright.shape == (48, 32, 3)
    assert upright[:, -4:].mean() == pytest.approx(0.7, abs=0.01)  # the top is on the right when turned clockwise
    back, _ = read_raw_light(write_mosaic(tmp_path / "b.dng", light, tags=((274, "H", 1, 8, True),)), 2**20)
    np.testing.assert_allclose(back, upright[::-1, ::-1], atol=1e-6)


def test_floats_go_on_above_white(tmp_path):
    raw = mosaic_of(np.full((32, 32, 3), 3.0, np.float32))
    found, _ = read_raw_light(write_dng(tmp_path / "a.dng", raw, black=0, white=1, neutral=NEUTRAL), 2**20)
    np.testing.assert_allclose(found, 3, rtol=1e-5)


def test_what_is_refused(tmp_path):
    flat = np.full((32, 32), 3000, np.uint16)

    def refusal(path, like=None) -> str:
        with pytest.raises(SequenceError) as caught:
            read_raw_light(path, 2**20, like)
        return str(caught.value)

    how = read_raw_light(write_dng(tmp_path / "a.dng", flat), 2**20)[1]
    other = write_dng(tmp_path / "b.dng", flat, "BGGR")
    assert "it has mosaic BGGR and white level 16383, the first RGGB and 16383" in refusal(other, how)
    assert "it has no colour matrix" in refusal(write_dng(tmp_path / "c.dng", flat, matrix=None))
    singular = ((0.1, 0.2, 0.3), (0.1, 0.2, 0.3), (0.3, 0.2, 0.1))
    assert "cannot be inverted" in refusal(write_dng(tmp_path / "d.dng", flat, matrix=singular))
    assert "needs 16 pixels" in refusal(write_dng(tmp_path / "e.dng", flat[:12].astype(np.float32), black=0, white=1))
    assert "infinite or no numbers" in refusal(
        write_dng(tmp_path / "f.dng", np.full((32, 32), np.nan, np.float32), black=0, white=1)
    )


def film(folder, frames=10, **options):
    for number in range(frames):
        write_mosaic(folder / f"{number:03d}.dng", night(number, (96, 64), lamp=5.0), **options)
    return folder


def test_a_folder_is_footage_that_ends_at_saturation(tmp_path):
    info = probe(film(tmp_path / "a"), 250, white=1)
    assert (info.codec, info.pixel_format, info.bit_depth) == ("dng", "bayer_rggb14", 14)
    assert (info.width, info.height, info.saturation, info.holds_light) == (96, 64, 1.0, False)
    assert probe(tmp_path / "a", 250, white=0.25).holds_light
    frames = list(read_frames(scan(info), 0, 10))
    assert 1 - 1e-6 < max(frame.max() for frame in frames) <= 1
    brighter = list(read_frames(scan(probe(tmp_path / "a", 250, white=0.25)), 0, 10))
    assert max(frame.max() for frame in brighter) == pytest.approx(float(linear_to_srgb(torch.tensor(4.0))), rel=1e-4)


def test_the_rate_is_given_or_that_of_cinema_dng(tmp_path):
    film(tmp_path / "a", 8, tags=((51044, "2i", 1, (240000, 1001), True),))
    info = probe(tmp_path / "a", white=1)
    assert (str(info.capture_fps), info.capture_source) == ("240000/1001", "tag FrameRate")
    assert probe(tmp_path / "a", 500, white=1).capture_source == "given"
    with pytest.raises(SequenceError, match=r"its DNG tell no frame rate; give video\.capture_fps"):
        probe(film(tmp_path / "b", 8), white=1)
    with pytest.raises((SequenceError, UserError), match="its frames are RAW; make a dataset of them"):
        probe(tmp_path / "a")


def test_frames_that_are_unlike_refuse_the_folder(tmp_path):
    film(tmp_path / "a")
    info = probe(tmp_path / "a", 250, white=1)
    write_mosaic(tmp_path / "a/005.dng", night(5, (96, 64)), "GRBG")
    with pytest.raises(SequenceError, match=r"005\.dng: it has mosaic GRBG"):
        scan(info)
    write_mosaic(tmp_path / "a/005.dng", night(5, (64, 64)))
    with pytest.raises(SequenceError, match=r"005\.dng: it has another size or depth"):
        scan(info)

"""Primaries: matrices against published numbers, and light and pictures of wide gamut through a file."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from lolblur_synth.core.colorimetry import linear_to_srgb, srgb_to_linear
from lolblur_synth.video.gamut import in_bt709, to_bt709
from lolblur_synth.video.metadata import Primaries
from lolblur_synth.video.probe import probe
from tests.support.clips import as_planes, encode, frame_of
from tests.support.hdr import PRIMARIES, XY, converted
from tests.support.videos import BLOCKS, pixels


def test_the_matrix_of_bt2020_is_that_of_bt2087_inverted():
    published = [[0.6274, 0.3293, 0.0433], [0.0691, 0.9195, 0.0114], [0.0164, 0.0880, 0.8956]]
    np.testing.assert_allclose(to_bt709("bt2020"), np.linalg.inv(published), atol=3e-4)


@pytest.mark.parametrize("primaries", sorted(XY))
def test_matrices_are_what_chromaticities_come_to(primaries: Primaries):
    np.testing.assert_allclose(to_bt709(primaries), converted(np.eye(3), primaries, "bt709").T, atol=1e-12)
    np.testing.assert_allclose(to_bt709(primaries).sum(1), 1, atol=1e-12)


def test_the_white_of_digital_cinema_becomes_white():
    np.testing.assert_allclose(to_bt709("p3-dci").sum(1), 1, atol=1e-12)
    assert np.abs(to_bt709("p3-dci") - to_bt709("p3-d65")).max() > 0.01


@given(st.lists(st.floats(0, 50), min_size=3, max_size=3))
def test_light_of_bt709_survives_any_gamut(rgb):
    light = np.array([[rgb]])
    for primaries in ("bt2020", "s-gamut3", "apple-wide-gamut"):
        wide = converted(light, "bt709", primaries).astype(np.float32)
        np.testing.assert_allclose(in_bt709(wide, primaries), light, rtol=1e-5, atol=2e-5)


def test_what_is_outside_of_the_gamut_is_clipped_at_no_light():
    green = in_bt709(np.array([[[0, 4, 0]]], np.float32), "bt2020")[0, 0]
    assert green[[0, 2]].tolist() == [0, 0]
    assert green[1] == pytest.approx(4 * 1.1329, rel=1e-4)


@pytest.mark.parametrize("primaries", ["bt2020", "p3-d65"])
@pytest.mark.parametrize("transfer", [1, 13, 14])
def test_wide_gamut_without_hdr_becomes_srgb_clipped_at_white(tmp_path, primaries, transfer):
    """Its values are decoded by sRGB's curve, as those of BT.709 are taken for sRGB's."""
    frame = frame_of(as_planes(BLOCKS, "yuv444p16le", "bt2020", True), (96, 64), "yuv444p16le")
    color = {"color_primaries": PRIMARIES[primaries], "color_trc": transfer, "colorspace": 9, "color_range": 2}
    clip = encode(tmp_path / "a.mkv", [frame] * 2, "ffv1", "yuv444p16le", color=color)
    info = probe(clip, white=1.0)
    assert (info.primaries, info.transfer, info.holds_light) == (primaries, "sdr", False)
    light = converted(srgb_to_linear(torch.from_numpy(BLOCKS)).numpy(), primaries, "bt709").clip(0, 1)
    expected = linear_to_srgb(torch.from_numpy(light.transpose(2, 0, 1)))
    assert (expected - torch.from_numpy(BLOCKS.transpose(2, 0, 1))).abs().max() > 0.05
    shown = pixels(clip)[0].double()
    assert shown.max() <= 1
    torch.testing.assert_close(shown, expected, atol=2e-4, rtol=0)


def test_grey_of_any_gamut_is_the_same_grey(tmp_path):
    grey = np.repeat(BLOCKS[..., :1], 3, -1)
    frame = frame_of(as_planes(grey, "yuv444p10le", "bt2020", False), (96, 64), "yuv444p10le")
    shown = [
        pixels(
            encode(
                tmp_path / f"{code}.mkv",
                [frame] * 2,
                "ffv1",
                "yuv444p10le",
                color={"color_primaries": code, "color_trc": 1, "colorspace": 9, "color_range": 1},
            )
        )
        for code in (1, 9, 11, 12)
    ]
    for other in shown[1:]:
        torch.testing.assert_close(other, shown[0], atol=1e-5, rtol=0)

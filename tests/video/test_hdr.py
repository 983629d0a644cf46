"""HDR and log clips of every usual codec, written from known light, give that light back."""

from pathlib import Path

import numpy as np
import pytest
import torch

from lolblur_synth.core.colorimetry import linear_to_srgb, srgb_to_linear
from lolblur_synth.video.color_coding import ToldColors
from lolblur_synth.video.metadata import FlawKind, VideoScan
from lolblur_synth.video.probe import probe
from lolblur_synth.video.reader import read_frames
from lolblur_synth.video.scan import scan
from tests.support.hdr import film
from tests.support.light import night, write_light

LAMP = 3.0  # times white: HLG ends at 3.77
SIZE = (96, 64)


def lights(count: int = 3) -> list[np.ndarray]:
    return [night(number, SIZE, lamp=LAMP) for number in range(count)]


def opened(path: Path, white: float = 1.0) -> VideoScan:
    return scan(probe(path, 250, white=white))


def as_read(light: np.ndarray, white: float = 1.0) -> torch.Tensor:
    return linear_to_srgb(torch.from_numpy(np.float32(light / white).transpose(2, 0, 1)))


@pytest.mark.parametrize("transfer", ["hlg", "pq"])
@pytest.mark.parametrize(
    ("name", "codec", "pixel_format"),
    [
        ("a.mkv", "ffv1", "yuv444p10le"),
        ("a.mkv", "ffv1", "yuv444p12le"),
        ("a.mkv", "ffv1", "gbrp10le"),
        ("a.mp4", "libx265", "yuv444p10le"),
    ],
)
def test_light_comes_back_within_the_quantisation(tmp_path, transfer, name, codec, pixel_format):
    """Half a code of luma and of each chroma, on the curve: 10 bits are steps of 1 % in HLG's highlights."""
    found = opened(film(tmp_path / name, lights(), transfer, codec, pixel_format))
    bits = 12 if "12" in pixel_format else 10
    for number, shown in enumerate(read_frames(found, 0, 3)):
        expected = as_read(night(number, SIZE, lamp=LAMP))
        assert shown.max() > 1.5
        assert (shown - expected).abs().max() < 0.06 / 2 ** (bits - 10)
        assert (shown - expected).abs().mean() < 0.004 / 2 ** (bits - 10)


@pytest.mark.parametrize("transfer", ["hlg", "pq"])
@pytest.mark.parametrize(
    ("name", "codec", "pixel_format"),
    [("a.mp4", "libx265", "yuv420p10le"), ("a.mov", "prores_ks", "yuv422p10le"), ("a.mp4", "libx264", "yuv420p10le")],
)
def test_cameras_codecs_keep_a_lamp_brighter_than_white(tmp_path, transfer, name, codec, pixel_format):
    more = {"options": {"qp": "4"}} if codec == "libx264" else {}
    found = opened(film(tmp_path / name, lights(), transfer, codec, pixel_format, **more))
    assert (found.info.transfer, found.info.primaries, found.info.color_matrix) == (transfer, "bt2020", "bt2020")
    for number, shown in enumerate(read_frames(found, 0, 3)):
        light = night(number, SIZE, lamp=LAMP)
        core = torch.from_numpy(light.min(-1) == LAMP)
        lamp, ground = shown[:, core].mean(), torch.from_numpy(light.max(-1) < 0.4)
        assert lamp.item() == pytest.approx(as_read(np.full((1, 1, 3), LAMP)).mean().item(), rel=0.02)
        assert (shown - as_read(light))[:, ground].abs().mean() < 0.01


def test_vp9_of_8_bits_is_taken_too(tmp_path):
    clip = film(tmp_path / "a.webm", lights(), "hlg", "libvpx-vp9", "yuv444p", options={"lossless": "1"})
    for number, shown in enumerate(read_frames(opened(clip), 0, 3)):
        assert (shown - as_read(night(number, SIZE, lamp=LAMP))).abs().mean() < 0.02


def test_white_is_told_in_times_of_diffuse_white(tmp_path):
    clip = film(tmp_path / "a.mkv", lights(), pixel_format="yuv444p12le")
    shown = next(read_frames(opened(clip, white=2.0), 0, 1))
    assert (shown - as_read(night(0, SIZE, lamp=LAMP), 2.0)).abs().max() < 0.02


def test_superwhite_of_limited_range_is_light(tmp_path):
    light = np.full((64, 96, 3), 5.0)  # HLG's signal of 1.05, a code of 984
    shown = srgb_to_linear(next(read_frames(opened(film(tmp_path / "a.mkv", [light] * 3)), 0, 1)))
    assert shown.mean().item() == pytest.approx(5, rel=0.01)


@pytest.mark.parametrize("transfer", ["hlg", "pq"])
def test_a_scan_sees_what_it_sees_of_the_same_light_in_pictures(tmp_path, transfer):
    """Cuts, repetitions and how light frames are: 20 frames, a cut at 9, and 14 repeats 13."""
    shown = [night(number if number != 14 else 13, SIZE, lamp=LAMP) for number in range(20)]
    shown[9:] = [light[:, ::-1, [2, 0, 1]] * np.float32((0.4, 1.2, 2)) for light in shown[9:]]
    for number, light in enumerate(shown):
        write_light(tmp_path / "exr" / f"{number:02}.exr", light)
    pictures, clip = opened(tmp_path / "exr"), opened(film(tmp_path / "a.mkv", shown, transfer))
    assert {flaw.kind for flaw in pictures.flaws} == {FlawKind.SCENE_CUT, FlawKind.DUPLICATED_FRAME}
    assert clip.flaws == pictures.flaws
    assert clip.lightness == pytest.approx(pictures.lightness, abs=0.02)


def test_light_has_another_identity_of_rendering_than_pictures_of_the_same_samples(tmp_path):
    info = probe(film(tmp_path / "a.mkv", lights()), 250, white=1.0)
    as_sdr = probe(tmp_path / "a.mkv", 250, white=1.0, told=ToldColors("sdr", "bt709", "bt2020"))
    assert (info.holds_light, as_sdr.holds_light) == (True, False)
    assert info.rendering != as_sdr.rendering
    assert scan(info).content == scan(as_sdr).content

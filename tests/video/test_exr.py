"""OpenEXR: which samples come, and what is refused."""

import numpy as np
import OpenEXR
import pytest

from lolblur_synth.video.exr import exr_size, is_exr, read_exr
from lolblur_synth.video.headers import UnreadableError
from tests.support.light import write_exr

RGB = np.random.default_rng(0).random((6, 8, 3), np.float32) * 4
WINDOW = {"dataWindow": ([2, 1], [9, 6]), "displayWindow": ([0, 0], [11, 7])}
ACESCG = (0.713, 0.293, 0.165, 0.83, 0.128, 0.044, 0.32168, 0.33767)
BT709 = (0.64, 0.33, 0.30, 0.60, 0.15, 0.06, 0.3127, 0.3290)


def anything(width, height):
    pass


def windows(**corners):
    return {name: tuple(np.array(corner, np.int32) for corner in pair) for name, pair in corners.items()}


def test_half_and_float_samples_come_as_they_are(tmp_path):
    path = write_exr(tmp_path / "a.exr", {"RGB": RGB})
    assert is_exr(path)
    assert exr_size(path) == (8, 6)
    np.testing.assert_array_equal(read_exr(path, anything), RGB)
    half = RGB.astype(np.float16)
    np.testing.assert_array_equal(read_exr(write_exr(path, {"RGB": half}), anything), half)


def test_other_channels_are_ignored(tmp_path):
    red, green, blue = np.moveaxis(RGB, -1, 0)
    depth, numbers = np.full(red.shape, np.nan, np.float32), np.zeros(red.shape, np.uint32)
    channels = {"B": blue, "A": depth, "G": green.astype(np.float16), "R": red, "Z": depth, "id": numbers}
    read = read_exr(write_exr(tmp_path / "a.exr", channels), anything)
    np.testing.assert_array_equal(read[..., [0, 2]], RGB[..., [0, 2]])


@pytest.mark.parametrize("missing", ["R", "G", "B"])
def test_missing_channels_are_named(tmp_path, missing):
    channels = {name: RGB[..., 0] for name in "RGBZ" if name != missing}
    path = write_exr(tmp_path / "a.exr", channels)
    with pytest.raises(UnreadableError, match=f"lacks the channels {missing} "):
        read_exr(path, anything)


def test_the_display_window_is_filled_and_is_black_where_there_are_no_data(tmp_path):
    path = write_exr(tmp_path / "a.exr", {"RGB": RGB}, **windows(**WINDOW))
    expected = np.zeros((8, 12, 3), np.float32)
    expected[1:7, 2:10] = RGB
    np.testing.assert_array_equal(read_exr(path, anything), expected)
    assert exr_size(path) == (12, 8)
    larger = windows(dataWindow=([-2, -1], [5, 4]), displayWindow=([0, 0], [3, 2]))
    np.testing.assert_array_equal(read_exr(write_exr(path, {"RGB": RGB}, **larger), anything), RGB[1:4, 2:6])


def test_light_of_other_primaries_is_converted(tmp_path):
    white = np.full((4, 4, 3), 3.0, np.float32)
    path = write_exr(tmp_path / "a.exr", {"RGB": white}, chromaticities=ACESCG)
    np.testing.assert_allclose(read_exr(path, anything), 3, atol=2e-3)  # white stays white
    green = np.zeros_like(white)
    green[..., 1] = 1
    converted = read_exr(write_exr(path, {"RGB": green}, chromaticities=ACESCG), anything)[0, 0]
    # ACEScg to linear sRGB by Bradford, as colour-science has it: red -0.62, green 1.14, blue -0.13
    np.testing.assert_allclose(converted, [0, 1.1407, 0], atol=5e-3)
    np.testing.assert_array_equal(read_exr(write_exr(path, {"RGB": RGB}, chromaticities=BT709), anything), RGB)


def test_negatives_are_not_hidden_by_a_conversion(tmp_path):
    path = write_exr(tmp_path / "a.exr", {"RGB": RGB - 1}, chromaticities=ACESCG)
    assert read_exr(path, anything).min() < 0


def test_both_windows_are_checked_before_anything_is_decoded(tmp_path):
    seen = []
    path = write_exr(tmp_path / "a.exr", {"RGB": RGB}, **windows(**WINDOW))
    read_exr(path, lambda width, height: seen.append((width, height)))
    assert seen == [(8, 6), (12, 8)]


def test_several_parts_are_refused(tmp_path):
    parts = [OpenEXR.Part({"type": OpenEXR.scanlineimage}, {"RGB": RGB.copy()}, name) for name in ("left", "right")]
    OpenEXR.File(parts).write(str(tmp_path / "a.exr"))
    with pytest.raises(UnreadableError, match="OpenEXR of 2 parts"):
        read_exr(tmp_path / "a.exr", anything)


def test_deep_data_are_refused(tmp_path):
    deep = np.empty((4, 4), object)
    for at in np.ndindex(deep.shape):
        deep[at] = np.ones(2, np.float32)
    header = {"compression": OpenEXR.ZIPS_COMPRESSION, "type": OpenEXR.deepscanline}
    OpenEXR.File(header, {name: deep.copy() for name in "RGB"}).write(str(tmp_path / "a.exr"))
    with pytest.raises(UnreadableError, match="deep OpenEXR"):
        read_exr(tmp_path / "a.exr", anything)


def test_subsampled_channels_are_refused(tmp_path):
    half = RGB[::2, ::2, 0].copy()
    channels = {name: OpenEXR.Channel(name, half.copy(), 2, 2) for name in "RGB"}
    OpenEXR.File({"type": OpenEXR.scanlineimage, **windows(dataWindow=([0, 0], [7, 5]))}, channels).write(
        str(tmp_path / "a.exr")
    )
    with pytest.raises(UnreadableError, match="subsampled"):
        read_exr(tmp_path / "a.exr", anything)


@pytest.mark.parametrize("left", [0, 4, 100, 340, -30])
def test_damaged_files_are_refused(tmp_path, left):
    path = write_exr(tmp_path / "a.exr", {"RGB": RGB})
    path.write_bytes(path.read_bytes()[:left])
    with pytest.raises(UnreadableError, match="damaged OpenEXR"):
        read_exr(path, anything)

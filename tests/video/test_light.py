"""Scene-linear frames in files: what is told apart, read, shown, and refused."""

import numpy as np
import pytest
import tifffile

from lolblur_synth.core.colorimetry import srgb_to_linear
from lolblur_synth.core.errors import SequenceError
from lolblur_synth.video.images import read_pixels, write_png
from lolblur_synth.video.light import as_displayed, as_srgb, frame_size, holds_light, read_light, read_samples
from lolblur_synth.video.probe import probe
from tests.support.light import night, write_light

LIGHT = night(0, (24, 16))


@pytest.mark.parametrize("name", ["a.exr", "a.EXR", "a.tif", "a.tiff"])
@pytest.mark.parametrize("dtype", [np.float16, np.float32])
def test_light_is_read_as_it_was_written_from_either_kind_of_file(tmp_path, name, dtype):
    path = write_light(tmp_path / name, LIGHT, dtype) if name != "a.EXR" else tmp_path / name
    if name == "a.EXR":
        write_light(tmp_path / "b.exr", LIGHT, dtype).rename(path)
    assert holds_light(path)
    assert frame_size(path) == (24, 16)
    np.testing.assert_array_equal(read_light(path), LIGHT.astype(dtype).astype(np.float32))


def test_pictures_of_integers_hold_none(tmp_path):
    tifffile.imwrite(tmp_path / "a.tif", np.zeros((8, 8, 3), np.uint16), photometric="rgb")
    write_png(tmp_path / "a.png", np.zeros((8, 8, 3), np.uint8))
    (tmp_path / "b.tif").write_bytes(b"II*\0")
    assert [holds_light(tmp_path / name) for name in ("a.tif", "a.png", "b.tif")] == [False] * 3


def test_pictures_of_light_are_not_read_as_pictures_of_integers(tmp_path):
    with pytest.raises(SequenceError, match="float32 samples; 8- and 16-bit integer pictures can be read"):
        read_pixels(write_light(tmp_path / "a.tif", LIGHT))
    tifffile.imwrite(tmp_path / "b.tif", np.zeros((8, 8, 3), np.uint16), photometric="rgb")
    with pytest.raises(SequenceError, match="uint16 samples; write floats of 16 or 32 bits"):
        read_light(tmp_path / "b.tif")


@pytest.mark.parametrize(
    ("value", "told"),
    [
        (np.nan, r"1 of its pixels are infinite or no numbers \(NaN\)"),
        (np.inf, r"1 of its pixels are infinite or no numbers \(NaN\)"),
        (-0.25, "negative light, down to -0.25"),
    ],
)
@pytest.mark.parametrize("name", ["a.exr", "a.tif"])
def test_what_is_no_light_is_refused(tmp_path, name, value, told):
    light = LIGHT.copy()
    light[3, 4] = value
    with pytest.raises(SequenceError, match=told):
        read_light(write_light(tmp_path / name, light))


@pytest.mark.parametrize("name", ["a.exr", "a.tif"])
def test_large_pictures_are_refused_before_they_are_decoded(tmp_path, name):
    with pytest.raises(SequenceError, match="24x16 are more than 300 pixels"):
        read_light(write_light(tmp_path / name, LIGHT), largest=300)


def test_srgb_goes_on_above_white(tmp_path):
    for white in (1.0, 4.0):
        encoded = as_srgb(LIGHT, white)
        assert float(encoded.max()) > 1
        np.testing.assert_allclose(srgb_to_linear(encoded).permute(1, 2, 0), LIGHT / white, rtol=1e-5, atol=1e-7)


def test_what_is_displayed_ends_at_white(tmp_path):
    for number in range(2):
        write_light(tmp_path / "a" / f"{number}.exr", LIGHT)
    info = probe(tmp_path / "a", 250, white=2.0)
    shown = as_displayed(read_samples(tmp_path / "a" / "0.exr", info), info)
    assert shown.dtype == np.uint16
    codes = 65535 * as_srgb(LIGHT, 2.0).clamp(max=1).permute(1, 2, 0).numpy()
    np.testing.assert_allclose(shown, codes, atol=0.51)

import os
import struct

import cv2
import numpy as np
import pytest
import tifffile
import torch
from hypothesis import given
from hypothesis import strategies as st

from lolblur_synth.core.errors import SequenceError
from lolblur_synth.video.images import dequantize, pixel_hash, quantize, read_image, read_pixels, write_png
from lolblur_synth.video.metadata import few_bits
from lolblur_synth.video.probe import probe
from tests.support import profiles
from tests.support.clips import encode, scene


@given(st.integers(0, 255))
def test_eight_bit_codes_survive(code):
    pixels = np.full((2, 3, 3), code, np.uint8)
    assert np.array_equal(quantize(dequantize(pixels), 8), pixels)


@given(st.integers(0, 65535))
def test_sixteen_bit_codes_survive(code):
    pixels = np.full((2, 3, 3), code, np.uint16)
    assert np.array_equal(quantize(dequantize(pixels), 16), pixels)


def test_quantize_rounds_and_clips():
    values = torch.tensor([-0.2, 0.49 / 255, 0.51 / 255, 1.0, 1.7])[None, :, None].expand(3, -1, -1)
    assert quantize(values)[:, 0, 0].tolist() == [0, 0, 1, 255, 255]


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_png_round_trip_keeps_rgb_order_and_depth(tmp_path, dtype):
    pixels = np.random.default_rng(0).integers(0, np.iinfo(dtype).max, (5, 7, 3), dtype)
    write_png(tmp_path / "a.png", pixels)
    assert np.array_equal(read_pixels(tmp_path / "a.png"), pixels)
    assert np.array_equal(cv2.imread(str(tmp_path / "a.png"), cv2.IMREAD_UNCHANGED)[..., ::-1], pixels)
    assert [path.name for path in tmp_path.iterdir()] == ["a.png"]


def test_hash_sees_pixels_shape_and_depth_only(tmp_path):
    pixels = np.arange(48, dtype=np.uint8).reshape(4, 4, 3)
    other = pixels.copy()
    other[0, 0, 0] ^= 1
    hashes = {pixel_hash(p) for p in (pixels, other, pixels.reshape(2, 8, 3), pixels.astype(np.uint16))}
    assert len(hashes) == 4
    cv2.imwrite(str(tmp_path / "slow.png"), pixels[..., ::-1], [cv2.IMWRITE_PNG_COMPRESSION, 9])
    assert pixel_hash(read_pixels(tmp_path / "slow.png")) == pixel_hash(pixels)


def test_grey_is_spread_and_alpha_dropped(tmp_path):
    cv2.imwrite(str(tmp_path / "grey.png"), np.full((4, 5), 7, np.uint8))
    cv2.imwrite(str(tmp_path / "alpha.png"), np.full((4, 5, 4), 9, np.uint8))
    assert read_image(tmp_path / "grey.png").shape == (3, 4, 5)
    assert read_pixels(tmp_path / "alpha.png").shape == (4, 5, 3)


HUGE = b"BM" + struct.pack("<IHHIIiiHHIIiiII", 100, 0, 0, 54, 40, 2_000_000, 1, 1, 24, 0, 0, 0, 0, 0, 0) + bytes(46)


@pytest.mark.parametrize("content", [b"", b"not a picture", b"\x89PNG\r\n\x1a\n" + bytes(20), HUGE])
def test_unreadable_pictures_are_named(tmp_path, content):
    (tmp_path / "bad.png").write_bytes(content)
    with pytest.raises(SequenceError, match=r"bad\.png: not a picture"):
        read_pixels(tmp_path / "bad.png")


def test_missing_and_float_pictures(tmp_path):
    with pytest.raises(SequenceError, match="cannot be read"):
        read_pixels(tmp_path / "none.png")
    tifffile.imwrite(tmp_path / "float.tiff", np.zeros((4, 4, 3), np.float32), photometric="rgb")
    with pytest.raises(SequenceError, match="float32 samples"):
        read_pixels(tmp_path / "float.tiff")


SIZES = {  # what says that a picture is 30000 pixels each way, and nothing more
    "png": profiles.into_png(
        b"\x89PNG\r\n\x1a\n" + profiles.chunk(b"IHDR", struct.pack(">II5B", 30000, 30000, 8, 2, 0, 0, 0))
    )
    + profiles.chunk(b"IDAT", b""),
    "jpg": b"\xff\xd8\xff\xc0\0\x11\x08" + struct.pack(">HH", 30000, 30000) + b"\x03" + bytes(9) + b"\xff\xda\0\x02",
    "webp": b"RIFF\0\0\0\0WEBPVP8X\x0a\0\0\0" + bytes(4) + (29999).to_bytes(3, "little") * 2,
    "bmp": b"BM" + struct.pack("<IHHIIiiHHIIiiII", 100, 0, 0, 54, 40, 30000, -30000, 1, 24, 0, 0, 0, 0, 0, 0),
}


@pytest.mark.parametrize("kind", SIZES)
def test_a_size_is_judged_by_the_header(tmp_path, kind):
    path = tmp_path / f"a.{kind}"
    path.write_bytes(SIZES[kind])
    with pytest.raises(SequenceError, match=r"30000x30000 are more than 134217728 pixels;.*run\.max_pixels=900000000"):
        read_pixels(path)


@pytest.mark.parametrize("kind", SIZES)
def test_the_limit_is_a_setting(tmp_path, kind):
    path = tmp_path / f"a.{kind}"
    cv2.imwrite(str(path), np.zeros((80, 100, 3), np.uint8))
    assert read_pixels(path, 8000).shape == (80, 100, 3)
    with pytest.raises(SequenceError, match="100x80 are more than 7999 pixels"):
        read_pixels(path, 7999)


def test_a_video_is_judged_before_it_is_decoded(tmp_path):
    clip = encode(tmp_path / "a.mp4", scene(3))
    assert probe(clip, largest=96 * 64).width == 96
    with pytest.raises(SequenceError, match=r"a\.mp4: 96x64 are more than 6143 pixels"):
        probe(clip, largest=96 * 64 - 1)


def test_a_pipe_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "a.png")
    with pytest.raises(SequenceError, match="not a file"):
        read_pixels(tmp_path / "a.png")


@pytest.mark.parametrize(("shift", "told"), [(0, None), (2, 14), (4, 12), (6, 10), (8, 8)])
def test_few_bits_in_files_of_many_are_told(tmp_path, shift, told):
    for number in range(2):
        cv2.imwrite(str(tmp_path / f"{number}.tif"), np.full((64, 96, 3), 65535 >> shift, np.uint16))
    info = probe(tmp_path, 240)
    assert info.used_bits == told
    if told:
        assert f"{2**shift} times too dark" in few_bits(info)

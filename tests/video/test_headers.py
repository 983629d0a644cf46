"""What the first bytes of pictures tell, of every kind that is read."""

import struct
import zlib

import cv2
import numpy as np
import pytest

from lolblur_synth.video.headers import Colours, UnreadableError, read_header

PICTURE = np.zeros((6, 10, 3), np.uint8)


def encoded(suffix: str) -> bytes:
    return cv2.imencode(suffix, PICTURE)[1].tobytes()


def chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def png_with(*chunks: bytes) -> bytes:
    data = encoded(".png")
    return data[:33] + b"".join(chunks) + data[33:]  # after IHDR


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".webp", ".bmp"])
def test_sizes_are_told_and_the_colours_are_srgb(suffix):
    header = read_header(encoded(suffix))
    assert (header.width, header.height, header.pictures, header.colours) == (10, 6, 1, Colours())


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".webp", ".bmp"])
def test_a_header_that_is_cut_off_is_refused(suffix):
    with pytest.raises(UnreadableError, match="its header is"):
        read_header(encoded(suffix)[:14])


def test_another_kind_of_file_has_none():
    assert read_header(b"GIF89a") is None
    assert read_header(b"") is None


def test_colours_of_a_png_go_before_one_another_as_its_standard_says():
    cicp, gamma = chunk(b"cICP", bytes((9, 16, 0, 1))), chunk(b"gAMA", struct.pack(">I", 45455))
    icc, srgb = chunk(b"iCCP", b"name\0\0" + zlib.compress(b"profile")), chunk(b"sRGB", b"\0")
    assert read_header(png_with(gamma, srgb, icc, cicp)).colours == Colours(cicp=(9, 16, 0, 1))
    assert read_header(png_with(gamma, srgb, icc)).colours == Colours(icc=b"profile")
    assert read_header(png_with(gamma, srgb)).colours == Colours()
    assert read_header(png_with(gamma)).colours == Colours(gamma=45455)


def test_pictures_that_move_are_counted():
    assert read_header(png_with(chunk(b"acTL", struct.pack(">II", 7, 0)))).pictures == 7

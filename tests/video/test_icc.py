"""Colours that pictures declare: sRGB is left bit by bit, others are converted as LittleCMS does, or refused."""

import io
import struct

import cv2
import numpy as np
import pytest
import tifffile
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageCms

from lolblur_synth.core.errors import SequenceError
from lolblur_synth.video.images import read_pixels
from tests.support.profiles import (
    ADOBE_RGB,
    DISPLAY_P3,
    SRGB,
    chunk,
    curv,
    fixed,
    iccp,
    into_png,
    matrix_profile,
    para,
    profile,
)

RNG = np.random.default_rng(0)
GAMMA_ADOBE = curv(563)
P3, ADOBE = matrix_profile(DISPLAY_P3), matrix_profile(ADOBE_RGB, GAMMA_ADOBE)
TABLE = curv(*(round(65535 * (i / 1023) ** 1.8) for i in range(1024)))
OTHERS = {
    "p3": P3,
    "adobe": ADOBE,
    "table": matrix_profile(SRGB, TABLE),
    "linear": matrix_profile(SRGB, curv()),
    "power": matrix_profile(SRGB, para(0, 1.8)),
    "shifted": matrix_profile(SRGB, para(1, 2.2, 0.95, 0.05)),
    "raised": matrix_profile(SRGB, para(2, 2.2, 0.9, 0.05, 0.04)),
    "rec709": matrix_profile(SRGB, para(4, 1 / 0.45, 1 / 1.099, 0.099 / 1.099, 1 / 4.5, 0.081, 0, 0)),
}


def picture(dtype=np.uint8) -> np.ndarray:
    return RNG.integers(0, np.iinfo(dtype).max, (32, 48, 3), dtype, endpoint=True)


def png(pixels, *chunks) -> bytes:
    return into_png(cv2.imencode(".png", pixels[..., ::-1])[1].tobytes(), *chunks)


def read(tmp_path, data: bytes) -> np.ndarray:
    (tmp_path / "a.png").write_bytes(data)
    return read_pixels(tmp_path / "a.png")


def by_littlecms(pixels, icc: bytes) -> np.ndarray:
    srgb = ImageCms.ImageCmsProfile(io.BytesIO(matrix_profile(SRGB)))
    source = ImageCms.ImageCmsProfile(io.BytesIO(icc))
    return np.asarray(
        ImageCms.profileToProfile(Image.fromarray(pixels), source, srgb, flags=ImageCms.Flags.HIGHRESPRECALC)
    )


@pytest.mark.parametrize("name", OTHERS)
def test_a_profile_is_converted_as_littlecms_does(tmp_path, name):
    pixels = picture()
    distance = np.abs(read(tmp_path, png(pixels, iccp(OTHERS[name]))).astype(int) - by_littlecms(pixels, OTHERS[name]))
    assert distance.max() <= 1


def test_known_colours_of_display_p3(tmp_path):
    """Grey stays, and sRGB's red is (0.9176, 0.2003, 0.1386) there (CSS Color 4); what lies further out is clipped."""
    codes = np.array([[[128, 128, 128], [234, 51, 35], [255, 0, 0], [255, 255, 255], [0, 0, 0]]], np.uint8)
    found = read(tmp_path, png(codes, iccp(P3)))[0]
    assert np.abs(found.astype(int) - [[128] * 3, [255, 0, 0], [255, 0, 0], [255] * 3, [0] * 3]).max() <= 2


def test_sixteen_bits_keep_their_depth(tmp_path):
    codes = np.arange(65536, dtype=np.uint16).reshape(256, 256)
    found = read(tmp_path, png(np.dstack([codes] * 3), iccp(P3)))  # greys stay what they are
    assert found.dtype == np.uint16
    assert np.abs(found.astype(int) - codes[..., None]).max() <= 8


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_srgb_by_any_name_is_left_bit_by_bit(tmp_path, dtype):
    pixels = picture(dtype)
    table = curv(
        *(
            round(65535 * ((v + 0.055) / 1.055) ** 2.4 if v > 0.04045 else 65535 * v / 12.92)
            for v in np.linspace(0, 1, 1024)
        )
    )
    own = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    means = [
        [],
        [iccp(matrix_profile(SRGB))],
        [iccp(matrix_profile(SRGB, table))],
        [iccp(own)],
        [chunk(b"sRGB", b"\0"), chunk(b"gAMA", struct.pack(">I", 100000))],
        [chunk(b"gAMA", struct.pack(">I", 45455))],
        [chunk(b"cHRM", struct.pack(">8I", 31270, 32900, 64000, 33000, 30000, 60000, 15000, 6000))],
        [chunk(b"cICP", bytes([1, 13, 0, 1])), iccp(P3)],
    ]
    for chunks in means:
        assert np.array_equal(read(tmp_path, png(pixels, *chunks)), pixels)


def test_every_way_to_say_display_p3_says_the_same(tmp_path):
    pixels = picture()
    chromaticities = struct.pack(">8I", 31270, 32900, 68000, 32000, 26500, 69000, 15000, 6000)
    by_chunks = read(tmp_path, png(pixels, chunk(b"cHRM", chromaticities)))
    for chunks in ([iccp(P3)], [chunk(b"cICP", bytes([12, 13, 0, 1]))]):
        assert np.abs(read(tmp_path, png(pixels, *chunks)).astype(int) - by_chunks).max() <= 1
    assert np.abs(by_chunks.astype(int) - pixels).max() > 20


def test_linear_light_told_by_gama_is_encoded(tmp_path):
    """The code for half of the light is 188 (0.7354 by IEC 61966-2-1)."""
    found = read(tmp_path, png(np.full((2, 2, 3), 32768, np.uint16), chunk(b"gAMA", struct.pack(">I", 100000))))
    assert np.abs(found / 65535 - 0.7354).max() < 1e-4


@pytest.mark.parametrize("kind", ["jpg", "webp", "tif", "tif16", "bmp"])
def test_profiles_in_other_kinds(tmp_path, kind):
    pixels = np.ascontiguousarray(cv2.resize(picture()[:4, :6], (48, 32), interpolation=cv2.INTER_CUBIC))
    path, image = tmp_path / f"a.{kind.removesuffix('16')}", Image.fromarray(pixels)
    for icc in (None, ADOBE):
        if kind == "tif16":
            tifffile.imwrite(path, pixels.astype(np.uint16) * 257, photometric="rgb", iccprofile=icc)
        elif kind == "bmp":
            path.write_bytes(bmp(pixels, icc))
        else:
            image.save(path, lossless=True, **({"icc_profile": icc} if icc else {}))
        found = read_pixels(path) // (257 if kind == "tif16" else 1)
        if icc is None:
            plain = found.astype(np.uint8)
    assert np.abs(found.astype(int) - by_littlecms(plain, ADOBE)).max() <= 1
    assert np.abs(found.astype(int) - plain).max() > 10


def bmp(pixels, icc: bytes | None) -> bytes:
    """Version 5 of the header, 24 bits, bottom up."""
    rows = np.ascontiguousarray(pixels[::-1, :, ::-1]).tobytes()
    height, width = pixels.shape[:2]
    space = b"DEBM" if icc else b"BGRs"
    head = struct.pack("<IiiHHIIiiII", 124, width, height, 1, 24, 0, len(rows), 2835, 2835, 0, 0) + bytes(16) + space
    head += bytes(48) + struct.pack("<IIII", 4, 124 + len(rows) if icc else 0, len(icc or b""), 0)
    return b"BM" + struct.pack("<IHHI", 138 + len(rows), 0, 0, 138) + head + rows + (icc or b"")


def test_a_profile_in_several_segments_of_a_jpeg(tmp_path):
    image = Image.fromarray(picture())
    large = profile(
        {f"{c}XYZ".encode(): b"XYZ " + bytes(4) + fixed(*xyz) for c, xyz in zip("rgb", ADOBE_RGB, strict=True)}
        | {f"{c}TRC".encode(): GAMMA_ADOBE for c in "rgb"}
        | {b"junk": bytes(150_000)}
    )
    found = []
    for icc in (ADOBE, large):
        image.save(tmp_path / "a.jpg", icc_profile=icc, quality=95)
        found.append(read_pixels(tmp_path / "a.jpg"))
    assert np.array_equal(*found)


def test_adobe_rgb_by_exif_alone_as_cameras_write_it(tmp_path):
    exif = Image.Exif()
    exif[0x8769] = {0xA001: 0xFFFF, 0xA005: {1: "R03", 2: b"0100"}}
    image = Image.fromarray(cv2.resize(picture()[:4, :6], (48, 32)))
    image.save(tmp_path / "a.jpg", exif=exif, quality=95)
    image.save(tmp_path / "b.jpg", icc_profile=ADOBE, quality=95)
    found, expected = read_pixels(tmp_path / "a.jpg"), read_pixels(tmp_path / "b.jpg")
    assert np.abs(found.astype(int) - expected).max() <= 1


def test_a_profile_of_grey(tmp_path):
    grey = picture()[..., 1]
    icc = profile({b"kTRC": curv(461)}, space=b"GRAY")  # a power of 1.8
    data = into_png(cv2.imencode(".png", grey)[1].tobytes(), iccp(icc))
    linear = (grey / 255) ** (461 / 256)
    expected = 255 * np.where(linear > 0.0031308, 1.055 * linear ** (1 / 2.4) - 0.055, 12.92 * linear)
    assert np.abs(read(tmp_path, data)[..., 0] - expected).max() <= 0.51


REFUSED = {
    "table": (iccp(profile({b"A2B0": b"mft2" + bytes(60)})), "works by a table"),
    "cmyk": (iccp(profile({}, space=b"CMYK")), "is of CMYK"),
    "damaged": (iccp(matrix_profile(SRGB, b"curv")), "profile is damaged"),
    "singular": (chunk(b"cHRM", bytes(32)), "profile is damaged"),
    "gamma": (chunk(b"gAMA", struct.pack(">I", 1)), "profile is damaged"),
    "pq": (chunk(b"cICP", bytes([9, 16, 0, 1])), "transfer is PQ, not SDR"),
    "narrow": (chunk(b"cICP", bytes([1, 13, 0, 0])), "cICP 1/13/0/0"),
    "grey for colours": (iccp(profile({b"kTRC": curv(461)}, space=b"GRAY")), "one of grey pictures"),
    "moving": (chunk(b"acTL", struct.pack(">II", 7, 0)), "7 pictures that move"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_not_known_is_refused_in_one_line(tmp_path, name):
    extra, told = REFUSED[name]
    with pytest.raises(SequenceError, match=rf"a\.png: .*{told}") as error:
        read(tmp_path, png(picture(), extra))
    assert "\n" not in str(error.value)


def test_a_jpeg_in_cmyk_is_refused(tmp_path):
    Image.fromarray(picture()).convert("CMYK").save(tmp_path / "a.jpg")
    with pytest.raises(SequenceError, match="CMYK; convert it to sRGB"):
        read_pixels(tmp_path / "a.jpg")


def test_a_webp_that_moves_is_refused(tmp_path):
    first, second = (Image.fromarray(picture()) for _ in range(2))
    first.save(tmp_path / "a.webp", save_all=True, append_images=[second])
    with pytest.raises(SequenceError, match="2 pictures that move"):
        read_pixels(tmp_path / "a.webp")


@given(at=st.integers(0, len(P3) - 1), value=st.integers(0, 255))
def test_a_damaged_profile_is_converted_or_refused(tmp_path_factory, at, value):
    icc = bytearray(P3)
    icc[at] = value
    path = tmp_path_factory.mktemp("icc") / "a.png"
    path.write_bytes(png(picture()[:4, :4], iccp(bytes(icc))))
    told = ""
    try:
        assert read_pixels(path).shape == (4, 4, 3)
    except SequenceError as error:
        told = str(error)
    assert not told or ("profile" in told and "\n" not in told)

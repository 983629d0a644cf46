"""TIFF files of every structure: read right, or refused in words that say what to do."""

import struct

import cv2
import numpy as np
import pytest
import tifffile

from lolblur_synth.core.errors import SequenceError
from lolblur_synth.video.headers import UnreadableError
from lolblur_synth.video.images import decode_floats, read_pixels
from lolblur_synth.video.tiff import read_float_tiff
from tests.support.profiles import DISPLAY_P3, SRGB, SRGB_CURVE, curv, matrix_profile

RNG = np.random.default_rng(0)
LAYOUTS = [
    {},
    {"tile": (16, 16)},
    {"planarconfig": "separate"},
    {"planarconfig": "separate", "tile": (16, 16)},
    {"bigtiff": True},
    {"byteorder": ">"},
    {"compression": "zlib"},
    {"compression": "zlib", "predictor": 2, "byteorder": ">"},
    {"rowsperstrip": 7},
]


def noise(channels: int, dtype) -> np.ndarray:
    return RNG.integers(0, np.iinfo(dtype).max, (40, 56, channels), dtype)


def write(path, samples, bigtiff=False, byteorder=None, **options):
    with tifffile.TiffWriter(path, bigtiff=bigtiff, byteorder=byteorder) as writer:
        writer.write(samples, **options)
    return path


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize(
    ("channels", "layout"),  # grey, which has no planes that lie apart, grey and alpha, RGB, RGB and alpha
    [
        (channels, layout)
        for channels in (1, 2, 3, 4)
        for layout in LAYOUTS
        if channels > 1 or "planarconfig" not in layout
    ],
    ids=str,
)
def test_every_layout_gives_the_samples_that_went_in(tmp_path, channels, layout, dtype):
    samples = noise(channels, dtype)
    colours = {"photometric": "rgb" if channels >= 3 else "minisblack"}
    if channels in (2, 4):
        colours["extrasamples"] = ["unassalpha"]
        colours.setdefault("planarconfig", "contig")
    stored = samples.transpose(2, 0, 1) if layout.get("planarconfig") == "separate" else samples
    path = write(tmp_path / "a.tif", stored[..., 0] if channels == 1 else stored, **(colours | layout))
    expected = samples[..., :3] if channels >= 3 else np.repeat(samples[..., :1], 3, 2)
    found = read_pixels(path)
    assert (found.dtype, found.shape) == (dtype, expected.shape)
    assert np.array_equal(found, expected)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_white_as_zero_is_no_negative(tmp_path, dtype):
    grey = noise(1, dtype)[..., 0]
    path = write(tmp_path / "a.tif", np.iinfo(dtype).max - grey, photometric="miniswhite")
    assert np.array_equal(read_pixels(path)[..., 1], grey)


def test_a_palette_is_looked_up(tmp_path):
    table = RNG.integers(0, 256, (3, 256), np.uint16)
    indices = noise(1, np.uint8)[..., 0]
    path = write(tmp_path / "a.tif", indices, photometric="palette", colormap=table * 257)
    assert np.array_equal(read_pixels(path), table.T[indices])


@pytest.mark.parametrize("orientation", range(1, 9))
def test_it_is_turned_as_its_tag_says_and_as_opencv_does(tmp_path, orientation):
    samples = noise(3, np.uint16)
    path = write(tmp_path / "a.tif", samples, photometric="rgb", extratags=[(274, 3, 1, orientation, True)])
    data = np.fromfile(path, np.uint8)  # imread of 5.0 refuses what imdecode turns
    expected = cv2.imdecode(data, cv2.IMREAD_COLOR | cv2.IMREAD_ANYDEPTH)[..., ::-1]
    assert np.array_equal(read_pixels(path), expected)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_lzw_is_left_to_opencv(tmp_path, dtype):
    samples = noise(3, dtype)
    cv2.imwrite(str(tmp_path / "a.tif"), samples[..., ::-1], [cv2.IMWRITE_TIFF_COMPRESSION, 5])
    assert np.array_equal(read_pixels(tmp_path / "a.tif"), samples)


def as_lzw(path):
    """Let a file say that it is packed by LZW, which decides who reads it."""
    patched(path, 259, 3, 5)


@pytest.mark.parametrize(
    ("channels", "dtype", "options", "told"),
    [
        (3, np.uint16, {"photometric": "rgb", "planarconfig": "separate"}, "planes that lie apart"),
        (1, np.uint16, {"photometric": "miniswhite"}, "white as zero"),
        (4, np.uint8, {"photometric": "rgb", "extrasamples": ["unassalpha"]}, "alpha"),
    ],
)
def test_what_opencv_reads_wrong_is_refused_where_only_it_unpacks(tmp_path, channels, dtype, options, told):
    samples = noise(channels, dtype)
    if options.get("planarconfig"):
        samples = samples.transpose(2, 0, 1)
    as_lzw(write(tmp_path / "a.tif", samples[..., 0] if channels == 1 else samples, **options))
    with pytest.raises(SequenceError, match=rf"with {told}, packed by LZW, .*-compress Zip"):
        read_pixels(tmp_path / "a.tif")


REFUSED = {
    "stack": (np.zeros((30, 40, 56, 3), np.uint8), {"photometric": "rgb"}, "a stack of several pictures; write each"),
    "imagej": (np.zeros((5, 40, 56), np.uint16), {"imagej": True}, "a stack of several pictures"),
    "volume": (np.zeros((5, 32, 48), np.uint8), {"volumetric": True, "tile": (1, 16, 16)}, "a stack of several"),
    "float": (np.zeros((40, 56, 3), np.float32), {"photometric": "rgb"}, "float32 samples; 8- and 16-bit integer"),
    "half": (np.zeros((40, 56), np.float16), {}, "float16 samples"),
    "signed": (np.zeros((40, 56), np.int16), {}, "int16 samples"),
    "deep": (np.zeros((40, 56), np.uint32), {}, "uint32 samples"),
    "cmyk": (np.zeros((40, 56, 4), np.uint8), {"photometric": "separated"}, "CMYK; write it as RGB"),
    "lab": (np.zeros((40, 56, 3), np.uint8), {"photometric": "cielab"}, "CIE Lab; write it as RGB"),
    "many": (np.zeros((40, 56, 20), np.uint8), {"photometric": "minisblack", "planarconfig": "contig"}, None),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_no_picture_of_integers_is_refused_in_our_words(tmp_path, name):
    samples, options, told = REFUSED[name]
    if told is None:  # twenty channels: the first is grey, the others are extra
        assert read_pixels(_saved(tmp_path, samples, options)).shape == (40, 56, 3)
        return
    with pytest.raises(SequenceError, match=rf"a\.tif: .*{told}") as error:
        read_pixels(_saved(tmp_path, samples, options))
    assert "\n" not in str(error.value)


def _saved(folder, samples, options):
    tifffile.imwrite(folder / "a.tif", samples, **options)
    return folder / "a.tif"


def test_a_thumbnail_beside_the_picture_is_passed_over(tmp_path):
    samples = noise(3, np.uint16)
    with tifffile.TiffWriter(tmp_path / "a.tif") as writer:
        writer.write(samples, photometric="rgb", metadata=None)
        writer.write(np.zeros((8, 8, 3), np.uint8), photometric="rgb", subfiletype=1, metadata=None)
    assert np.array_equal(read_pixels(tmp_path / "a.tif"), samples)


@pytest.mark.parametrize("compression", [None, "zlib"])
@pytest.mark.parametrize("left", [5, 9, 200, 5000, 13000])
def test_a_file_that_is_cut_off_is_named(tmp_path, compression, left):
    path = write(tmp_path / "a.tif", noise(3, np.uint16), photometric="rgb", compression=compression)
    path.write_bytes(path.read_bytes()[:left])
    with pytest.raises(SequenceError, match=r"a\.tif: not a picture that can be decoded") as error:
        read_pixels(path)
    assert "\n" not in str(error.value)


def tag(number: int, kind: int) -> bytes:
    return struct.pack("<HHI", number, kind, 1)


def patched(path, number: int, kind: int, value: int):
    """Another value of a tag."""
    data = bytearray(path.read_bytes())
    at = data.index(tag(number, kind)) + 8
    data[at : at + 4] = value.to_bytes(4, "little")
    path.write_bytes(bytes(data))


@pytest.mark.parametrize(
    ("number", "kind", "value", "told"),
    [
        (262, 3, 2, "fewer than three samples"),
        (257, 4, 0, "of 4x0 pixels"),
        (278, 4, 1, "parts of it are missing"),  # a row in each strip, of which there is one
    ],
)
def test_a_header_that_contradicts_itself(tmp_path, number, kind, value, told):
    path = write(tmp_path / "a.tif", np.zeros((4, 4), np.uint8), photometric="minisblack")
    patched(path, number, kind, value)
    with pytest.raises(SequenceError, match=f"not a picture that can be decoded.*{told}"):
        read_pixels(path)


def test_a_header_that_promises_too_much_is_not_believed(tmp_path):
    path = write(tmp_path / "a.tif", np.zeros((4, 4), np.uint8), photometric="minisblack")
    for number in (256, 257):
        patched(path, number, 4, 30000)
    with pytest.raises(SequenceError, match=r"30000x30000 are more than .* pixels; .*run\.max_pixels=900000000"):
        read_pixels(path)


FLOATS = np.random.default_rng(1).random((12, 16, 3), np.float32) * 4
STRAIGHT = curv()


def anything(width: int, height: int) -> None:
    pass


def floats(path):
    return read_float_tiff(path.read_bytes(), anything, decode_floats)


@pytest.mark.parametrize("packing", [1, 5, 8, 32946])
@pytest.mark.parametrize("predictor", [1, 3])
def test_floats_come_back_however_they_are_packed(tmp_path, packing, predictor):
    options = [cv2.IMWRITE_TIFF_COMPRESSION, packing, cv2.IMWRITE_TIFF_PREDICTOR, predictor]
    cv2.imwrite(str(tmp_path / "a.tif"), FLOATS[..., ::-1], options)
    np.testing.assert_array_equal(floats(tmp_path / "a.tif"), FLOATS)


@pytest.mark.parametrize("dtype", [np.float16, np.float32])
def test_grey_floats_are_spread_and_alpha_is_dropped(tmp_path, dtype):
    samples = FLOATS.astype(dtype)
    tifffile.imwrite(tmp_path / "a.tif", samples[..., 0], photometric="minisblack")
    np.testing.assert_array_equal(floats(tmp_path / "a.tif"), np.repeat(samples[..., :1], 3, 2))
    alpha = np.concatenate([samples, samples[..., :1]], -1)
    tifffile.imwrite(tmp_path / "a.tif", alpha, photometric="rgb", extrasamples=["unassalpha"])
    np.testing.assert_array_equal(floats(tmp_path / "a.tif"), samples)


def test_floats_of_a_profile_are_converted_if_its_curves_are_straight(tmp_path):
    def save(columns, curve):
        icc = matrix_profile(columns, curve)
        tifffile.imwrite(tmp_path / "a.tif", FLOATS, photometric="rgb", iccprofile=icc)
        return floats(tmp_path / "a.tif")

    np.testing.assert_allclose(save(SRGB, STRAIGHT), FLOATS)
    wide = save(DISPLAY_P3, STRAIGHT)
    to_srgb = np.linalg.inv(np.array(SRGB).T) @ np.array(DISPLAY_P3).T
    np.testing.assert_allclose(wide, np.maximum(FLOATS @ to_srgb.T, 0), atol=5e-3)
    with pytest.raises(UnreadableError, match="a colour profile whose curves are not linear light"):
        save(SRGB, SRGB_CURVE)
    with pytest.raises(UnreadableError, match="a colour profile whose curves are not linear light"):
        save(DISPLAY_P3, SRGB_CURVE)


def test_floats_that_are_cut_off_or_of_other_sizes_are_refused(tmp_path):
    tifffile.imwrite(tmp_path / "a.tif", FLOATS.astype(np.float64), photometric="rgb")
    with pytest.raises(UnreadableError, match="float64 samples; write floats of 16 or 32 bits"):
        floats(tmp_path / "a.tif")
    tifffile.imwrite(tmp_path / "a.tif", FLOATS, photometric="rgb")
    data = (tmp_path / "a.tif").read_bytes()
    (tmp_path / "a.tif").write_bytes(data[:-40])
    with pytest.raises(UnreadableError, match="it is cut off"):
        floats(tmp_path / "a.tif")

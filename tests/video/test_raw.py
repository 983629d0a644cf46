"""RAW files of known samples: pattern, levels and colours by place, and what is no Bayer mosaic."""

import re
from pathlib import Path

import numpy as np
import pytest
import tifffile

from lolblur_synth.core.errors import SequenceError
from lolblur_synth.mosaic.pattern import PATTERNS
from lolblur_synth.video.raw import is_raw, read_raw
from tests.support.raws import SONY, write_dng

FRAME = np.random.default_rng(0).integers(500, 4000, (64, 96)).astype(np.uint16)
LEVELS = (500.0, 510.0, 520.0, 530.0)


@pytest.mark.parametrize("pattern", PATTERNS)
def test_levels_go_by_place_as_the_file_has_them(tmp_path, pattern):
    """LibRaw gives them by colour."""
    raw = read_raw(write_dng(tmp_path / "a.dng", FRAME, pattern, LEVELS, 4000))
    np.testing.assert_array_equal(raw.samples, FRAME)
    assert (raw.pattern, raw.black, raw.white, raw.camera) == (pattern, LEVELS, 4000, "Test Camera")
    assert raw.balance == pytest.approx((2.0, 1.6))
    np.testing.assert_allclose(raw.matrix, SONY)


@pytest.mark.parametrize("bits", [10, 12, 14])
def test_packed_samples_are_exact(tmp_path, bits):
    frame = (FRAME % (1 << bits)).astype(np.uint16)
    np.testing.assert_array_equal(read_raw(write_dng(tmp_path / "a.dng", frame, bits=bits)).samples, frame)


@pytest.mark.parametrize(
    ("corner", "pattern", "order"),
    [((1, 3), "BGGR", (3, 2, 1, 0)), ((1, 2), "GBRG", (2, 3, 0, 1)), ((2, 1), "GRBG", (1, 0, 3, 2))],
)
def test_an_active_area_that_begins_at_an_odd_pixel_keeps_colours_and_levels_together(tmp_path, corner, pattern, order):
    """LibRaw goes on to the next even one, with the pattern but not with the levels."""
    top, left = corner
    area = ((50829, "I", 4, (top, left, 61, 91), True),)
    raw = read_raw(write_dng(tmp_path / "a.dng", FRAME, "RGGB", LEVELS, tags=area))
    np.testing.assert_array_equal(raw.samples, FRAME[top + top % 2 : 61, left + left % 2 : 91])
    assert (raw.pattern, raw.black) == (pattern, tuple(LEVELS[at] for at in order))


def test_the_matrix_is_that_of_the_light_nearest_to_d65(tmp_path):
    second = ((50722, "2i", 9, [part for value in range(1, 10) for part in (value, 10)], True),)
    lamp = read_raw(write_dng(tmp_path / "a.dng", FRAME, illuminant=17, tags=(*second, (50779, "H", 1, 21, True))))
    np.testing.assert_allclose(lamp.matrix, np.arange(1, 10).reshape(3, 3) / 10)
    assert lamp.matrix_source == "its ColorMatrix2, D65"
    nearer = read_raw(write_dng(tmp_path / "b.dng", FRAME, illuminant=21, tags=(*second, (50779, "H", 1, 23, True))))
    assert nearer.matrix_source == "its ColorMatrix1, D65"
    assert read_raw(write_dng(tmp_path / "c.dng", FRAME, illuminant=17)).matrix is None


def test_floats_are_read_as_they_are(tmp_path):
    """LibRaw makes 14 bits of them, by each file's own maximum."""
    frame = (FRAME / 1000).astype(np.float32)
    for dtype in (np.float32, np.float16):
        stored = frame.astype(dtype)
        raw = read_raw(write_dng(tmp_path / "a.dng", stored, "GRBG", 0, 1))
        np.testing.assert_array_equal(raw.samples, stored.astype(np.float32))
        assert (raw.pattern, raw.white, raw.balance) == ("GRBG", 1, pytest.approx((2, 1.6)))


def test_names():
    assert [is_raw(Path(name)) for name in ("a.DNG", "b.cr3", "._a.dng", "a.png")] == [True, True, False, False]


def refusal(path, largest: int = 2**20) -> str:
    with pytest.raises(SequenceError) as caught:
        read_raw(path, largest)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_what_is_refused(tmp_path):
    path = write_dng(tmp_path / "a.dng", FRAME)
    assert "96x64 are more than 6143 pixels" in refusal(path, 6143)
    path.write_bytes(path.read_bytes()[:4000])
    assert refusal(path).endswith("it is cut off")
    assert "cannot be read: No such file" in refusal(tmp_path / "none.dng")
    assert "float DNG packed" in refusal(write_dng(tmp_path / "f.dng", FRAME.astype(np.float64)))
    assert "its black level 512 is not below its white level 400" in refusal(
        write_dng(tmp_path / "w.dng", FRAME, white=400)
    )
    preview = [(50706, "B", 4, bytes((1, 4, 0, 0)), True)]
    tifffile.imwrite(tmp_path / "p.dng", np.zeros((64, 96, 3), np.uint8), photometric="rgb", extratags=preview)
    assert "not a RAW file that can be decoded (Unsupported file format" in refusal(tmp_path / "p.dng")
    tifffile.imwrite(
        tmp_path / "l.dng", np.dstack([FRAME] * 3), photometric=34892, planarconfig="contig", extratags=preview
    )
    assert re.search("several colours a pixel", refusal(tmp_path / "l.dng"))
    tifffile.imwrite(tmp_path / "m.dng", FRAME, photometric="minisblack", extratags=preview)
    assert "not a RAW file" in refusal(tmp_path / "m.dng")

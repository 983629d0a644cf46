"""How frames are turned, squared, scaled and cropped."""

from fractions import Fraction

import cv2
import numpy as np
import pytest
import torch

from lolblur_synth.core.colorimetry import srgb_to_linear
from lolblur_synth.video.probe import probe
from lolblur_synth.video.reader import read_frames, read_stored
from lolblur_synth.video.scan import scan
from lolblur_synth.video.stored_scan import scan_stored
from tests.support.clips import encode, scene, show_by, textured, turn
from tests.support.light import write_light
from tests.support.videos import LOSSLESS, as_tensor, opened


@pytest.mark.parametrize(("rotation", "quarters"), [(90, 1), (180, 2), (270, 3), (-90, 3)])
def test_the_display_matrix_turns_frames_counter_clockwise(tmp_path, rotation, quarters):
    pictures = scene(2)
    clip = encode(tmp_path / "a.mp4", pictures, "libx264rgb", "rgb24", options=LOSSLESS)
    found = opened(turn(clip, rotation))
    upright = as_tensor(pictures).rot90(quarters, (2, 3))
    assert (found.info.width, found.info.height) == (upright.shape[3], upright.shape[2])
    assert found.info.rotation == rotation % 360
    assert torch.equal(torch.stack(list(read_frames(found, 0, 2))), upright)
    small = next(read_frames(found, 0, 1, (32, 32)))
    straight = opened(encode(tmp_path / "b.mp4", [np.ascontiguousarray(np.rot90(p, quarters)) for p in pictures],
                             "libx264rgb", "rgb24", options=LOSSLESS))  # fmt: skip
    assert torch.allclose(small, next(read_frames(straight, 0, 1, (32, 32))), atol=1e-6)


@pytest.mark.parametrize(
    ("matrix", "seen"),
    [  # x' = a x + c y, y' = b x + d y, y downwards (ISO/IEC 14496-12, 6.2.2)
        ((1, 0, 0, 1), lambda p: p),
        ((-1, 0, 0, 1), np.fliplr),
        ((1, 0, 0, -1), np.flipud),
        ((-1, 0, 0, -1), lambda p: p[::-1, ::-1]),
        ((0, 1, 1, 0), lambda p: p.swapaxes(0, 1)),
        ((0, -1, -1, 0), lambda p: p[::-1, ::-1].swapaxes(0, 1)),
        ((0, 1, -1, 0), lambda p: p[::-1].swapaxes(0, 1)),
        ((0, -1, 1, 0), lambda p: p[:, ::-1].swapaxes(0, 1)),
    ],
)
def test_a_display_matrix_may_mirror_too(tmp_path, matrix, seen):
    pictures = scene(2)
    clip = encode(tmp_path / "a.mp4", pictures, "libx264rgb", "rgb24", options=LOSSLESS)
    found = opened(show_by(clip, *(value << 16 for value in matrix)))
    upright = as_tensor([np.ascontiguousarray(seen(picture)) for picture in pictures])
    assert (found.info.width, found.info.height) == (upright.shape[3], upright.shape[2])
    assert found.info.mirrored == (matrix[0] * matrix[3] < matrix[1] * matrix[2])
    assert torch.equal(torch.stack(list(read_frames(found, 0, 2))), upright)
    assert torch.equal(torch.stack(list(read_stored(scan_stored(found.info)))), upright)
    small = next(read_frames(found, 0, 1, (40, 24)))
    straight = encode(tmp_path / "b.mp4", [np.ascontiguousarray(seen(picture)) for picture in pictures],
                      "libx264rgb", "rgb24", options=LOSSLESS)  # fmt: skip
    assert torch.allclose(small, next(read_frames(opened(straight), 0, 1, (40, 24))), atol=1e-6)


def test_pixels_become_square(tmp_path):
    clip = encode(tmp_path / "a.mp4", scene(2), "libx264rgb", "rgb24", options=LOSSLESS, aspect=Fraction(4, 3))
    found = opened(clip)
    assert (found.info.width, found.info.height) == (128, 64)
    wide = next(read_frames(found, 0, 1))
    stretched = cv2.resize(textured(0).astype(np.float32), (128, 64), interpolation=cv2.INTER_CUBIC)
    assert np.abs(wide.permute(1, 2, 0).numpy() * 255 - stretched.clip(0, 255)).max() < 1e-3
    assert next(read_frames(found, 0, 1, (64, 64))).shape == (3, 64, 64)


@pytest.mark.parametrize(
    ("size", "crop"),
    [((48, 32), (0, 96, 0, 64)), ((32, 32), (16, 80, 0, 64)), ((48, 16), (0, 96, 16, 48)), ((96, 32), (0, 96, 16, 48))],
)
def test_size_is_covered_and_the_middle_kept(tmp_path, size, crop):
    left, right, top, bottom = crop
    clip = encode(tmp_path / "a.mkv", scene(2), "ffv1", "bgr0")
    frame = next(read_frames(opened(clip), 1, 2, size))
    middle = as_tensor(scene(2))[1][:, top:bottom, left:right]
    expected = torch.nn.functional.avg_pool2d(middle, (middle.shape[1] // size[1], middle.shape[2] // size[0]))
    assert torch.allclose(frame, expected, atol=1e-6)


def test_enlarging_is_cubic_and_stays_in_range(tmp_path):
    edge = np.zeros((64, 96, 3), np.uint8)
    edge[:, 48:] = 255
    clip = encode(tmp_path / "a.mkv", [edge, edge], "ffv1", "bgr0")
    frame = next(read_frames(opened(clip), 0, 1, (288, 192)))
    expected = cv2.resize(edge.astype(np.float32) / 255, (288, 192), interpolation=cv2.INTER_CUBIC).clip(0, 1)
    assert np.abs(frame.permute(1, 2, 0).numpy() - expected).max() < 1e-6


def test_light_is_scaled_as_light_and_does_not_end_at_white(tmp_path):
    light = np.zeros((16, 24, 3), np.float32)
    light[4, 6] = 40  # a lamp of one pixel, in a block of four
    for number in range(2):
        write_light(tmp_path / f"{number}.exr", light)
    frame = next(read_frames(scan(probe(tmp_path, 250, white=2.0)), 0, 1, (12, 8)))
    assert float(srgb_to_linear(frame)[0, 2, 3]) == pytest.approx(40 / 2 / 4, rel=1e-5)
    larger = next(read_frames(scan(probe(tmp_path, 250, white=2.0)), 0, 1, (48, 32)))
    assert float(larger.min()) == 0
    assert float(srgb_to_linear(larger).max()) == pytest.approx(40 / 2 * 0.75**2, rel=1e-5)  # bilinear


def test_light_that_is_enlarged_rings_nowhere(tmp_path):
    """A lamp of forty times white before an even wall: nothing gets darker than the wall."""
    wall = np.full((24, 32, 3), 0.25, np.float32)
    wall[10:14, 14:18] = 40
    for number in range(8):
        write_light(tmp_path / f"{number}.exr", wall)
    frame = next(read_frames(scan(probe(tmp_path, 250, white=1.0)), 0, 1, (112, 84)))
    torch.testing.assert_close(srgb_to_linear(frame.amin()), torch.tensor(0.25), atol=1e-5, rtol=0)

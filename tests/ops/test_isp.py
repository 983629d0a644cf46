"""Sharpening and JPEG as the last steps: closed forms, and the same codes on every machine."""

import hashlib
import math
from itertools import product

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from lolblur_synth.core.errors import SequenceError
from lolblur_synth.ops.defocus import generalized_gaussian
from lolblur_synth.ops.isp import Jpeg, compress, process, sharpen
from lolblur_synth.video.images import dequantize, quantize, through_jpeg
from lolblur_synth.video.metadata import SUBSAMPLINGS, Subsampling
from tests.support.pictures import grey


def test_what_is_off_is_no_step():
    frame = torch.rand(3, 16, 16)
    assert process(frame, 0.0, 1.0, None) is frame


@pytest.mark.parametrize(("amount", "radius", "period"), [(0.5, 1.0, 4), (1.5, 0.7, 8), (0.8, 2.0, 16)])
def test_sharpening_gains_a_wave_by_what_a_gaussian_takes_of_it(amount, radius, period):
    wave = torch.cos(2 * math.pi * torch.arange(128) / period)
    kernel = generalized_gaussian(radius, radius, 0.0, 2.0).sum(0)
    offsets = torch.arange(len(kernel)) - len(kernel) // 2
    kept = (kernel * torch.cos(2 * math.pi * offsets / period)).sum()
    expected = 0.5 + 0.1 * (1 + amount * (1 - kept)) * wave
    sharpened = sharpen((0.5 + 0.1 * wave).expand(3, 64, 128), amount, radius)
    torch.testing.assert_close(sharpened[:, :, 32:-32], expected[32:-32].expand(3, 64, 64), atol=1e-5, rtol=0)
    assert kept == pytest.approx(math.exp(-2 * (math.pi * radius / period) ** 2), abs=0.05)  # of a Gaussian


def test_sharpening_overshoots_an_edge_alike_on_both_sides_and_leaves_what_is_flat():
    edge = torch.where(torch.arange(64) < 32, 0.3, 0.6).expand(3, 32, 64)
    sharpened = sharpen(edge, 1.0, 1.5)
    assert sharpened.min() < 0.25
    torch.testing.assert_close(sharpened + sharpened.flip(2), torch.full_like(edge, 0.9), atol=1e-6, rtol=0)
    torch.testing.assert_close(sharpened[:, :, :20], edge[:, :, :20], atol=1e-6, rtol=0)
    hard = torch.where(edge > 0.5, 1.0, 0.0)
    torch.testing.assert_close(sharpen(hard, 2.0, 1.0), hard, atol=1e-6, rtol=0)  # clipped


@pytest.mark.parametrize(("quality", "step"), [(100, 1), (75, 8), (50, 16), (25, 32)])
def test_flat_grey_is_rounded_to_the_steps_of_its_quality(quality, step):
    """The mean of a block counts eightfold, and is rounded to multiples of libjpeg's 16, scaled by the quality."""
    for code in range(256):
        decoded = through_jpeg(np.full((16, 16, 3), code, np.uint8), quality, "4:2:0")
        expected = min(255, 128 + round(8 * (code - 128) / step) * step / 8)
        halves = abs(8 * (code - 128) / step % 1 - 0.5) < 1e-9
        assert decoded.min() == decoded.max()
        assert abs(float(decoded[0, 0, 0]) - expected) <= 0.5 + (step / 8) * halves


@pytest.mark.parametrize(
    ("subsampling", "columns", "rows"), [("4:4:4", True, True), ("4:2:2", False, True), ("4:2:0", False, False)]
)
def test_chroma_is_subsampled_as_told(subsampling: Subsampling, columns: bool, rows: bool):
    """Two colours of one luma take turns from column to column, or from row to row: what is halved is their mean."""
    colors = np.array([[160, 100, 100], [82, 137, 119]], np.uint8)  # luma 118
    turns = np.arange(32) % 2
    for kept, picture in (
        (columns, np.broadcast_to(colors[turns][None], (32, 32, 3))),
        (rows, np.broadcast_to(colors[turns][:, None], (32, 32, 3))),
    ):
        decoded = through_jpeg(np.ascontiguousarray(picture), 100, subsampling).astype(int)
        apart = abs(decoded[8:-8, 8:-8] - np.array([160, 100, 100])).max()
        assert apart <= 80
        difference = decoded[..., 0].max() - decoded[..., 0].min()
        assert difference > 70 if kept else difference <= 4


@given(
    st.integers(1, 40), st.integers(1, 40), st.integers(1, 100), st.sampled_from(SUBSAMPLINGS), st.integers(0, 2**32)
)
def test_any_picture_keeps_its_size_and_comes_in_codes(height, width, quality, subsampling, seed):
    frame = torch.rand(3, height, width, generator=torch.Generator().manual_seed(seed))
    before = frame.clone()
    made = compress(frame, Jpeg(quality, subsampling))
    assert made.shape == frame.shape
    assert torch.equal(made, dequantize(quantize(made)))
    assert torch.equal(frame, before)
    assert torch.equal(made, compress(frame, Jpeg(quality, subsampling)))


def test_quality_is_quality():
    frame = torch.rand(3, 64, 64, generator=torch.Generator().manual_seed(0))
    errors = [(compress(frame, Jpeg(quality, "4:4:4")) - frame).square().mean().item() for quality in (100, 90, 60, 20)]
    assert errors == sorted(errors)
    assert errors[0] < 2e-5 < 1e-3 < errors[-1]
    assert (compress(grey(0.5, 32), Jpeg(100, "4:2:0")) - 128 / 255).abs().max() < 1e-6


@pytest.mark.everywhere
def test_jpeg_gives_the_same_codes_on_every_machine():
    """Of OpenCV 4.10 and 5.0 alike; other codes change datasets, and raise `VERSION`."""
    y, x, channel = np.ogrid[:67, :101, :3]
    texture = ((x * x * 7 + y * y * 3 + x * y * (channel + 2)) // 16 + 40 * channel) % 256
    pixels = np.ascontiguousarray(np.where(x < 60, texture, (2 * x + y) % 256), dtype=np.uint8)
    digest = hashlib.sha256()
    for quality, subsampling in product((1, 30, 60, 90, 100), SUBSAMPLINGS):
        digest.update(through_jpeg(pixels, quality, subsampling).tobytes())
    assert digest.hexdigest() == "07968fbf756c5e07c345cbe2428d1fb7adff219808b0be959887472e700ba55d"


def test_a_side_that_jpeg_cannot_hold_is_told():
    with pytest.raises(SequenceError, match=r"^JPEG cannot hold 65536x2; give a smaller video\.size, or isp"):
        compress(torch.zeros(3, 2, 65536), Jpeg(90, "4:2:0"))

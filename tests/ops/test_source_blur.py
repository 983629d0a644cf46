"""Blur that frames have themselves, on scenes whose shutter is known."""

import math

import pytest
import torch
from torch import Tensor

from lolblur_synth.apps.demo import PHOTOS
from lolblur_synth.core.colorimetry import linear_to_srgb, srgb_to_linear
from lolblur_synth.ops.exposure import average
from lolblur_synth.ops.optical_flow import dis_flow, grey
from lolblur_synth.ops.source_blur import Patch, SourceBlur, exposure_ratio, moving_patches
from lolblur_synth.scenes import Scene, glide, render
from lolblur_synth.video.images import read_image

SIZE = (288, 384)


@pytest.fixture(scope="module")
def photo() -> Tensor:
    return read_image(PHOTOS / "window.jpg")


def patches(photo: Tensor, speed: float, angle: float, ratio: float, noise: float = 1.0) -> list[Patch]:
    """Of a steady pan, each frame exposed for a share of the time to the next."""
    scene = Scene(photo, glide(speed * math.cos(angle), speed * math.sin(angle)))
    moments = [(step + 0.5) / 16 - 0.5 for step in range(16)] if ratio else [0.0]
    generator = torch.Generator().manual_seed(0)

    def shot(t: float) -> Tensor:
        light = average(srgb_to_linear(render(scene, t + ratio * moment, SIZE)) for moment in moments)
        return grey((linear_to_srgb(light) + torch.randn(3, *SIZE, generator=generator) * noise / 255).clamp(0, 1))

    frames = shot(0), shot(1)
    return moving_patches(frames[0], dis_flow(*frames))


def seen(*parts: list[Patch]) -> SourceBlur:
    found = exposure_ratio([patch for part in parts for patch in part])
    assert found
    return found


@pytest.mark.parametrize("ratio", [0.5, 0.75, 1.0])
def test_a_long_shutter_is_seen(photo, ratio):
    found = seen(patches(photo, 8, 0.3, ratio), patches(photo, 6, 1.2, ratio))
    assert found.ratio == pytest.approx(ratio, abs=0.15)
    assert found.evidence > 0.05


def test_a_short_shutter_is_not(photo):
    found = seen(patches(photo, 8, 0.3, 0.0), patches(photo, 6, 1.2, 0.0))
    assert found.ratio < 0.4 or found.evidence < 0.05


def test_what_stands_still_tells_nothing(photo):
    assert exposure_ratio(patches(photo, 0.5, 0.3, 1.0)) is None
    assert exposure_ratio([]) is None


def test_what_has_no_detail_tells_nothing():
    flow = torch.full((128, 128, 2), 5.0)
    assert moving_patches(torch.full((128, 128), 90, dtype=torch.uint8), flow) == []
    assert moving_patches(torch.zeros((20, 128), dtype=torch.uint8), flow[:20]) == []

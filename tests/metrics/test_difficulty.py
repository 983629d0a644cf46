"""Tiers at their bounds, and PSNR that does not depend on how dark a pair is."""

import math

import pytest
import torch
from torch import Tensor

from lolblur_synth.metrics.difficulty import EASY, EQUAL, HARD, psnr_in_light, tier_of


@pytest.mark.parametrize(
    ("psnr", "tier"),
    [
        (EQUAL, "easy"),
        (EASY, "easy"),
        (math.nextafter(EASY, 0), "medium"),
        (HARD, "medium"),
        (math.nextafter(HARD, 0), "hard"),
        (0, "hard"),
    ],
)
def test_bounds_belong_to_the_easier_tier(psnr, tier):
    assert tier_of(psnr) == tier


@pytest.fixture(scope="module")
def truth() -> Tensor:
    noise = torch.rand(3, 120, 160, generator=torch.Generator().manual_seed(1))
    return torch.nn.functional.avg_pool2d(noise, 9, 1) * 1.6 - 0.3


def blur(picture: Tensor, length: int) -> Tensor:
    return torch.stack([picture.roll(shift, 2) for shift in range(-(length // 2), length // 2 + 1)]).mean(0)


def psnr(one: Tensor, other: Tensor) -> float:
    return -10 * math.log10(float((one - other).square().mean()))


@pytest.mark.parametrize("length", [3, 9])
@pytest.mark.parametrize("dark", [lambda x: x / 8, lambda x: 0.05 + 0.3 * x, lambda x: x.clamp(min=0) ** 2 / 4])
def test_darkening_by_any_curve_changes_little(truth, length, dark):
    light = psnr(blur(truth, length), truth)
    found = psnr_in_light(dark(blur(truth, length)), dark(truth), truth)
    assert found == pytest.approx(light, abs=0.5)
    assert psnr(dark(blur(truth, length)), dark(truth)) > light + 5  # what it would be in the dark


def test_more_blur_is_harder(truth):
    values = [psnr_in_light(blur(truth, length) / 5, truth / 5, truth) for length in (1, 3, 5, 9, 15)]
    assert values[0] == EQUAL
    assert values == sorted(values, reverse=True)


def test_pictures_of_one_value_and_lights_do_no_harm(truth):
    black = torch.zeros(3, 8, 8)
    assert psnr_in_light(black, black, black) == EQUAL
    assert psnr_in_light(black + 0.5, black, black + 0.5) == EQUAL  # nothing tells what 0.5 would be in the light
    streak = blur(truth, 5).where(torch.arange(truth.shape[2]) > 10, torch.tensor(1.0))
    assert math.isfinite(psnr_in_light(streak / 4, truth / 4, truth))


def test_large_pictures_are_looked_at_in_part(truth):
    large = truth.repeat_interleave(8, 1).repeat_interleave(8, 2)
    found = psnr_in_light(blur(large, 33) / 5, large / 5, large)
    assert found == pytest.approx(psnr(blur(large, 33), large), abs=0.4)

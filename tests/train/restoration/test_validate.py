"""Scores of a network on whole pairs, and the pictures of them."""

from pathlib import Path

import pytest
import torch

from lolblur_synth.metrics.psnr_ssim import psnr, ssim
from lolblur_synth.train.restoration.pairs import Pairs
from lolblur_synth.train.restoration.validate import score, sheet, spread
from lolblur_synth.video.images import quantize
from tests.support.lpips_files import random_lpips
from tests.support.trainings import write_split

CPU = torch.device("cpu")


@pytest.fixture
def pairs(tmp_path: Path) -> Pairs:
    write_split(tmp_path, "test", 3)
    return Pairs(tmp_path, "test", crop=32)


@pytest.mark.parametrize(
    ("count", "most", "indices"), [(3, 5, [0, 1, 2]), (10, 3, [0, 3, 6]), (10, 10, [*range(10)]), (5, 1, [0])]
)
def test_indices_are_spread_over_all(count, most, indices):
    assert spread(count, most) == indices


def test_scores_are_those_of_pictures_as_they_are_written(pairs):
    found = score(lambda dark: 4.9 * dark, pairs, [2, 0], CPU)
    for scores, index in zip(found, (2, 0), strict=True):
        sample = pairs.whole(index)
        restored, target = quantize(4.9 * sample.input), quantize(sample.target)
        assert scores == {"psnr": psnr(restored, target), "ssim": ssim(restored, target)}


def test_lpips_is_measured_by_the_network_that_is_given(pairs):
    lpips = random_lpips("vgg")
    (near,) = score(lambda dark: 5 * dark, pairs, [0], CPU, lpips)
    (far,) = score(lambda dark: dark, pairs, [0], CPU, lpips)
    assert near.keys() == {"psnr", "ssim", "lpips"}
    assert near["lpips"] < far["lpips"]


def test_a_sheet_has_a_row_of_input_restored_and_target_for_each_pair(pairs):
    picture = sheet(lambda dark: 5 * dark, pairs, [0, 2], CPU)
    assert picture.shape == (2 * 400 + 3 * 6, 3 * 480 + 4 * 6, 3)
    dark, restored, target = (picture[6:406, left : left + 480].mean() for left in (6, 492, 978))
    assert dark < 0.3 * target
    assert restored == pytest.approx(target, abs=4)

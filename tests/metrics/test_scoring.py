"""Scores of a stream of results."""

import numpy as np
import pytest
import torch

from lolblur_synth.metrics.psnr_ssim import WINDOW, psnr, ssim
from lolblur_synth.metrics.scores import Score
from lolblur_synth.metrics.scoring import Metrics, Result, lpips_distance, score, score_all
from lolblur_synth.nets.lpips import SMALLEST


def result(number):
    rng = np.random.default_rng(number)
    pixels, target = (rng.integers(0, 256, (16, 24, 3)).astype(np.uint8) for _ in range(2))
    return Result(f"0000/{number:04d}", pixels, target)


@pytest.mark.parametrize("convention", ["rgb", "y", "paper"])
def test_scores_come_in_the_order_of_their_results(convention):
    results = [result(number) for number in range(5)]
    scores = score_all(iter(results), convention)
    assert scores == [score(each, convention) for each in results]
    name, pixels, target = results[3]
    assert scores[3] == Score(name, psnr(pixels, target, convention), ssim(pixels, target, convention), None)


def test_a_distance_is_taken_before_the_next_result_is_made():
    order = []

    def results():
        for number in range(3):
            order.append(f"made {number}")
            yield result(number)

    def distance(pixels, target):
        order.append("measured")
        return float(pixels[0, 0, 0])

    scores = score_all(results(), distance=distance)
    assert order == ["made 0", "measured", "made 1", "measured", "made 2", "measured"]
    assert [each.lpips for each in scores] == [float(result(number).pixels[0, 0, 0]) for number in range(3)]


def test_the_network_sees_red_and_blue_exchanged_by_the_convention_of_the_paper():
    def red(first, second):
        return first[:, 0].mean() - second[:, 0].mean()

    pixels, target = np.zeros((8, 8, 3), np.uint8), np.zeros((8, 8, 3), np.uint8)
    pixels[..., 0], pixels[..., 2] = 255, 51
    cpu = torch.device("cpu")
    assert lpips_distance(red, cpu)(pixels, target) == pytest.approx(1.0)
    assert lpips_distance(red, cpu, "paper")(pixels, target) == pytest.approx(0.2)
    assert lpips_distance(red, cpu)(pixels.astype(np.uint16) * 257, target) == pytest.approx(1.0)


def test_how_large_a_picture_must_be():
    assert Metrics().smallest == WINDOW
    assert Metrics(lpips="alex").smallest == max(WINDOW, SMALLEST["alex"])

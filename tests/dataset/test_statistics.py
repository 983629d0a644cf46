"""What tells a night picture."""

import pytest
import torch

from lolblur_synth.dataset.statistics import MEANINGS, mean_statistics, measure, outside


def test_measures_of_a_flat_picture():
    found = measure(torch.full((3, 32, 32), 0.5))
    assert found["mean"] == pytest.approx(127.5)
    assert found["lightness"] == pytest.approx(53.389, abs=1e-2)
    assert found["p99_grey"] == pytest.approx(127.5, abs=1e-3)
    assert found["saturated"] == 0
    assert found["noise_sigma"] == pytest.approx(0, abs=1e-4)


def test_measures_of_saturation_and_noise():
    image = torch.full((3, 100, 100), 0.1)
    image[0, :10, :10] = 250 / 255
    assert measure(image)["saturated"] == pytest.approx(1.0)
    noise = torch.randn(3, 200, 200, generator=torch.Generator().manual_seed(0))
    assert measure(0.5 + 2 / 255 * noise)["noise_sigma"] == pytest.approx(2, rel=0.03)


@pytest.mark.parametrize("name", MEANINGS)
def test_what_leaves_the_band_of_real_nights_is_named_with_its_side(name):
    middle = {each: sum(meaning.night) / 2 for each, meaning in MEANINGS.items()}
    low, high = MEANINGS[name].night
    step = 10.0 ** -MEANINGS[name].digits
    assert outside(middle) == outside(middle | {name: low}) == outside(middle | {name: high}) == {}
    assert outside(middle | {name: high + 0.4 * step}) == {}  # bands are known to these digits
    assert outside(middle | {name: high + step}) == {name: "high"}
    assert outside(middle | {name: low - step}) == {name: "low"}


def test_means_over_pictures():
    one, other = (dict.fromkeys(MEANINGS, value) for value in (1.0, 4.0))
    assert mean_statistics([one, one, other]) == dict.fromkeys(MEANINGS, 2.0)

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from lolblur_synth.ops.denoise.anscombe import stabilize, unstabilize

MODELS = [(0.02, 1e-4), (0.005, 1e-6), (0.002, 0.0), (0.01, 1e-3), (0.0, 1e-3)]


def pair(a: float, b: float, dtype: torch.dtype = torch.float32) -> tuple[torch.Tensor, torch.Tensor]:
    return torch.tensor(a, dtype=dtype), torch.tensor(b, dtype=dtype)


def noisy(x: float, a: float, b: float, count: int = 200_000) -> torch.Tensor:
    """A sensor's values: Poisson counts, times a, and Gaussian noise of variance b."""
    rng = np.random.default_rng(1)
    light = a * rng.poisson(x / a, count) if a else np.full(count, x)
    return torch.from_numpy(light + math.sqrt(b) * rng.standard_normal(count))


def mean_of_stable(x: float, ratio: float) -> float:
    """Mean of the transform of a count with mean x, a = 1, and Gaussian noise of variance `ratio`, by summing."""
    normal = np.linspace(-8, 8, 4001)
    weight = np.exp(-normal * normal / 2)
    counts = np.arange(int(x + 12 * math.sqrt(x) + 20))
    at = torch.from_numpy(counts[:, None] + math.sqrt(ratio) * normal)
    inner = (stabilize(at, *pair(1, ratio, torch.float64)).numpy() * weight).sum(1) / weight.sum()
    return float((stats.poisson.pmf(counts, x) * inner).sum())


def test_hand_computed_values():
    # 2/a (sqrt(a x + 3/8 a^2 + b) - sqrt(3/8 a^2 + b)) with a = 2, b = 0.75: the root at 0 is 1.5
    x = torch.tensor([0.0, 2.0, 5.0])
    expected = torch.tensor([2.25, 6.25, 12.25]).sqrt() - 1.5
    assert torch.allclose(stabilize(x, *pair(2, 0.75)), expected)
    assert torch.allclose(stabilize(x, *pair(0, 4)), x / 2)
    assert torch.allclose(unstabilize(x, *pair(0, 4)), x * 2)


@pytest.mark.parametrize(("a", "b"), MODELS)
@pytest.mark.parametrize("x", [0.1, 0.3, 0.9])
def test_noise_becomes_unit_variance(a: float, b: float, x: float):
    assert stabilize(noisy(x, a, b), *pair(a, b, torch.float64)).std() == pytest.approx(1, abs=0.02)


@pytest.mark.parametrize(("a", "b"), MODELS)
@pytest.mark.parametrize("x", [0.02, 0.1, 0.5])
def test_the_inverse_of_a_mean_is_unbiased(a: float, b: float, x: float):
    model = pair(a, b, torch.float64)
    error = float(unstabilize(stabilize(noisy(x, a, b), *model).mean(), *model)) - x
    chance = 4 * math.sqrt((a * x + b) / 200_000)
    assert abs(error) < 0.05 * a + chance


@pytest.mark.parametrize("ratio", [0.0, 0.1, 1.0, 4.0, 25.0, 400.0])
@pytest.mark.parametrize("count", [0.0, 0.3, 1.0, 4.0, 20.0])
def test_the_inverse_is_that_of_the_sums(ratio: float, count: float):
    d = torch.tensor(mean_of_stable(count, ratio), dtype=torch.float64)
    assert float(unstabilize(d, *pair(1, ratio, torch.float64))) == pytest.approx(count, abs=0.05)


def test_the_algebraic_inverse_would_be_biased():
    d = mean_of_stable(4, 0)
    algebraic = (d / 2 + math.sqrt(0.375)) ** 2 - 0.375
    assert abs(algebraic - 4) > 0.2 > 0.02 > abs(float(unstabilize(torch.tensor(d), *pair(1, 0))) - 4)


@given(st.floats(-12, -3), st.floats(-8, -3))
def test_little_shot_noise_goes_over_to_none(log_a: float, log_b: float):
    """In float32, where 2/a times a difference of roots would be nothing but rounding."""
    a, b = 10**log_a, 10**log_b
    x = torch.linspace(0, 1, 101)
    there = stabilize(x, *pair(a, b))
    exact = 2 * x.double() / ((a * x.double() + 0.375 * a * a + b).sqrt() + math.sqrt(0.375 * a * a + b))
    assert torch.allclose(there.double(), exact, rtol=1e-5)
    if a < 1e-4 * b:
        assert torch.allclose(there, stabilize(x, *pair(0, b)), rtol=1e-3)
        assert torch.allclose(unstabilize(there, *pair(a, b)), x, atol=1e-3)


@pytest.mark.parametrize(("a", "b"), [*MODELS, (1.0, 0.0), (1e-8, 1e-12), (0.0, 0.0), (1e-3, 0.0)])
def test_both_directions_rise_and_stay_finite(a: float, b: float):
    x = torch.linspace(-2, 2, 4001, dtype=torch.float64)
    there = stabilize(x, *pair(a, b, torch.float64))
    assert torch.isfinite(there).all()
    assert (there.diff() >= 0).all()
    d = torch.linspace(-100, 1000, 20001, dtype=torch.float64)
    back = unstabilize(d, *pair(a, b, torch.float64))
    assert torch.isfinite(back).all()
    assert (back.diff() >= 0).all()


@given(st.floats(1e-4, 0.02), st.floats(1e-7, 1e-3), st.floats(0, 1))
def test_round_trip_of_what_has_no_noise(a: float, b: float, x: float):
    """The unbiased inverse is the algebraic one and a quarter of a, to within a twentieth, as f(0) stays 0."""
    model = pair(a, b, torch.float64)
    error = float(unstabilize(stabilize(torch.tensor(x, dtype=torch.float64), *model), *model)) - x
    assert -0.01 * a < error < 0.3 * a


def test_channels_have_models_of_their_own():
    a, b = torch.tensor([0.0, 0.01, 0.02])[:, None, None], torch.tensor([1e-4, 0.0, 1e-3])[:, None, None]
    frame = torch.rand(3, 5, 7, generator=torch.Generator().manual_seed(0))
    kept = frame.clone()
    together = stabilize(frame, a, b)
    for channel in range(3):
        assert torch.equal(together[channel], stabilize(frame[channel], a[channel], b[channel]))
    assert torch.equal(frame, kept)
    assert unstabilize(together, a, b).shape == frame.shape

"""Poisson counts by quantiles."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import ndtr
from scipy.stats import poisson as reference

from lolblur_synth.ops.noise.poisson import EXACT, poisson


def normal(count: int) -> torch.Tensor:
    return torch.randn(count, generator=torch.Generator().manual_seed(0))


@pytest.fixture(params=["compiled", "torch"])
def _form(request, monkeypatch):
    monkeypatch.setenv("LOLBLUR_KERNELS", request.param)


@pytest.mark.usefixtures("_form")
@pytest.mark.parametrize("rate", [0.0, 0.05, 0.7, 3.0, 12.5, 29.99])
def test_low_counts_are_the_quantiles_of_the_distribution(rate):
    field = normal(20_000)
    counts = poisson(torch.full_like(field, rate), field).numpy()
    expected = reference.ppf(ndtr(field.double().numpy()), float(np.float32(rate)))
    assert (counts != np.maximum(expected, 0)).mean() < 1e-4  # a quantile on an edge


@pytest.mark.usefixtures("_form")
@pytest.mark.parametrize("rate", [0.05, 0.7, 3.0, 12.5, 29.99, 30.0, 400.0])
def test_moments(rate):
    counts = poisson(torch.full((400_000,), rate), normal(400_000)).double()
    assert counts.mean().item() == pytest.approx(rate, rel=0.01)
    assert counts.var().item() == pytest.approx(rate, rel=0.01)
    skewness = ((counts - counts.mean()) ** 3).mean() / counts.var() ** 1.5
    assert skewness.item() == pytest.approx(rate**-0.5 if rate < EXACT else 0, abs=0.05 * max(1, rate**-0.5))


@given(st.floats(0, 60), st.floats(0, 0.5), st.floats(-5, 5))
def test_more_light_is_never_fewer_electrons_and_one_rounding_at_most_one_more(rate, more, field):
    counts = poisson(torch.tensor([rate, rate + more, rate * (1 + 1e-6)]), torch.tensor([field] * 3))
    same_side = (rate < EXACT) == (rate + more < EXACT)
    assert not same_side or counts[1] >= counts[0]
    assert (rate < EXACT <= rate * (1 + 1e-6)) or abs(counts[2] - counts[0]) <= 1


@pytest.mark.usefixtures("_form")
def test_darkness_below_zero_has_no_electrons():
    assert torch.equal(poisson(torch.tensor([-3.0, 0.0]), torch.tensor([4.0, 4.0])), torch.zeros(2))

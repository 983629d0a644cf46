"""How noise levels are drawn."""

from math import exp, log

import numpy as np
import pytest
from scipy.stats import tukeylambda

from lolblur_synth.ops.noise.levels import CountedLevel, LogLine, LogLinearLevel, ScaledLevel, tukey_lambda_variance


@pytest.mark.parametrize("shape", [-0.26, -0.026, -0.0005, 0.0, 0.0005, 0.015, 0.14, 1.0, 2.0])
def test_variance_of_tukey_lambda(shape):
    assert tukey_lambda_variance(shape) == pytest.approx(float(tukeylambda.var(shape)), rel=2e-3)


def test_a_scaled_level_fills_its_range():
    rng = np.random.default_rng(0)
    drawn = np.array([ScaledLevel(1e-4, 1e-3, (0.5, 1.5)).draw(rng) for _ in range(500)])
    assert 0.5e-4 <= drawn[:, 0].min() < 0.52e-4
    assert 1.48e-4 < drawn[:, 0].max() <= 1.5e-4
    assert 0.5e-3 <= drawn[:, 1].min() ** 0.5 < drawn[:, 1].max() ** 0.5 <= 1.5e-3
    assert abs(np.corrcoef(drawn[:, 0], drawn[:, 1])[0, 1]) < 0.15


def test_a_log_linear_level_lies_on_its_line():
    level = LogLinearLevel((1e-4, 1e-2), 2.18, 1.2, 0.0).draw(np.random.default_rng(0))
    assert 1e-4 < level.shot < 1e-2
    assert log(level.read) == pytest.approx(2.18 * log(level.shot) + 1.2)
    assert level.row == 0


def test_a_counted_level_is_in_electrons_and_digital_numbers():
    """At a gain of 2 numbers an electron over 1000 levels, one electron is 2/1000 of white."""
    level = CountedLevel((log(2), log(2)), LogLine(1.0, log(3), 0.0), LogLine(0.0, log(0.5), 0.0))
    normal = level.draw(np.random.default_rng(0), 1000, None)
    assert normal == pytest.approx((2e-3, (6 / 1000) ** 2, (0.5 / 1000) ** 2))
    tailed = level.draw(np.random.default_rng(0), 1000, -0.1)
    assert tailed.read == pytest.approx(normal.read * tukey_lambda_variance(-0.1))


def test_spreads_are_of_logarithms():
    level = CountedLevel((0.0, 0.0), LogLine(0.0, 0.0, 0.3), LogLine(0.0, 0.0, 0.0))
    read = [level.draw(np.random.default_rng(k), 1, None).read for k in range(2000)]
    assert np.log(read).std() / 2 == pytest.approx(0.3, rel=0.05)
    assert np.exp(np.log(read).mean()) == pytest.approx(exp(0), rel=0.05)

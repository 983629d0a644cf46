"""Lanczos weights for fractions of a pixel."""

import numpy as np
import pytest

from lolblur_synth.ops.lanczos import lanczos


@pytest.mark.parametrize(("reach", "fractions"), [(3, 128), (4, 32)])
def test_constants_and_ramps_are_kept(reach, fractions):
    taps = lanczos(reach, fractions).astype(np.float64)
    assert taps.shape == (fractions + 1, 2 * reach)
    places = np.arange(2 * reach) - (reach - 1)
    np.testing.assert_allclose(taps.sum(1), 1, atol=1e-6)
    np.testing.assert_allclose(taps @ places, np.arange(fractions + 1) / fractions, atol=1e-6)


def test_whole_positions_are_samples_and_fractions_mirror():
    taps = lanczos(3, 8)
    np.testing.assert_allclose(taps[0], [0, 0, 1, 0, 0, 0], atol=1e-7)
    np.testing.assert_allclose(taps, taps[::-1, ::-1], atol=1e-7)


def test_weights_are_close_to_the_windowed_sinc():
    away = np.arange(-2, 4) - 0.25
    np.testing.assert_allclose(lanczos(3, 4)[1], np.sinc(away) * np.sinc(away / 3), atol=0.01)

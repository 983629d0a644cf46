"""The plot of statistics, by its pixels."""

import numpy as np
import pytest

from lolblur_synth.dataset.statistics import MEANINGS
from lolblur_synth.dataset.statistics_plot import plot_statistics

BARS, BAND = (58, 100, 152), (255, 226, 168)


def columns(panel, colour):
    return np.flatnonzero((panel == np.array(colour, np.uint8)).all(-1).any(0))


@pytest.mark.parametrize(("share", "inside"), [(0.5, True), (1.5, False)])
def test_bars_stand_in_the_band_where_the_pictures_do(share, inside):
    values = {name: meaning.night.low + share * np.ptp(meaning.night) for name, meaning in MEANINGS.items()}
    plot = plot_statistics([values, values])
    for panel in np.split(plot, len(MEANINGS)):
        bars, band = columns(panel, BARS), columns(panel, BAND)
        assert len(bars) > 0
        assert (band[0] < bars[0] and bars[-1] < band[-1]) == inside


def test_taller_bars_have_more_pictures():
    low, high = (dict.fromkeys(MEANINGS, value) for value in (20.0, 60.0))
    panel = plot_statistics([low, low, low, high])[:150]
    heights = (panel == np.array(BARS, np.uint8)).all(-1).sum(0)
    first, last = heights[heights > 0][0], heights[heights > 0][-1]
    assert last == pytest.approx(first / 3, abs=1)

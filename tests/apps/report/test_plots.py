"""Histograms and the rose, as data."""

import re
from dataclasses import replace

import pytest

from lolblur_synth.apps.report.facts import read_facts
from lolblur_synth.apps.report.plots import histograms, rose
from lolblur_synth.dataset.statistics import MEANINGS
from lolblur_synth.dataset.summary import summarize
from tests.support.reported import make_dataset, two_videos


@pytest.fixture
def facts(tmp_path):
    return read_facts(make_dataset(tmp_path / "d"))


def test_each_value_is_counted_once_over_its_band(facts):
    plots = {plot.title: plot for plot in histograms(facts, [pair.record.statistics for pair in facts.pairs])}
    assert {sum(bar.count for bar in plot.bars) for plot in plots.values()} == {2, 12}
    light = plots["mean L*"]
    low, high = MEANINGS["lightness"].night
    assert light.summary == "12 pairs, 2.0 to 12.0, mean 7.0; real nights 3.8 to 12.3"
    start, stop = float(light.ends[0]), float(light.ends[1])
    assert light.band == pytest.approx(((low - start) / (stop - start), (high - start) / (stop - start)), abs=0.01)
    assert light.marks[0].at == pytest.approx((7 - start) / (stop - start), abs=0.01)
    assert max(bar.height for bar in light.bars) == 1
    assert [mark.label for mark in plots["inconsistent motion, % of the picture"].marks] == ["", "limit"]


def test_a_value_that_is_always_the_same_has_a_place(facts):
    plots = {plot.title: plot for plot in histograms(facts, [])}
    (bar,) = plots["shutter, ms"].bars
    assert bar.left <= 0.5 <= bar.right
    assert "mean L*" not in plots


def test_directions_stand_on_both_sides_with_areas_as_their_counts():
    records = two_videos()
    turned = [replace(pair, blur=replace(pair.blur, direction=90.0)) for pair in records[0].pairs[:2]]
    first = records[0].model_copy(update={"pairs": [*turned, *records[0].pairs[2:]]})
    blur = summarize([first, records[1]]).blur
    drawn = rose(blur)
    assert drawn.summary == "12 pairs: 10 at 30°, 2 at 90°; 0 spread"
    assert len(drawn.sectors) == 4
    radii = [float(re.search(r"A([\d.]+)", path)[1]) for path, _ in drawn.sectors]
    assert radii[2] / radii[0] == pytest.approx((2 / 10) ** 0.5, abs=0.01)

"""Which changes of colour are a cut, in closed form: pictures of one colour each."""

from fractions import Fraction

import numpy as np
import pytest

from lolblur_synth.video.cuts import find_cuts

GREY = (80, 80, 80)


def cuts(colours: list[tuple[int, int, int]], *, grey: bool = False) -> list[int]:
    pictures = [np.full((4, 6, 3), colour, np.uint8) for colour in colours]
    return [cut for cut in find_cuts(pictures, Fraction(240), grey=grey) if cut]  # the first begins one anyway


@pytest.mark.parametrize("at", [1, 2, 10, 18, 19])
def test_a_cut_is_where_the_change_is(at):
    assert cuts([GREY] * at + [(200, 0, 0)] * (20 - at)) == [at]


@pytest.mark.parametrize(("step", "told"), [(24, []), (25, [10])])
def test_a_cut_is_a_large_change(step, told):
    """In grey alone the score is the change of brightness."""
    assert cuts([GREY] * 10 + [(80 + step,) * 3] * 10, grey=True) == told


@pytest.mark.parametrize(("step", "told"), [(59, []), (60, [10])])
def test_a_cut_stands_out_by_twice(step, told):
    levels = [30 * (n % 2) for n in range(10)] + [30 + step - 30 * (n % 2) for n in range(10)]
    assert cuts([(level,) * 3 for level in levels], grey=True) == told


@pytest.mark.parametrize(("step", "told"), [(124, []), (125, [5])])
def test_brightness_counts_a_fifth(step, told):
    assert cuts([GREY] * 5 + [(80 + step,) * 3] * 5) == told


def test_red_is_far_from_blue_and_hardly_from_itself():
    """The circle of hues is cut open at blue: about red, where it would be, are skin and lamps."""
    assert cuts([(200, 8, 0)] * 5 + [(200, 0, 8)] * 5) == []
    assert cuts([(0, 8, 200)] * 5 + [(8, 0, 200)] * 5) == [5]


def test_two_frames_have_nothing_beside_them():
    assert cuts([GREY]) == cuts([]) == []

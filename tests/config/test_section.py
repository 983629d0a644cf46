"""Types of values that several sections have."""

from typing import Annotated

import pytest
from pydantic import ValidationError

from lolblur_synth.config.section import Range, Section, Size, within


class Settings(Section):
    """One of each."""

    part: Annotated[Range, within(0, 1)] = (0.2, 0.4)
    size: Size = "source"


@pytest.mark.parametrize(
    ("value", "bounds"), [(0.5, (0.5, 0.5)), (1, (1, 1)), ([0.1, 0.9], (0.1, 0.9)), ((0, 1), (0, 1))]
)
def test_a_range_is_two_numbers_or_one(value, bounds):
    assert Settings(part=value).part == bounds


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (True, r"a range is \[LOW, HIGH\] or one number"),
        ("0.1", r"a range is \[LOW, HIGH\]"),
        ([0.4, 0.2], r"goes from low to high, got \[0.4, 0.2\]"),
        ([0.4, 1.5], r"lies within \[0, 1\], got \[0.4, 1.5\]"),
        ([0.4, float("nan")], "finite"),
    ],
)
def test_what_is_no_range_is_told(value, message):
    with pytest.raises(ValidationError, match=message):
        Settings(part=value)


@pytest.mark.parametrize(
    ("value", "size"), [("1120x640", (1120, 640)), ("64X64", (64, 64)), ([96, 64], (96, 64)), ("source", "source")]
)
def test_a_size_is_width_x_height_or_that_of_the_source(value, size):
    assert Settings(size=value).size == size


@pytest.mark.parametrize("value", ["1120", "1120x", "x640", "1120x640x3", "-96x64", "96x63", 1120])
def test_what_is_no_size_is_refused(value):
    with pytest.raises(ValidationError):
        Settings(size=value)


def test_a_section_is_closed_and_cannot_be_changed():
    with pytest.raises(ValidationError, match="Extra inputs"):
        Settings(other=1)
    with pytest.raises(ValidationError, match="frozen"):
        Settings().size = "source"

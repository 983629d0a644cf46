"""Colour matrices: the same bits on every Python."""

from collections.abc import Iterable
from fractions import Fraction

import pytest

from lolblur_synth.mosaic.color import Matrix, normalized

A7R3 = (6640.0, -1847.0, -503.0), (-5238.0, 13010.0, 2474.0), (-993.0, 1673.0, 6527.0)  # LibRaw, "ILCE-7RM3"
A7R = (4913.0, -541.0, -202.0), (-6130.0, 13513.0, 2906.0), (-1564.0, 2151.0, 7183.0)  # LibRaw, "ILCE-7R"
SRGB_TO_XYZ = (
    (0.4124564, 0.3575761, 0.1804375),
    (0.2126729, 0.7151522, 0.0721750),
    (0.0193339, 0.1191920, 0.9503041),
)


def exact(values: Iterable[float]) -> float:
    return float(sum(map(Fraction, values)))


@pytest.mark.parametrize("camera", [A7R3, A7R])
def test_sums_are_rounded_once(camera: Matrix):
    """CPython's `sum` of floats rounds after each of them up to 3.11, and compensates from 3.12 on: other draws."""
    columns = list(zip(*SRGB_TO_XYZ, strict=True))
    products = [[exact(a * b for a, b in zip(row, c, strict=True)) for c in columns] for row in camera]
    whites = [exact(row) for row in products]
    color, gains = normalized(camera)
    assert color == tuple(tuple(p / white for p in row) for row, white in zip(products, whites, strict=True))
    assert gains == (whites[1] / whites[0], whites[1] / whites[2])

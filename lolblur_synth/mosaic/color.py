"""Colour matrices of cameras, as Adobe's ColorMatrix of standard light D65 has them.

They are recorded, and the same everywhere: no BLAS, and no `sum`, which rounds otherwise since Python 3.12.
"""

from math import fsum

Row = tuple[float, float, float]
Matrix = tuple[Row, Row, Row]
_SRGB_TO_XYZ = (  # IEC 61966-2-1, white point D65
    (0.4124564, 0.3575761, 0.1804375),
    (0.2126729, 0.7151522, 0.0721750),
    (0.0193339, 0.1191920, 0.9503041),
)


def normalized(xyz_to_camera: Matrix) -> tuple[Matrix, tuple[float, float]]:
    """Colour matrix from linear sRGB with rows that sum to 1, and the gains (red, blue) that this takes out.

    As dcraw and LibRaw derive `rgb_cam` and the multipliers of daylight from Adobe's ColorMatrix: D65 becomes white.

    >>> a7r3 = ((0.664, -0.1847, -0.0503), (-0.5238, 1.301, 0.2474), (-0.0993, 0.1673, 0.6527))
    >>> [round(gain, 2) for gain in normalized(a7r3)[1]]
    [2.74, 1.37]
    """
    products = [[_dot(row, column) for column in zip(*_SRGB_TO_XYZ, strict=True)] for row in xyz_to_camera]
    whites = [fsum(row) for row in products]
    red, green, blue = ((r / white, g / white, b / white) for (r, g, b), white in zip(products, whites, strict=True))
    return (red, green, blue), (whites[1] / whites[0], whites[1] / whites[2])


def _dot(row: Row, column: Row) -> float:
    return fsum(a * b for a, b in zip(row, column, strict=True))

"""Demosaicing with directional filtering and a posteriori decision, with refining, in torch on any device.

D. Menon, S. Andriani, G. Calvagno, "Demosaicing With Directional Filtering and a posteriori Decision", TIP 2007. All
steps after the choice of a direction go by colour differences: red minus green, blue minus green.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

PAD = 10  # pixels: further than any step looks, and even, so that the pattern stays


def menon(raw: Tensor, red_row: int, red_column: int) -> Tensor:
    """Menon's demosaicing of (H, W) with red at that parity of rows and columns, as (3, H, W)."""
    height, width = raw.shape
    cfa = F.pad(raw[None, None], (PAD, PAD, PAD, PAD), mode="reflect")[0, 0]
    rows = torch.arange(cfa.shape[0], device=raw.device)[:, None] % 2 == red_row
    columns = torch.arange(cfa.shape[1], device=raw.device)[None] % 2 == red_column
    red, blue = rows & columns, ~(rows | columns)

    along = _chroma(cfa, 1) * (red | blue), _chroma(cfa, 0) * (red | blue)  # differences to green, by direction
    horizontal = _gradient(along[1], 0) >= _gradient(along[0], 1)
    own = torch.where(horizontal, *along)
    green = cfa - own
    red_green, blue_green = _differences(own, horizontal, (rows, red, blue))

    def smooth(plane: Tensor) -> Tensor:
        return torch.where(horizontal, _mean3(plane, 1), _mean3(plane, 0))

    refined = torch.where(red, smooth(red_green), smooth(blue_green)) * (red | blue)
    change = refined - own
    red_green, blue_green = red_green + change, blue_green + change
    green = green - change
    between_red, between_blue = _neighbours(red_green, blue_green, rows)
    site = red | blue
    red_green = torch.where(site, red_green, between_red)
    blue_green = torch.where(site, blue_green, between_blue)
    red_blue = smooth(red_green - blue_green)
    red_green, blue_green = (
        torch.where(blue, blue_green + red_blue, red_green),
        torch.where(red, red_green - red_blue, blue_green),
    )
    whole = torch.stack((green + red_green, green, green + blue_green))
    return whole[:, PAD : PAD + height, PAD : PAD + width].contiguous()


def _at(plane: Tensor, by: int, dim: int) -> Tensor:
    """Samples `by` further along `dim`; what wraps around stays within the padding."""
    return plane.roll(-by, dim)


def _mean2(plane: Tensor, dim: int) -> Tensor:
    return (_at(plane, -1, dim) + _at(plane, 1, dim)) / 2


def _mean3(plane: Tensor, dim: int) -> Tensor:
    return (_at(plane, -1, dim) + plane + _at(plane, 1, dim)) / 3


def _chroma(cfa: Tensor, dim: int) -> Tensor:
    """A sample minus green interpolated along `dim`, with the second derivative of its own colour."""
    return cfa / 2 - _mean2(cfa, dim) + (_at(cfa, -2, dim) + _at(cfa, 2, dim)) / 4


def _gradient(chroma: Tensor, dim: int) -> Tensor:
    """Differences of chroma along `dim`, summed over a window of 5x5."""
    step = (chroma - _at(chroma, 2, dim)).abs()
    pair = step + _at(step, -2, dim)
    beside = _at(step, -1, dim)
    across = 1 - dim
    near = _at(beside, -1, across) + _at(beside, 1, across)
    return 3 * pair + _at(pair, -2, across) + _at(pair, 2, across) + near


def _neighbours(red_green: Tensor, blue_green: Tensor, rows: Tensor) -> tuple[Tensor, Tensor]:
    """Colour differences at green from the two neighbours that have them: in a row with red, red is left and right."""
    return (
        torch.where(rows, _mean2(red_green, 1), _mean2(red_green, 0)),
        torch.where(rows, _mean2(blue_green, 0), _mean2(blue_green, 1)),
    )


def _differences(own: Tensor, horizontal: Tensor, sites: tuple[Tensor, Tensor, Tensor]) -> tuple[Tensor, Tensor]:
    """Red minus green and blue minus green everywhere, at the other colour along the direction that was chosen."""
    rows, red, blue = sites
    site = red | blue
    red_green, blue_green = _neighbours(own, own, rows)
    other = red_green - blue_green
    across = torch.where(horizontal, _mean2(other, 1), _mean2(other, 0))  # red minus blue, at green sites on both sides
    return (
        torch.where(site, own + across * blue, red_green),
        torch.where(site, own - across * red, blue_green),
    )

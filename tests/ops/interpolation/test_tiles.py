"""Tiles in which motions meet, by boxes that their pixels sweep."""

import numpy as np
import pytest

from lolblur_synth.ops.interpolation.occlusion import motion_fields
from lolblur_synth.ops.interpolation.tiles import TILE, detail_of, restore, tiles_of

HEIGHT, WIDTH = 5 * TILE, 8 * TILE


def picture(contrast: float) -> np.ndarray:
    """Stripes of 6 pixels."""
    columns = np.arange(WIDTH) // 3 % 2
    return np.broadcast_to(0.5 + contrast * columns, (3, HEIGHT, WIDTH)).astype(np.float32)


def near(contrast: float, speed: float, left: int) -> np.ndarray:
    """Where motions meet as a square of 10 pixels moves right over what stands still, in two frames that look alike."""
    there, back = np.zeros((2, 2, HEIGHT, WIDTH), np.float32)
    there[0, 35:45, left : left + 10] = speed
    back[0, 35:45, left + int(speed) : left + 10 + int(speed)] = -speed
    return motion_fields(picture(contrast), picture(contrast), there, back).near


@pytest.mark.parametrize(("speed", "left", "columns"), [(2, 37, (2, 3)), (30, 36, (1, 2, 3, 4)), (2, 70, (4, 5))])
def test_motions_meet_where_what_moves_sweeps(speed: float, left: int, columns: tuple[int, ...]):
    flags = near(0.2, speed, left)
    assert set(np.flatnonzero(flags.any(0))) <= set(columns)
    assert flags[2, [at // TILE for at in range(left, left + 10 + speed)]].all()
    assert not flags[[0, 4]].any()


def test_what_nobody_can_see_is_no_boundary():
    assert not near(0.01, 2, 36).any()
    assert near(0.03, 2, 36).any()


def test_motions_that_are_farther_apart_than_one_looks_meet_whatever_is_there():
    assert near(0, 40, 36).any()


@pytest.mark.parametrize("size", [(1, 1), (4, 9), (33, 50)])
def test_detail_is_the_range_of_the_blocks_around(size: tuple[int, int]):
    frame = np.random.default_rng(0).random((3, *size), np.float32)
    padded = np.pad(frame, ((0, 0), (0, -size[0] % 4), (0, -size[1] % 4)), constant_values=np.nan)
    blocks = padded.reshape(3, padded.shape[1] // 4, 4, padded.shape[2] // 4, 4)
    high, low = np.nanmax(blocks, (2, 4)), np.nanmin(blocks, (2, 4))
    for level, reach in enumerate((1, 2, 4, 8)):
        for i in range(high.shape[1]):
            for j in range(high.shape[2]):
                part = slice(max(i - reach, 0), i + reach + 1), slice(max(j - reach, 0), j + reach + 1)
                ranges = high[:, *part].max((1, 2)) - low[:, *part].min((1, 2))
                assert detail_of(frame)[level, i, j] == ranges.max()


def test_flow_is_restored_but_where_it_is_kept():
    rng = np.random.default_rng(0)
    smooth = rng.random((2, 40, 40), np.float32)
    flow, kept, tiles = smooth.copy(), np.zeros((40, 40), bool), tiles_of(40, 40)
    flow[:, 3, 20], flow[:, 30, 35] = 9, 9
    kept[30:, 30:] = True
    restore(flow, smooth, kept, tiles)
    assert (flow[:, 3, 20] == smooth[:, 3, 20]).all()
    assert (flow[:, 30, 35] == 9).all()
    assert np.argwhere(tiles).tolist() == [[1, 2]]

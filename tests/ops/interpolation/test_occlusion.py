import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lolblur_synth.ops.interpolation.occlusion import fill_occluded, flow_consistency, update_consistency
from lolblur_synth.ops.interpolation.tiles import TILE, tiles_of

HEIGHT, WIDTH = 40, 60


def still() -> np.ndarray:
    return np.zeros((2, HEIGHT, WIDTH), np.float32)


def bar(left: int, width: int, motion: float) -> np.ndarray:
    """The flow of an upright bar before what stands still."""
    flow = still()
    flow[0, :, left : left + width] = motion
    return flow


@given(st.floats(-8, 8), st.floats(-8, 8))
@settings(max_examples=20, deadline=None)
def test_a_flow_that_leads_back_is_trusted_and_what_leaves_is_half(u: float, v: float):
    flow = still()
    flow[0], flow[1] = u, v
    consistency = flow_consistency(flow, -flow)
    x, y = np.arange(WIDTH) + np.float32(u), np.arange(HEIGHT)[:, None] + np.float32(v)
    leaves = (x < -0.5) | (y < -0.5) | (x > WIDTH - 0.5) | (y > HEIGHT - 0.5)
    assert (consistency[~leaves] == 1).all()
    assert (consistency[leaves] == 0.5).all()
    assert (flow_consistency(flow, -flow + 12)[~leaves] < 0.1).all()


@pytest.mark.parametrize("width", [1, 3, 20])
def test_a_bar_is_trusted_and_what_it_will_cover_is_not(width: int):
    consistency = flow_consistency(bar(10, width, 8), bar(18, width, -8))
    assert (consistency[20, 10 : 10 + width] == 1).all()
    hidden = np.flatnonzero(consistency[20] < 0.5).tolist()
    covered = [x for x in range(18, 18 + width) if x >= 10 + width]
    # at the last column the best of four is the neighbour that is seen
    assert set(covered[:-1]) <= set(hidden) <= set(covered)


@given(st.floats(-5, 5), st.floats(-5, 5))
@settings(max_examples=20, deadline=None)
def test_hidden_pixels_move_as_what_is_behind(u: float, v: float):
    """A strip beside a disc is hidden by it: it moves as what is around, not as the disc."""
    y, x = np.mgrid[:80, :90].astype(np.float32)
    far = np.hypot(x - 40, y - 40)
    flow = np.zeros((2, 80, 90), np.float32)
    flow[0], flow[1] = u, v
    flow[:, far < 12] += 12
    truth = flow.copy()
    hidden = (far >= 12) & (far < 20) & (x > 44)
    flow[:, hidden] = 30
    filled, everywhere = flow.copy(), np.ones(hidden.shape, bool)
    tiles = fill_occluded(filled, np.where(hidden, 0, 1).astype(np.float32), everywhere)
    rows, columns = np.nonzero(hidden)
    expected = tiles_of(*hidden.shape)
    expected[rows // TILE, columns // TILE] = 1
    assert np.array_equal(tiles, expected)
    assert np.array_equal(filled[:, ~hidden], truth[:, ~hidden])
    assert (abs(filled - truth).max(0)[hidden] < 1e-4).mean() > 0.9


def test_without_anything_to_be_trusted_flow_stays_as_it_is():
    flow = np.random.default_rng(0).normal(size=(2, 9, 11)).astype(np.float32)
    filled = flow.copy()
    fill_occluded(filled, np.zeros((9, 11), np.float32), np.ones((9, 11), bool))
    assert np.array_equal(filled, flow)


@given(st.integers(0, 2**31), st.floats(0, 40))
@settings(max_examples=20, deadline=None)
def test_consistency_is_made_again_wherever_it_may_have_changed(seed: int, speed: float):
    rng = np.random.default_rng(seed)
    flow, back = (rng.normal(0, speed, (2, 70, 90)).astype(np.float32) for _ in range(2))
    consistency, changed, back_changed = flow_consistency(flow, back), tiles_of(70, 90), tiles_of(70, 90)
    for side, tiles in ((flow, changed), (back, back_changed)):
        i, j = rng.integers(0, 70, 6), rng.integers(0, 90, 6)
        side[:, i, j] += rng.normal(0, 9, (2, 6)).astype(np.float32)
        tiles[i // TILE, j // TILE] = 1
    update_consistency(flow, back, changed, back_changed, consistency)
    assert np.array_equal(consistency, flow_consistency(flow, back))

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from lolblur_synth.ops.interpolation.occlusion import Motion, motion_fields, pack_samples
from lolblur_synth.ops.interpolation.warp import backward_maps, blend, fixed_point_flow, moving
from tests.ops.interpolation.test_occlusion import HEIGHT, WIDTH, bar, still


def fields(forward: np.ndarray, backward: np.ndarray) -> Motion:
    """Of frames that look the same nowhere."""
    black, white = np.zeros((3, HEIGHT, WIDTH), np.float32), np.ones((3, HEIGHT, WIDTH), np.float32)
    return motion_fields(black, white, forward, backward)


@pytest.mark.parametrize("width", [3, 20])
@pytest.mark.parametrize("time", [0.25, 0.5, 0.75])
def test_what_passes_is_seen_and_what_is_behind_it_is_where_it_was(width: int, time: float):
    """A bar that moves 8 pixels, whatever its width: where all comes from, in closed form."""
    at, weight = backward_maps(fields(bar(10, width, 8), bar(18, width, -8)), time)
    x = np.arange(WIDTH, dtype=np.float32)
    left = 10 + 8 * time
    inside = (x >= left) & (x < left + width)
    want = np.where(inside, (x - 8 * time, x + 8 * (1 - time)), (x, x))
    share = weight[20]
    from_before, from_after = share < 0.95, share > 0.05
    assert np.array_equal(at[0, 0, 20][from_before], want[0][from_before])
    assert np.array_equal(at[1, 0, 20][from_after], want[1][from_after])
    assert (at[:, 1, 20] == 20).all()
    both = inside | (x < 8) | (x > 28 + width)
    middle = np.convolve(both, np.ones(3), "same") == 3
    assert np.allclose(share[middle], time, atol=1e-3)


def test_what_is_uncovered_is_taken_from_the_frame_that_has_it():
    _, weight = backward_maps(fields(bar(10, 20, 8), bar(18, 20, -8)), 0.5)
    assert (weight[20, 11:13] > 0.95).all()  # the bar has left
    assert (weight[20, 35:37] < 0.05).all()  # the bar will come


def test_what_looks_the_same_is_blended_though_it_is_hidden():
    grey = np.full((3, HEIGHT, WIDTH), 0.5, np.float32)
    forward, backward = bar(10, 20, 8), bar(18, 20, -8)
    _, weight = backward_maps(motion_fields(grey, grey + 0.001, forward, backward), 0.5)
    _, hard = backward_maps(fields(forward, backward), 0.5)
    assert (weight[20, 11:13] < 0.7).all()
    assert (hard[20, 11:13] > 0.95).all()


def test_the_border_of_one_frame_is_taken_from_the_other():
    flow = still()
    flow[0] = 6
    _, weight = backward_maps(fields(flow, -flow), 0.5)
    assert (weight[:, :2] > 0.99).all()
    assert (weight[:, -2:] < 0.01).all()
    assert np.allclose(weight[:, 6:-6], 0.5, atol=1e-3)


@given(st.floats(0, 1), st.floats(-0.1, 0.1), st.floats(-5, 5))
@settings(max_examples=20, deadline=None)
def test_where_nothing_arrives_one_traces_back(time: float, gradient: float, shift: float):
    x = np.arange(WIDTH, dtype=np.float32)
    flow = still()
    flow[0] = gradient * (x - 20) + shift
    motion = pack_samples(flow, np.ones_like(flow[0]), np.ones_like(flow[0]))
    found = np.array([fixed_point_flow(motion, HEIGHT, WIDTH, 7, j, np.float32(time)) for j in range(WIDTH)])
    inside = (found[:, 0] > 0) & (found[:, 0] < WIDTH - 1)
    source = (x + time * (20 * gradient - shift)) / (1 + time * gradient)
    np.testing.assert_allclose(found[inside, 0], source[inside], atol=0.02)
    assert (found[:, 1] == 7).all()


@pytest.mark.parametrize("size", [(1, 1), (1, 9), (7, 1), (2, 3)])
def test_frames_of_any_size(size: tuple[int, int]):
    frame = torch.rand(3, *size, generator=torch.Generator().manual_seed(0))
    flow = np.zeros((2, *size), np.float32)
    pixels = frame.numpy()
    at, weight = backward_maps(motion_fields(pixels, pixels, flow, flow), 0.5)
    assert torch.equal(blend(moving(frame), moving(frame), at, weight), frame)


def test_a_thin_wire_leaves_little_of_itself_where_it_was_and_will_be():
    """Beside a slanted wire over ground that moves by half a pixel, the best of four is a neighbour that is seen."""
    size, slant = 96, 0.6

    def frame(time: float) -> tuple[np.ndarray, np.ndarray]:
        y, x = np.mgrid[:size, :size].astype(np.float32)
        ground = 0.6 + 0.3 * np.sin((x - 0.5 * time) / 9) * np.cos(y / 7)
        away = np.abs(np.cos(slant) * (x - 7 * time - 30) + np.sin(slant) * (y + 2 * time - 30))
        cover = np.clip(1.75 - away, 0, 1)
        return np.repeat((ground * (1 - cover))[None], 3, 0).astype(np.float32), cover

    def flow(cover: np.ndarray, sign: int) -> np.ndarray:
        wire = cover > 0.05
        return sign * np.stack([np.where(wire, 7, 0.5), np.where(wire, -2, 0)]).astype(np.float32)

    (before, cover), (after, also_cover), (truth, true_cover) = (frame(time) for time in (0, 1, 0.5))
    at, weight = backward_maps(motion_fields(before, after, flow(cover, 1), flow(also_cover, -1)), 0.5)
    made = blend(moving(torch.from_numpy(before)), moving(torch.from_numpy(after)), at, weight).numpy()
    off = (made - truth)[0, 12:-12, 12:-12][true_cover[12:-12, 12:-12] == 0]
    assert np.sqrt(np.square(off).mean()) < 0.024  # 0.032 when a frame counts in full where the wire hides the ground

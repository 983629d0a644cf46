import numpy as np
import pytest
import torch
from torch import Tensor

from lolblur_synth.ops.interpolation.flow import refine_flow
from lolblur_synth.ops.optical_flow import estimate_flow
from lolblur_synth.scenes import Scene, glide
from tests.ops.interpolation.test_interpolate import film, texture


def over(background: Tensor, thing: Tensor, left: int, top: int) -> Tensor:
    frame = background.clone()
    frame[:, top : top + thing.shape[1], left : left + thing.shape[2]] = thing
    return frame


def block() -> tuple[Tensor, Tensor]:
    """A textured block of 50x40 that moves 8 to the right over a background that stands still."""
    background, thing = texture()[:, :120, :160].contiguous(), texture(1)[:, :40, :50]
    return over(background, thing, 40, 40), over(background, thing, 48, 40)


def bars() -> tuple[Tensor, Tensor]:
    """A black bar of 3 pixels that moves 8 to the right over texture."""
    background, bar = texture()[:, :120, :160].contiguous(), torch.zeros(3, 120, 3)
    return over(background, bar, 60, 0), over(background, bar, 68, 0)


def refined(before: Tensor, after: Tensor) -> tuple[np.ndarray, np.ndarray]:
    """The flows after refinement, (2, H, W)."""
    flows = (flow.numpy() for flow in estimate_flow(before, after))
    there, back, _ = refine_flow(before.numpy(), after.numpy(), *flows)
    return there, back


def test_the_rim_of_a_block_is_found_within_a_pixel():
    """But where it will cover the background: there, which of the two it is has to be guessed."""
    before, after = block()
    truth = np.zeros((120, 160), np.float32)
    truth[40:80, 40:90] = 8
    sure = np.ones(truth.shape, bool)
    sure[39:81, 39:91] = False
    sure[41:79, 41:89] = True
    sure[39:81, 89:99] = False
    wrong = (abs(refined(before, after)[0][0] - truth) > 1)[sure].sum()
    alone = (abs(estimate_flow(before, after)[0][0].numpy() - truth) > 1)[sure].sum()
    assert wrong < 0.4 * alone


def test_a_thin_bar_is_found_where_flow_alone_misses_it():
    before, after = bars()
    there, back = refined(before, after)
    alone = estimate_flow(before, after)[0].numpy()
    assert not (abs(alone[0, :, 60:63] - 8) < 1).any()
    assert (abs(there[0, 10:-10, 60:63] - 8) < 1).mean() > 0.3
    assert (abs(back[0, 10:-10, 68:71] + 8) < 1).mean() > 0.3
    assert (abs(there[:, 10:-10, :50]) < 0.5).all()


def test_flow_that_is_right_stays():
    before, after = film(Scene(texture(), glide(3, 1)))
    flows = estimate_flow(before, after)
    for got, flow in zip(refined(before, after), flows, strict=True):
        assert np.array_equal(got[:, 12:-12, 12:-12], flow[:, 12:-12, 12:-12].numpy())


def test_frames_that_are_the_same_have_no_motion():
    frame = film(Scene(texture()))[0]
    assert not any(flow.any() for flow in refined(frame, frame.clone()))


def test_time_runs_backwards_alike():
    before, after = block()
    there, back = refined(before, after)
    also_back, also_there = refined(after, before)
    assert np.array_equal(there, also_there)
    assert np.array_equal(back, also_back)


def test_what_is_given_stays_as_it_is():
    before, after = block()
    given = [part.numpy() for part in (before, after, *estimate_flow(before, after))]
    kept = [part.copy() for part in given]
    refine_flow(*given)
    assert all(np.array_equal(part, was) for part, was in zip(given, kept, strict=True))


@pytest.mark.parametrize("size", [(1, 1), (2, 5), (6, 7), (16, 40)])
def test_frames_of_any_size(size: tuple[int, int]):
    generator = torch.Generator().manual_seed(0)
    before, after = (torch.rand(3, *size, generator=generator) for _ in range(2))
    assert all(np.isfinite(flow).all() for flow in refined(before, after))

"""Lights that were clipped get their radiance back."""

import torch

from lolblur_synth.core.colorimetry import lightness
from lolblur_synth.ops.exposure import average
from lolblur_synth.ops.unclip import unclip
from tests.support.pictures import grey


def test_unclip_adds_exactly_where_lightness_exceeds_the_threshold():
    ramp = torch.linspace(0.9, 1, 512).expand(3, 1, 512)
    lifted = unclip(ramp, 50 / 255, 98)
    above = lightness(ramp)[0, 0] > 0.98
    assert 0 < above.sum() < 512
    torch.testing.assert_close(lifted[:, 0, above], ramp[:, 0, above] + 50 / 255)
    assert torch.equal(lifted[:, 0, ~above], ramp[:, 0, ~above])


def test_unclip_looks_at_lightness_not_at_single_channels():
    red = torch.tensor([1.0, 0.0, 0.0])[:, None, None]
    assert torch.equal(unclip(red, 0.4), red)


def test_a_moving_lamp_leaves_a_streak():
    """With r > 0 the streak of a lamp that crosses in 65 sub-frames is brighter by r/65 per sub-frame on it."""
    frames = []
    for k in range(65):
        frame = grey(0.02, 80)
        frame[:, 40, k : k + 2] = 1
        frames.append(frame)
    plain = average(frames)
    lit = average(unclip(frame, 100 / 255) for frame in frames)
    torch.testing.assert_close((lit - plain)[:, 40, 10:60], torch.full((3, 50), 2 * 100 / 255 / 65))


def test_its_input_stays_as_it_is():
    frame = torch.rand(3, 24, 24, generator=torch.Generator().manual_seed(1))
    before = frame.clone()
    unclip(frame, 0.3, 20)
    assert torch.equal(frame, before)

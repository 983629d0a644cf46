"""Light beyond white, apart from what can be shown, and with it again."""

import torch
from torch import Tensor

from lolblur_synth.core.colorimetry import linear_to_srgb, srgb_to_linear
from lolblur_synth.ops.exposure import average
from lolblur_synth.ops.highlights import add_highlights, beside_highlights, clip_highlights, highlights
from lolblur_synth.ops.interpolation.flow import by_flow
from lolblur_synth.ops.interpolation.interpolate import interpolate
from lolblur_synth.ops.unclip import unclip
from tests.support.light import night

SHOWN = torch.rand(3, 8, 8, generator=torch.Generator().manual_seed(0))
LIT = linear_to_srgb(8 * SHOWN)


def test_pictures_without_highlights_stay_as_they_are():
    assert torch.equal(clip_highlights(SHOWN), SHOWN)
    assert not highlights(SHOWN).any()
    assert torch.equal(add_highlights(SHOWN, highlights(SHOWN)), SHOWN)


def test_light_that_was_taken_off_comes_back():
    light = highlights(LIT)
    torch.testing.assert_close(light, (8 * SHOWN - 1).clamp(min=0), atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(add_highlights(clip_highlights(LIT), light), LIT)


def test_light_is_added_to_light_and_what_has_none_stays():
    dark = 0.3 * clip_highlights(LIT)
    lit = add_highlights(dark, highlights(LIT))
    above = LIT > 1
    torch.testing.assert_close(srgb_to_linear(lit)[above], (srgb_to_linear(dark) + 8 * SHOWN - 1)[above])
    assert torch.equal(lit[~above], dark[~above])


def test_a_streaming_operator_sees_pictures_and_may_look_ahead():
    frames = [LIT, SHOWN, 2 * LIT]
    seen = []

    def reversed_colours(stream):
        seen.extend(stream)  # all before the first comes out
        return [1 - frame for frame in seen]

    out = list(beside_highlights(frames, reversed_colours))
    assert max(float(frame.max()) for frame in seen) == 1
    for frame, result in zip(frames, out, strict=True):
        torch.testing.assert_close(result, add_highlights(1 - clip_highlights(frame), highlights(frame)))


def test_a_lamp_that_moves_is_exposed_as_its_light_is():
    """Against true sub-frames; of clipped frames, whatever is added to their lights, most of the streak is missing."""
    size, factor = (72, 48), 4

    def light(number: float, lamp: float = 20.0) -> Tensor:
        return torch.from_numpy(night(number, size, lamp=lamp).transpose(2, 0, 1).copy())

    frames = [linear_to_srgb(light(number)) for number in range(5)]
    guide = [clip_highlights(frame) for frame in frames]
    times = [step / factor for step in range(4 * factor + 1)]
    truth = linear_to_srgb(average(map(light, times))).clamp(0, 1)

    def psnr(exposed: Tensor) -> float:
        return float(-10 * (linear_to_srgb(exposed).clamp(0, 1) - truth)[..., 8:-8].square().mean().log10())

    clipped = list(interpolate(guide, guide, factor, by_flow))
    best = max(psnr(average(srgb_to_linear(unclip(frame, r / 255)) for frame in clipped)) for r in (0, 20, 60, 100))
    lit = [add_highlights(frame, highlights(held)) for frame, held in zip(guide, frames, strict=True)]
    assert psnr(average(map(srgb_to_linear, interpolate(lit, guide, factor, by_flow)))) > best + 10

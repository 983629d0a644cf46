"""A rolling shutter in the whole method: rows lean alike in blur and truth, and what stands still stays as it is."""

from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction

import pytest
import torch
from torch import Tensor

from lolblur_synth.config.loading import load
from lolblur_synth.config.run import Config
from lolblur_synth.core.colorimetry import srgb_to_linear
from lolblur_synth.core.profiler import OperatorTimer
from lolblur_synth.nets.weights.load import load_ec_zero_dce
from lolblur_synth.ops.interpolation.flow import by_flow
from lolblur_synth.ops.interpolation.interpolate import Interpolator, by_blending
from lolblur_synth.synthesis.clip import Frame
from lolblur_synth.synthesis.draws import Draws
from lolblur_synth.synthesis.pipeline import Pair, Tools, synthesize
from lolblur_synth.synthesis.sequences import Metering, Recipe, Shutter, Slot, shutter_at

SHARP = ("high_sharp_original", "high_sharp_scaled", "low_sharp")
CONFIG = load(Config, [], ["denoise.backend=none"])
DRAWS = Draws(exposure=0.15, dim=0.9, shutter_ms=16, streak=0.0, defocus=None, shot=0.0, read=0.0)
FPS, SPEED, CENTER = 250, 3.0, 20  # pixels a source frame
HEIGHT, WIDTH = 64, 128


def bar(number: int) -> Tensor:
    """A soft vertical bar before grey, in the middle of the picture in frame `CENTER`."""
    x = torch.arange(WIDTH) - (WIDTH - 1) / 2 - SPEED * (number - CENTER)
    plane = 0.25 + 0.5 * torch.exp(-(x**2) / 50)
    return plane.expand(3, HEIGHT, WIDTH).clone()


def lamp(number: int) -> Tensor:
    """The same in scene-linear footage: a lamp that is brighter than white."""
    return 2 * bar(number) - 0.25


def still(number: int) -> Tensor:
    return torch.rand((3, HEIGHT, WIDTH), generator=torch.Generator().manual_seed(7))


def pair(picture, rolling_ms: float, interpolator: Interpolator = by_flow, first: int = 0) -> Pair:
    shutter = shutter_at(Fraction(FPS), DRAWS.shutter_ms, 2000, rolling_ms)
    frames: Iterator[Frame] = (Frame(number, picture(number)) for number in range(first, 41))
    draws = replace(DRAWS, rolling_ms=rolling_ms)
    recipe = Recipe("a", (Slot(0, CENTER),), shutter, draws, Metering(0.4, 0.4), holds_light=picture is lamp)
    tools = Tools(load_ec_zero_dce("ec_zero_dce")[0], interpolator, OperatorTimer(torch.device("cpu")))
    (made,) = synthesize(frames, recipe, CONFIG, tools)
    return made


def places(picture: Tensor) -> Tensor:
    """Where the bar is in each row: the centroid of light above the background."""
    light = srgb_to_linear(picture).mean(0)
    light = light - light[:, :8].mean()
    return (light * torch.arange(WIDTH)).sum(1) / light.sum(1)


@pytest.mark.parametrize("rolling_ms", [10.0, 17.3])
def test_rows_lean_by_the_readout_in_blur_and_truth_alike(rolling_ms):
    made = pair(bar, rolling_ms)
    expected = torch.linspace(-0.5, 0.5, HEIGHT) * SPEED * FPS * rolling_ms / 1000 + (WIDTH - 1) / 2
    for name in (*SHARP, "low_blur"):
        atol = 0.15 if name.startswith("low") else 0.03  # darkening shifts what is not symmetrical
        torch.testing.assert_close(places(getattr(made, name)), expected, atol=atol, rtol=0)
    assert (places(made.low_blur) - places(made.low_sharp)).abs().max() < 0.05


def test_light_beyond_white_rolls_too_and_the_truth_ends_at_white():
    made = pair(lamp, 17.3)
    lean = torch.linspace(-0.5, 0.5, HEIGHT) * SPEED * FPS * 17.3 / 1000 + (WIDTH - 1) / 2
    for name in (*SHARP, "low_blur"):
        picture = getattr(made, name)
        assert picture.max() <= 1
        torch.testing.assert_close(places(picture), lean, atol=0.15, rtol=0)


def test_the_truth_stays_sharp_and_scaled_is_the_original_dimmed():
    rolling, at_once = pair(bar, 17.3), pair(bar, 0.0)
    for name in SHARP:
        widths = [getattr(made, name).std(2).mean().item() for made in (rolling, at_once)]
        assert widths[0] == pytest.approx(widths[1], rel=0.01)
    ratios = [(made.high_sharp_scaled / made.high_sharp_original).mean().item() for made in (rolling, at_once)]
    assert ratios[0] == pytest.approx(ratios[1], rel=1e-3)


@pytest.mark.parametrize("interpolator", [by_flow, by_blending])
def test_what_stands_still_is_as_without_it(interpolator):
    rolling, at_once = (pair(still, rolling_ms, interpolator) for rolling_ms in (17.3, 0.0))
    for name in SHARP:  # to the bit where sub-frames are averaged, to rounding where light is added up
        atol = 1e-6 if interpolator is by_flow else 0
        torch.testing.assert_close(getattr(rolling, name), getattr(at_once, name), atol=atol, rtol=0)
    torch.testing.assert_close(rolling.low_blur, at_once.low_blur, atol=3e-6, rtol=0)


def test_without_readout_the_truth_is_the_frame_itself():
    frame = bar(CENTER)
    made = pair(lambda number: frame if number == CENTER else bar(number), 0.0)
    assert made.high_sharp_original.data_ptr() == frame.data_ptr()
    assert shutter_at(Fraction(FPS), 16, 2000) == Shutter(4, 8, 16.0)

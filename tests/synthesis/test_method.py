"""The order of the method, which draw reaches which picture, and that no more than a window is held."""

import weakref
from collections.abc import Iterator
from dataclasses import replace

import pytest
import torch
from torch import Tensor

from lolblur_synth.config.loading import load
from lolblur_synth.config.run import Config
from lolblur_synth.core.colorimetry import srgb_to_linear
from lolblur_synth.core.errors import SequenceError
from lolblur_synth.core.profiler import OperatorTimer
from lolblur_synth.nets.weights.load import load_ec_zero_dce
from lolblur_synth.ops.exposure import average, space_of
from lolblur_synth.ops.interpolation.interpolate import by_blending, interpolate
from lolblur_synth.ops.isp import Jpeg, compress, sharpen
from lolblur_synth.ops.noise.camera import Sensor
from lolblur_synth.ops.noise.shot_read import add_noise
from lolblur_synth.ops.unclip import unclip
from lolblur_synth.synthesis.clip import Clip, Frame
from lolblur_synth.synthesis.draws import Draws, noise_generator
from lolblur_synth.synthesis.pipeline import (
    NoiseEstimate,
    Pair,
    Tools,
    denoised,
    estimate_noise,
    synthesize,
    windows,
)
from lolblur_synth.synthesis.sequences import Metering, Recipe, Shutter, Slot

FOLDERS = ("high_sharp_original", "high_sharp_scaled", "low_sharp", "low_blur", "low_blur_noise")
CONFIG = load(Config, [], ["denoise.backend=none"])
DRAWS = Draws(exposure=0.1, dim=0.9, shutter_ms=24, streak=0.5, defocus=(1.5, 1.0, 0.3, 2.0), shot=1e-3, read=1e-4)
SHUTTER = Shutter(gaps=2, factor=4, milliseconds=8.0)
SLOTS = (Slot(0, 11), Slot(1, 14))
RECIPE = Recipe("a key", SLOTS, SHUTTER, DRAWS, Metering(0.4, 0.4))


def picture(number: int) -> Tensor:
    """Texture that moves by a pixel a frame, and a lamp."""
    texture = torch.rand((3, 48, 96), generator=torch.Generator().manual_seed(0)) * 0.5 + 0.1
    texture[:, 8:16, 40:48] = 1.0
    return texture[..., number % 16 : number % 16 + 64]


def clip(count: int = 6, first: int = 10) -> Iterator[Frame]:
    return (Frame(number, picture(number)) for number in range(first, first + count))


@pytest.fixture(scope="module")
def tools() -> Tools:
    return Tools(load_ec_zero_dce("ec_zero_dce")[0], by_blending, OperatorTimer(torch.device("cpu")))


def synthesized(tools: Tools, recipe: Recipe = RECIPE, config: Config = CONFIG) -> Pair:
    return next(synthesize(clip(), recipe, config, tools))


@pytest.mark.parametrize(
    ("drawn", "reaches"),
    [
        ({"dim": 0.8}, FOLDERS[1:]),
        ({"exposure": 0.2}, FOLDERS[2:]),
        ({"streak": 0.1}, FOLDERS[3:]),
        ({"defocus": None}, FOLDERS[3:]),
        ({"shot": 2e-3}, FOLDERS[4:]),
        ({"read": 2e-3}, FOLDERS[4:]),
        ({"sharpening": 0.5}, FOLDERS[4:]),
        ({"jpeg": Jpeg(60, "4:2:0")}, FOLDERS[4:]),
        ({"shutter_ms": 32}, ()),  # which the plan made a shutter of
        ({"rolling_ms": 20}, ()),  # likewise
    ],
)
def test_a_draw_reaches_the_pictures_from_its_operator_on(tools, drawn, reaches):
    usual = synthesized(tools)
    other = synthesized(tools, replace(RECIPE, draws=replace(DRAWS, **drawn)))
    changed = {name for name in FOLDERS if not torch.equal(getattr(usual, name), getattr(other, name))}
    assert changed == set(reaches)


def test_the_key_and_the_seed_reach_the_noise_alone(tools):
    usual = synthesized(tools)
    other = synthesized(tools, replace(RECIPE, key="another"))
    seeded = synthesized(tools, config=load(Config, [], ["denoise.backend=none", "seed=1"]))
    for pair in (other, seeded):
        assert torch.equal(pair.low_blur, usual.low_blur)
        assert not torch.equal(pair.low_blur_noise, usual.low_blur_noise)


def test_lights_are_unclipped_before_the_average_and_noise_comes_last(tools):
    pair = synthesized(tools, replace(RECIPE, draws=replace(DRAWS, defocus=None)))
    still = [frame.image for frame in clip()][:3]
    dark = [synthesized_at(tools, index).low_sharp for index in (10, 11, 12)]
    to_light, to_srgb = space_of(CONFIG.average.space)
    sub_frames = interpolate(dark, still, SHUTTER.factor, by_blending, map, lambda share: None)
    lights = (to_light(unclip(frame, DRAWS.streak, CONFIG.unclip.threshold)) for frame in sub_frames)
    expected = to_srgb(average(lights)).clamp(0, 1)
    torch.testing.assert_close(pair.low_blur, expected, atol=2e-3, rtol=0)
    field = torch.randn(pair.low_blur.shape, generator=noise_generator(CONFIG.seed, RECIPE.key, 0))
    assert torch.equal(pair.low_blur_noise, add_noise(pair.low_blur, DRAWS.shot, DRAWS.read, field))


@pytest.mark.parametrize("response", ["srgb", "gamma2.2", "[[0,0],[0.1,0.4],[1,1]]"])
def test_a_sensor_sees_light_that_is_brighter_than_white(tools, response):
    """A lamp that reverse clipping made brighter is white after a sensor's noise; linear noise darkens half of it."""
    grey = (1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0)
    sensor = Sensor("any", "RGGB", grey, 1.5, 1.5, 0.0, None, None, "malvar")
    drawn = replace(DRAWS, defocus=None, noise="bayer", sensor=sensor)
    config = load(Config, [], ["denoise.backend=none", f"camera.response={response}"])
    recipes = [replace(RECIPE, draws=draws) for draws in (drawn, replace(drawn, noise="linear"))]
    pairs = [synthesized(tools, recipe, config) for recipe in recipes]
    (mosaic, linear), lamp = [pair.low_blur_noise for pair in pairs], (slice(None), slice(11, 13), slice(32, 34))
    assert torch.equal(pairs[0].low_blur, pairs[1].low_blur)
    assert pairs[0].low_blur[lamp].min() == 1
    assert mosaic[lamp].min() > 1 - 1e-6
    assert linear[lamp].min() < 1 - 1e-3
    assert (mosaic - pairs[0].low_blur)[:, :8, :8].std() > 1e-2


@pytest.mark.parametrize("space", ["linear", "srgb"])
def test_the_response_curve_encodes_all_five_pictures_at_last(tools, space):
    usual, other = (
        synthesized(tools, config=load(Config, [], ["denoise.backend=none", f"average.space={space}", *settings]))
        for settings in ([], ["camera.response=gamma2.2"])
    )
    for name in FOLDERS:
        expected = srgb_to_linear(getattr(usual, name)) ** (1 / 2.2)
        torch.testing.assert_close(getattr(other, name), expected, atol=1e-6, rtol=0)


def test_sharpening_and_jpeg_come_after_noise_and_curve(tools):
    config = load(Config, [], ["denoise.backend=none", "camera.response=gamma2.2", "isp.sharpen_radius=1.5"])
    jpeg = Jpeg(60, "4:2:2")
    plain = synthesized(tools, config=config).low_blur_noise
    made = synthesized(tools, replace(RECIPE, draws=replace(DRAWS, sharpening=0.7, jpeg=jpeg)), config).low_blur_noise
    assert torch.equal(made, compress(sharpen(plain, 0.7, 1.5), jpeg))


def synthesized_at(tools: Tools, center: int) -> Pair:
    """The pair that is centred on a frame, as dark as in the window of frame 11."""
    frames = (Frame(number, picture(number)) for number in range(center - 1, center + 2))
    first = Frame(center - 2, picture(center))  # is not looked at
    recipe = replace(RECIPE, slots=(Slot(0, center),), draws=replace(DRAWS, defocus=None))
    return next(synthesize([first, *frames], recipe, CONFIG, tools))


def test_no_more_than_a_window_is_held(tools):
    alive = weakref.WeakSet[Tensor]()
    most = 0

    def frames() -> Iterator[Frame]:
        nonlocal most
        for number in range(10, 70):
            image = picture(number).clone()
            alive.add(image)
            most = max(most, len(alive))
            yield Frame(number, image)
            del image

    slots = tuple(Slot(index, 11 + 3 * index) for index in range(19))
    for pair in synthesize(frames(), replace(RECIPE, slots=slots), CONFIG, tools):
        del pair
    assert most <= SHUTTER.frames + 1  # and the middle of the last pair


def test_no_pair_is_held_while_the_next_is_made(tools):
    alive, counts = weakref.WeakSet[Tensor](), []

    def noting(*arguments):
        counts.append(len(alive))
        return map(*arguments)

    slots = tuple(Slot(index, 12 + SHUTTER.frames * index) for index in range(3))
    for pair in synthesize(clip(12), replace(RECIPE, slots=slots), CONFIG, replace(tools, map=noting)):
        alive.update(getattr(pair, name) for name in FOLDERS)
        del pair
    assert max(counts) == 0


def test_windows_may_overlap_and_frames_before_them_are_passed_over():
    found = list(windows(clip(), (Slot(0, 12), Slot(1, 13)), SHUTTER))
    assert [slot for slot, _ in found] == [Slot(0, 12), Slot(1, 13)]
    for slot, images in found:
        assert all(
            torch.equal(image, picture(at)) for at, image in zip(SHUTTER.window(slot.center), images, strict=True)
        )


def test_frames_that_the_next_window_does_not_hold_are_the_callers_alone():
    step = SHUTTER.frames - 1  # the last frame of a window is the first of the next
    made = windows(clip(), (Slot(0, 12), Slot(1, 12 + step)), SHUTTER)
    _, images = next(made)
    seen = [weakref.ref(image) for image in images]
    del images
    assert [image() is None for image in seen] == [True] * step + [False]


def test_frames_that_end_too_early_are_told_by_their_number():
    with pytest.raises(
        SequenceError, match="the frames end before frame 16, the last of a window; is the file damaged"
    ):
        list(windows(clip(), (Slot(0, 15),), SHUTTER))


def test_what_is_not_denoised_comes_as_it_is_with_its_numbers(tools):
    whole = Clip(range(10, 16), frozenset(), lambda: (frame.image for frame in clip()))
    noise = estimate_noise(whole.head(3), CONFIG.denoise)
    assert noise == NoiseEstimate(None, negligible=True)
    frames = list(denoised(whole, noise, CONFIG.denoise, tools))
    assert [frame.number for frame in frames] == list(range(10, 16))
    assert all(torch.equal(frame.image, picture(frame.number)) for frame in frames)


def test_noise_is_that_of_the_settings_or_measured():
    noisy = [(picture(0) + 0.02 * torch.randn(3, 48, 64)).clamp(0, 1) for _ in range(8)]
    given = estimate_noise(noisy, load(Config, [], ["denoise.sigma=5"]).denoise)
    assert given.model
    assert (given.model.sigma, given.negligible) == (5, False)
    measured = estimate_noise(noisy, load(Config, [], []).denoise)
    assert measured.model
    assert measured.model.sigma == pytest.approx(0.02 * 255, rel=0.25)
    assert not measured.negligible


def test_a_scene_before_a_break_is_not_seen_behind_it(tools):
    settings = load(Config, [], ["denoise.backend=vbm4d", "denoise.preset=fast", "denoise.sigma=10"]).denoise
    generator = torch.Generator().manual_seed(1)
    images = [(picture(0) + 10 / 255 * torch.randn((3, 48, 64), generator=generator)).clamp(0, 1) for _ in range(6)]
    other = [1 - image for image in images[:3]] + images[3:]
    noise = estimate_noise(images, settings)

    def behind(frames: list[Tensor], breaks: set[int]) -> Tensor:
        part = Clip(range(40, 46), frozenset(breaks), lambda: iter(frames))
        return torch.stack([frame.image for frame in denoised(part, noise, settings, tools)][3:])

    assert torch.equal(behind(images, {43}), behind(other, {43}))
    assert not torch.equal(behind(images, set()), behind(images, {43}))

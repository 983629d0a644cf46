"""Draws depend on the seed, the sequence and the purpose, and on nothing else."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from lolblur_synth.config.loading import load
from lolblur_synth.config.run import Config, Noise
from lolblur_synth.core.rng import rng_for, torch_rng_for
from lolblur_synth.mosaic.pattern import PATTERNS
from lolblur_synth.ops.isp import Jpeg
from lolblur_synth.ops.noise.camera import Converter
from lolblur_synth.synthesis.draws import draw, draw_defocus, draw_noise, noise_generator
from lolblur_synth.video.metadata import SUBSAMPLINGS


def test_generators_are_pure_functions_of_their_key():
    assert rng_for(1, "a", "b", 2).random() == rng_for(1, "a", "b", 2).random()
    keys = [(1, "a", "b", 2), (2, "a", "b", 2), (1, "ab", "", 2), (1, "a", "b", 3), (1, "a", "b2"), (1, "a\x1fb", 3)]
    assert len({rng_for(*key).random() for key in keys}) == len(keys)


def test_a_pinned_value_so_that_old_datasets_stay_reproducible():
    assert rng_for(0, "sequence", "exposure").random() == 0.061722987494138626


def test_torch_fields():
    first = torch.randn(5, generator=torch_rng_for(3, "x"))
    assert torch.equal(first, torch.randn(5, generator=torch_rng_for(3, "x")))
    assert not torch.equal(first, torch.randn(5, generator=torch_rng_for(3, "y")))


def test_changing_one_range_changes_one_draw():
    before, after = draw(Config(), "s"), draw(load(Config, [], ["darken.exposure=[0.1,0.2]"]), "s")
    assert before.exposure != after.exposure
    assert (before.dim, before.streak, before.shot, before.defocus) == (
        after.dim,
        after.streak,
        after.shot,
        after.defocus,
    )


def test_draws_lie_in_their_ranges_and_fill_them():
    config = load(Config, [], ["defocus.probability=1", "noise.model=linear"])
    drawn = [draw(config, f"s{k}") for k in range(300)]
    for values, (low, high) in [
        ([d.exposure for d in drawn], config.darken.exposure),
        ([d.dim for d in drawn], config.darken.dim),
        ([255 * d.streak for d in drawn], config.unclip.strength),
        ([d.shot for d in drawn], config.noise.shot),
        ([s for d in drawn for s in d.defocus[:2]], config.defocus.sigma),
        ([d.defocus[3] for d in drawn], config.defocus.shape),
    ]:
        assert low <= min(values) < low + 0.1 * (high - low)
        assert high - 0.1 * (high - low) < max(values) <= high
    assert {d.shutter_ms for d in drawn} == {24, 32}
    assert {d.rolling_ms for d in drawn} == {0}


def test_a_readout_is_drawn_for_itself():
    drawn = [draw(load(Config, [], ["camera.rolling_ms=[5,25]"]), f"s{k}") for k in range(100)]
    assert 5 <= min(d.rolling_ms for d in drawn) < 6
    assert 24 < max(d.rolling_ms for d in drawn) <= 25
    assert [replace(d, rolling_ms=0.0) for d in drawn] == [draw(Config(), f"s{k}") for k in range(100)]


def test_defocus_probability():
    config = load(Config, [], ["defocus.probability=0.3"])
    sharp = sum(draw_defocus(config, rng_for(0, k)) is None for k in range(1000))
    assert sharp / 1000 == pytest.approx(0.7, abs=0.05)


def test_read_noise_follows_shot_noise():
    drawn = np.log([draw_noise(Noise(model="linear", shot=(1e-4, 1e-2)), rng_for(0, k))[:2] for k in range(2000)])
    slope, offset = np.polyfit(drawn[:, 0], drawn[:, 1], 1)
    assert slope == pytest.approx(2.18, abs=0.05)
    assert offset == pytest.approx(1.20, abs=0.3)
    assert (drawn[:, 1] - np.polyval((slope, offset), drawn[:, 0])).std() == pytest.approx(0.26, abs=0.02)


def test_no_noise_can_be_asked_for():
    assert draw_noise(Noise(model="linear", shot=(0, 0)), rng_for(0)) == (0, 0, 0)


def bayer(*settings: str) -> Config:
    return load(Config, [], ["noise.model=bayer", *(f"noise.{setting}" for setting in settings)])


def test_a_sensor_is_drawn_for_the_mosaic_alone():
    linear = draw(load(Config, ["paper"], []), "s")
    assert (linear.noise, linear.sensor) == ("linear", None)
    usual = draw(Config(), "s")
    assert (usual.noise, usual.sensor.camera, usual.sensor.demosaic) == ("bayer", "rsblur", "menon")
    none = draw(load(Config, [], ["noise.model=none"]), "s")
    assert (none.noise, none.shot, none.read, none.sensor) == ("none", 0, 0, None)
    drawn = draw(bayer("camera=nikon-d850"), "s")
    assert (drawn.noise, drawn.sensor.camera, drawn.sensor.tukey_lambda) == ("bayer", "nikon-d850", -0.26)
    assert drawn.sensor.converter == Converter(14, 512)
    assert 0 < drawn.sensor.row < drawn.read < drawn.shot
    assert drawn.exposure == draw(Config(), "s").exposure


def test_patterns_and_gains_are_drawn_or_told():
    drawn = [draw(bayer("camera=phone"), f"s{k}").sensor for k in range(60)]
    assert {sensor.pattern for sensor in drawn} == set(PATTERNS)
    assert 1.9 <= min(sensor.red_gain for sensor in drawn) < 1.95
    assert 1.85 < max(sensor.blue_gain for sensor in drawn) <= 1.9
    assert len({sensor.color for sensor in drawn}) == 2
    told = draw(bayer("camera=phone", "pattern=GRBG", "red_gain=1.25", "demosaic=malvar"), "s0").sensor
    assert (told.pattern, told.red_gain, told.demosaic) == ("GRBG", 1.25, "malvar")
    assert (told.blue_gain, told.color) == (drawn[0].blue_gain, drawn[0].color)


def test_the_noise_of_a_picture_has_a_generator_of_its_own():
    fields = [torch.randn(4, generator=noise_generator(0, "s", slot)) for slot in (0, 0, 1)]
    assert torch.equal(fields[0], fields[1])
    assert not torch.equal(fields[0], fields[2])


def test_sharpening_and_jpeg_are_drawn_where_they_are_asked_for():
    assert (draw(Config(), "s").sharpening, draw(Config(), "s").jpeg) == (0, None)
    asked = ["isp.sharpen=[0.2,0.8]", "isp.jpeg_quality=[60,63]", "isp.jpeg_subsampling=any"]
    drawn = [draw(load(Config, [], asked), f"s{k}") for k in range(100)]
    assert 0.2 <= min(d.sharpening for d in drawn) < 0.25 < 0.75 < max(d.sharpening for d in drawn) <= 0.8
    assert {d.jpeg.quality for d in drawn} == {60, 61, 62, 63}
    assert {d.jpeg.subsampling for d in drawn} == set(SUBSAMPLINGS)
    assert [replace(d, sharpening=0.0, jpeg=None) for d in drawn] == [draw(Config(), f"s{k}") for k in range(100)]
    told = draw(load(Config, [], ["isp.jpeg_quality=75", "isp.jpeg_subsampling=4:2:2"]), "s").jpeg
    assert told == Jpeg(75, "4:2:2")

"""Camera presets: each can be drawn, and each line has its source."""

import re

import numpy as np
import pytest

from lolblur_synth.config.cameras import cameras, known
from lolblur_synth.config.loading import load, presets
from lolblur_synth.config.presets import preset_dir
from lolblur_synth.config.run import Config
from lolblur_synth.core.errors import UserError
from lolblur_synth.ops.noise.camera import draw_color, draw_level

TEXT = (preset_dir() / "noise" / "cameras.yaml").read_text()


@pytest.mark.parametrize("name", cameras())
def test_every_camera_draws_a_noise_level_and_colours_that_exist(name):
    for seed in range(50):
        rng = np.random.default_rng(seed)
        shot, read, row = draw_level(cameras()[name], rng)
        color, gains = draw_color(cameras()[name], rng)
        assert 1e-6 < shot < 0.05
        assert 0 < read < 0.01
        assert 0 <= row < read
        assert np.linalg.det(color) > 0.1
        assert 1 <= min(gains.red[0], gains.blue[0]) <= max(gains.red[1], gains.blue[1]) < 4


def test_numbers_of_the_sources():
    """Of digital numbers: a D850 at a gain of e^1.2 a electron, over 15871 levels."""
    shots = [draw_level(cameras()["nikon-d850"], np.random.default_rng(seed)).shot for seed in range(300)]
    assert min(shots) == pytest.approx(np.exp(1.2) / 15871, rel=0.05)
    assert max(shots) == pytest.approx(np.exp(2.4828) / 15871, rel=0.05)
    reads = [draw_level(cameras()["sony-a7r3"], np.random.default_rng(seed)).read ** 0.5 for seed in range(300)]
    assert np.mean(reads) == pytest.approx(2.943e-5, rel=0.05)


def test_every_number_has_its_source():
    for line in TEXT.splitlines():
        if re.search(r"\d", line.partition("#")[0].partition(":")[2]):
            assert re.search(r"# \w.{2,}", line), line


def test_other_cameras_are_named():
    assert known("phone") == "phone"
    with pytest.raises(ValueError, match="no such camera; there are sony-a7r3, "):
        known("kodak")
    with pytest.raises(UserError, match=r"noise\.camera: no such camera; there are .*\(got 'kodak'\)"):
        load(Config, [], ["noise.camera=kodak"])


def test_gains_that_clip_all_lights_are_refused():
    with pytest.raises(UserError, match=r"noise\.red_gain: lies within \[1, 16\]"):
        load(Config, [], ["noise.red_gain=0.1"])


def test_the_table_is_no_preset_of_a_run():
    assert "cameras" not in presets()

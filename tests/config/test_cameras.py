"""Camera presets: each can be drawn, and each line has its source."""

import re

import numpy as np
import pytest
from pydantic import ValidationError

from lolblur_synth.config.cameras import camera_of, cameras, known, read_camera
from lolblur_synth.config.loading import load, presets, to_yaml
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


FILE = """
matrices: {own: [[6640, -1847, -503], [-5238, 13010, 2474], [-993, 1673, 6527]]}
cameras:
  mine:
    level: {log_gain: [0.5, 0.5], read: [0, 0.7, 0], row: null}
    matrices: [own]
    gains: null
    converter: {bits: 14, black: 512, white: 15000}
    tukey_lambda: null
    pattern: GRBG
"""


def test_a_file_has_the_form_of_the_presets(tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text(FILE)
    name, camera = camera_of(read_camera(path))
    shot, read, row = draw_level(camera, np.random.default_rng(0))
    assert (name, camera.pattern, row) == ("mine", "GRBG", 0)
    assert shot == pytest.approx(np.exp(0.5) / 14488)
    assert read**0.5 == pytest.approx(np.exp(0.7) / 14488)
    table = preset_dir() / "noise" / "cameras.yaml"
    with pytest.raises(UserError, match=r"cameras\.yaml: no camera: holds 10 cameras, where one is expected"):
        read_camera(table)


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("row: null", "raw: null", r"level\.counted\.row: Field required"),
        ("[0, 0.7, 0]", "[0, .nan, 0]", "finite number"),
        ("[0.5, 0.5]", "[0.5, 99]", r"lies within \[-20, 20\]"),
        ("log_gain: [0.5, 0.5], read: [0, 0.7, 0], row: null", "shot: 2, read_std: 0, scale: [1, 1]", "less than or"),
        ("bits: 14", "bits: 11", "10, 12, 14 or 16 bits, not 11"),
        ("black: 512", "black: 15000", "its black level lies below its white"),
        ("{bits: 14, black: 512, white: 15000}", "null", "needs a converter"),
        ("[own]", "[other]", "no such matrix: other"),
        ("[own]", "null", "it has no colour matrix: write one"),
        ("[6640, -1847, -503]", "[-5238, 13010, 2474]", "cannot be inverted"),
        ("[6640, -1847, -503]", "[0, 0, 0]", "sees no white"),
        ("[6640, -1847, -503]", "[26640, -1847, -503]", r"gains of 0\.\d+ and 1\.37, and 1 to 16 can be used"),
        ("tukey_lambda: null", "tukey_lambda: -0.6", "greater than or equal to -0.49"),
        ("pattern: GRBG", "pattern: GGBR", "Input should be"),
        ("    gains: null\n", "", "gains: Field required"),
        ("cameras:", "camera:", "cameras: Field required"),
    ],
)
def test_a_file_is_read_as_a_strangers(tmp_path, old, new, told):
    path = tmp_path / "mine.yaml"
    assert old in FILE
    path.write_text(FILE.replace(old, new))
    with pytest.raises(UserError, match=told) as caught:
        load(Config, [], [f"noise.camera={path}"])
    assert "\n" not in str(caught.value)
    assert str(caught.value).startswith(f"{path}: no camera: ")


def test_files_that_are_none_are_refused_in_one_line(tmp_path):
    with pytest.raises(UserError, match=r"none\.yaml: cannot be read: No such file"):
        load(Config, [], [f"noise.camera={tmp_path / 'none.yaml'}"])
    (tmp_path / "list.yml").write_text("- 1\n")
    with pytest.raises(UserError, match=r"list\.yml: no camera: "):
        load(Config, [], [f"noise.camera={tmp_path / 'list.yml'}"])


def test_settings_hold_the_camera_and_are_read_without_its_file(tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text(FILE)
    config = load(Config, [], [f"noise.camera={path}"])
    path.unlink()
    (tmp_path / "run.yaml").write_text(to_yaml(config))
    assert load(Config, [str(tmp_path / "run.yaml")]) == config
    assert Config.model_validate_json(config.model_dump_json()) == config
    with pytest.raises(ValidationError, match="no such camera"):  # which a record may name, and nobody reads a file
        Config.model_validate({"noise": {"camera": str(path)}})


def test_the_table_is_no_preset_of_a_run():
    assert "cameras" not in presets()

"""Layers, single settings, and the words for what is wrong."""

from pathlib import Path

import pytest
import yaml

from lolblur_synth.config.loading import load, parse_assignment, presets, settings_of, to_yaml
from lolblur_synth.config.presets import preset_dir
from lolblur_synth.config.run import Config, Darken
from lolblur_synth.config.section import Section
from lolblur_synth.config.training import TrainECDCE, TrainLEDNet
from lolblur_synth.core.errors import UserError


def fails(*assignments: str, sources: tuple[str, ...] = ()) -> str:
    with pytest.raises(UserError) as caught:
        load(Config, sources, assignments)
    return str(caught.value)


def test_default_preset_is_exactly_the_defaults():
    text = yaml.safe_load((preset_dir() / "default.yaml").read_text())
    assert text == yaml.safe_load(to_yaml(Config()))


@pytest.mark.parametrize("name", [name for name in presets() if not name.startswith("train_")])
def test_every_run_preset_loads(name: str):
    assert load(Config, [name]).sequences.fps == 24


def test_yaml_round_trip(tmp_path):
    config = load(Config, ["paper"], ["seed=7", "video.size=source", "noise.shot=[1e-5,1e-4]"])
    (tmp_path / "again.yaml").write_text(to_yaml(config))
    assert load(Config, [str(tmp_path / "again.yaml")]) == config


def test_later_layers_win(tmp_path):
    mine = tmp_path / "mine.yaml"
    mine.write_text("darken: {exposure: 0.2}\nseed: 3\n")
    config = load(Config, ["night", str(mine)], ["seed=4"])
    assert (config.darken.exposure, config.darken.dim, config.seed) == ((0.2, 0.2), (0.8, 1.0), 4)


def test_a_preset_of_another_command_is_told_as_one():
    with pytest.raises(UserError, match=r"^config train_lednet: a preset of another command; [^\n]*$"):
        load(Config, ["train_lednet"])
    with pytest.raises(UserError, match=r"^config night: a preset of another command"):
        load(TrainLEDNet, ["night"])


def test_all_faults_are_named_at_once_with_their_paths():
    message = fails(
        "seed=-1", "video.size=1120", "darken.exposre=0.1", "darken.exposure=[0.3,0.1]", "run.workers=two", "nois={}"
    )
    for part in (
        "seed: ",
        "video.size: ",
        "darken.exposre: unknown key, did you mean darken.exposure?",
        "darken.exposure: a range goes from low to high",
        "run.workers: ",
        "nois: unknown key, did you mean noise?",
    ):
        assert part in message


def test_what_a_later_layer_replaces_is_no_less_wrong(tmp_path: Path):
    (tmp_path / "a.yaml").write_text("video: 3\ndefocus: {sigma: wide}\n")
    with pytest.raises(UserError) as error:
        load(Config, [str(tmp_path / "a.yaml")], ["video.size=64x64", "defocus.sigma=1"])
    assert "video: " in str(error.value)
    assert "defocus.sigma: " in str(error.value)


def test_layers_may_fit_only_together():
    config = load(Config, (), ["sequences.min_pairs=40", "sequences.pairs=50"])
    assert (config.sequences.min_pairs, config.sequences.pairs) == (40, 50)


@pytest.mark.parametrize(
    ("assignment", "layer"),
    [
        ("seed=1", {"seed": 1}),
        ("video.size=source", {"video": {"size": "source"}}),
        ("darken.exposure=[0.1, 1e-3]", {"darken": {"exposure": [0.1, 0.001]}}),
        ("darken.weights=a=b.pth", {"darken": {"weights": "a=b.pth"}}),
        ("video.capture_fps=", {"video": {"capture_fps": None}}),
    ],
)
def test_an_assignment_is_a_layer(assignment: str, layer: object):
    assert parse_assignment(assignment) == layer


@pytest.mark.parametrize("assignment", ["seed", "=1", ""])
def test_what_is_no_assignment_is_told(assignment: str):
    with pytest.raises(UserError, match=rf"^set {assignment}: write key=value"):
        parse_assignment(assignment)


@pytest.mark.parametrize("model", [Config, TrainECDCE, TrainLEDNet])
def test_every_setting_is_explained_in_a_line(model: type[Section]):
    settings = list(settings_of(model))
    assert [setting.key for setting in settings if not setting.description] == []
    assert [setting.key for setting in settings if "\n" in setting.description] == []


def test_kinds_of_a_value_are_no_part_of_its_name():
    assert "denoise.preset: Input should be" in fails("denoise.preset=slow")
    assert "noise.camera: no such camera" in fails("noise.camera=kodak")
    assert "noise.camera.name: Field required" in fails("noise.camera={level: 1}")


def test_settings_come_with_their_defaults():
    found = {setting.key: setting for setting in settings_of(Config)}
    assert found["darken.exposure"].default == (0.05, 0.30)
    assert found["darken"].description == Darken.__doc__
    assert found.keys() >= {"seed", "noise", "noise.shot"}


def test_duplicate_key_names_file_and_line(tmp_path):
    path = tmp_path / "twice.yaml"
    path.write_text("seed: 1\ndarken:\n  dim: 1\n  exposure: 0.1\n  dim: 0.9\n")
    message = fails(sources=(str(path),))
    assert "dim is there twice" in message
    assert "line 3" in message
    assert str(path) in message


def test_unknown_preset_lists_those_there_are():
    assert "there are" in fails(sources=("fsat",))


def test_missing_or_strange_files(tmp_path):
    assert "cannot be read" in fails(sources=(str(tmp_path / "none.yaml"),))
    (tmp_path / "list.yaml").write_text("- 1\n")
    assert "mapping" in fails(sources=(str(tmp_path / "list.yaml"),))


def test_exponents_without_a_dot_are_numbers():
    assert load(TrainECDCE, [], ["learning_rate=1e-3"]).learning_rate == 1e-3

import json

import pytest

from lolblur_synth.config.loading import load
from lolblur_synth.config.training import TrainLEDNet
from lolblur_synth.core.errors import UserError
from lolblur_synth.train.engine.run_dir import RunFolder

CONFIG = TrainLEDNet()


@pytest.fixture
def folder(tmp_path):
    return RunFolder(tmp_path / "a" / "run", ["best.safetensors"], "pairs", ("device", "workers"))


def begin(folder, config=CONFIG, data=(1, 2)):
    """A run that has saved once."""
    assert not folder.prepare(config, list(data))
    for name in ("last.pt", "best.safetensors", "metrics.json"):
        (folder.path / name).write_text("{}")
    (folder.path / "tensorboard").mkdir()


def test_a_new_folder_says_what_it_was_made_from(folder):
    begin(folder)
    assert load(TrainLEDNet, [str(folder.path / "config.yaml")]) == CONFIG
    assert json.loads((folder.path / "data.json").read_text()) == [1, 2]


def test_the_same_run_is_found_again_and_what_decides_nothing_may_change(folder):
    begin(folder)
    assert folder.prepare(CONFIG, [1, 2])
    assert folder.prepare(CONFIG.model_copy(update={"device": "cpu", "workers": 3}), [1, 2])


def test_other_settings_and_other_data_are_told(folder):
    begin(folder)
    with pytest.raises(UserError, match=r"other settings \(net was .*; steps was 500000, is 2\)"):
        folder.prepare(load(TrainLEDNet, [], ["steps=2", "net.signed=true"]), [1, 2])
    with pytest.raises(UserError, match=r"holds a run on other pairs \(see data.json\)"):
        folder.prepare(CONFIG, [1, 3])
    with pytest.raises(UserError, match="with these settings already; resume it, or overwrite it"):
        folder.prepare(CONFIG, [1, 2], resume=False)


def test_overwriting_removes_what_a_run_has_made_and_nothing_else(folder):
    begin(folder)
    (folder.path / "letter.txt").write_text("dear")
    with pytest.raises(UserError, match="not an empty folder and not a training run"):
        folder.prepare(CONFIG, [3], overwrite=True)
    assert len([*folder.path.iterdir()]) == 7  # refused, so nothing is gone
    (folder.path / "letter.txt").unlink()
    assert not folder.prepare(CONFIG, [3], overwrite=True)
    assert sorted(path.name for path in folder.path.iterdir()) == ["config.yaml", "data.json"]


def test_a_run_that_was_cut_off_before_it_saved_starts_again(folder):
    folder.path.mkdir(parents=True)
    for name in ("config.yaml", "data.json", ".last.pt.partial", ".best.safetensors.partial"):
        (folder.path / name).write_text("")
    assert not folder.prepare(CONFIG, [1])


def test_a_file_in_the_way_and_folders_of_other_things_are_left_alone(folder):
    folder.path.mkdir(parents=True)
    (folder.path / "letter.txt").write_text("dear")
    with pytest.raises(UserError, match=r"a/run: not an empty folder and not a training run; choose another"):
        folder.prepare(CONFIG, [1])
    file = RunFolder(folder.path / "letter.txt", [], "pairs")
    with pytest.raises(UserError, match="not an empty folder"):
        file.prepare(CONFIG, [1])


@pytest.mark.parametrize("content", [b"", b"\xff", b"[" * 100_000, b"{"])
def test_a_damaged_list_of_data_is_told(folder, content):
    begin(folder)
    (folder.path / "data.json").write_bytes(content)
    with pytest.raises(UserError, match=r"data.json: damaged; choose another folder, or overwrite"):
        folder.prepare(CONFIG, [1, 2])


@pytest.mark.parametrize("content", [b"", b"\0", b"\xff", b"[" * 100_000, b"- 1", b"steps: !!int '3'"])
def test_damaged_settings_are_told(folder, content):
    begin(folder)
    (folder.path / "config.yaml").write_bytes(content)
    with pytest.raises(UserError):
        folder.prepare(load(TrainLEDNet, [], ["steps=2"]), [1, 2])

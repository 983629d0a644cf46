"""Whether a run may write into a folder."""

import pytest

from lolblur_synth.config.run import Config
from lolblur_synth.core.errors import UserError
from lolblur_synth.dataset.layout import SETTINGS
from lolblur_synth.dataset.locks import locked, publishing
from lolblur_synth.dataset.output import read_existing, recover_if_dataset
from lolblur_synth.dataset.publish import publish
from lolblur_synth.dataset.settings import write_settings
from tests.support.staged import stage


def test_a_new_folder_holds_nothing(tmp_path):
    assert list(read_existing(tmp_path / "none", Config(), overwrite=False)) == []
    assert list(read_existing(tmp_path, Config(), overwrite=False)) == []


def test_a_folder_in_which_a_run_has_only_begun_holds_nothing(tmp_path):
    (tmp_path / "disk").mkdir()
    out = tmp_path / "out"
    with locked(out), publishing(out, "0003"):
        (out / "train").symlink_to(tmp_path / "disk")
        (out / f".{SETTINGS}.partial").write_text("")
        assert list(read_existing(out, Config(), overwrite=False)) == []


@pytest.mark.parametrize("overwrite", [False, True])
def test_what_is_no_dataset_is_left_alone(overwrite, tmp_path):
    (tmp_path / "thesis.txt").write_text("precious")
    with pytest.raises(UserError, match="not empty and not a dataset of lolblur-synth; name a new folder"):
        read_existing(tmp_path, Config(), overwrite=overwrite)
    with pytest.raises(UserError, match=r"thesis\.txt: is a file; name a folder"):
        read_existing(tmp_path / "thesis.txt", Config(), overwrite=overwrite)
    recover_if_dataset(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


def test_a_dataset_goes_on_with_its_own_settings_alone_unless_told(tmp_path):
    write_settings(tmp_path, Config())
    made = publish(tmp_path, stage(tmp_path))
    assert list(read_existing(tmp_path, Config(), overwrite=False)) == [made]
    told = r"other settings \(seed is 0 there, 1 here\); use the same, another out, or overwrite"
    with pytest.raises(UserError, match=told):
        read_existing(tmp_path, Config(seed=1), overwrite=False)
    assert list(read_existing(tmp_path, Config(seed=1), overwrite=True)) == [made]


def test_what_a_killed_run_had_completed_is_published(tmp_path):
    write_settings(tmp_path, Config())
    stage(tmp_path)
    recover_if_dataset(tmp_path)
    assert [record.id for record in read_existing(tmp_path, Config(), overwrite=False)] == ["0003-0"]

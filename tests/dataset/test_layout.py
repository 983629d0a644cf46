"""Where everything of a dataset lies."""

from pathlib import Path

import pytest

from lolblur_synth.dataset.layout import FOLDERS, SPLITS, image_path, record_path, staged, staged_id, staging_path


def test_pictures_lie_where_lol_blur_has_them():
    assert image_path("test", "low_blur", 12, 3) == Path("test/low_blur/0012/0003.png")
    assert SPLITS == ("train", "test")
    assert FOLDERS == ("low_blur_noise", "low_blur", "low_sharp", "high_sharp_scaled", "high_sharp_original")


def test_a_sequence_is_staged_beside_its_record(tmp_path):
    assert record_path(tmp_path, "0012-1") == tmp_path / "records/0012-1.json"
    for name in ("0012-1", "0003-0"):
        staging_path(tmp_path, name).mkdir()
        assert staged_id(staging_path(tmp_path, name)) == name
    assert staged(tmp_path) == [tmp_path / ".0003-0.partial", tmp_path / ".0012-1.partial"]


def test_each_attempt_at_a_sequence_has_a_folder_of_its_own(tmp_path):
    folders = [staging_path(tmp_path, "0012-1", attempt) for attempt in ("00c0ffee", "deadbeef")]
    for folder in folders:
        folder.mkdir()
        assert staged_id(folder) == "0012-1"
    assert staged(tmp_path) == folders


@pytest.mark.parametrize(
    "name", [".letters.partial", ".0012-1.xyz.partial", ".00012-1.partial", "0012-1.partial", ".0012-1.partial.old"]
)
def test_folders_of_others_are_no_staging_folders(name, tmp_path):
    (tmp_path / name).mkdir()
    assert staged_id(tmp_path / name) is None
    assert staged(tmp_path) == []


def test_neither_files_nor_links_are_staging_folders(tmp_path):
    (tmp_path / ".0001-0.partial").write_text("")
    (tmp_path / ".0002-0.partial").symlink_to(tmp_path)
    assert staged(tmp_path) == []

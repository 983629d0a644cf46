"""Pictures in folders."""

import pytest

from lolblur_synth.apps.pictures import find_pictures
from lolblur_synth.core.errors import UserError


@pytest.fixture
def folder(tmp_path):
    for name in ("b.png", "a.JPG", "notes.txt", ".hidden.png", "._a.JPG", "below/c.tif", ".cache/d.png"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"")
    (tmp_path / "folder.png").mkdir()
    return tmp_path


@pytest.mark.parametrize(
    ("recursive", "names"), [(False, ["a.JPG", "b.png"]), (True, ["a.JPG", "b.png", "below/c.tif"])]
)
def test_pictures_come_in_order_without_what_is_hidden(folder, recursive, names):
    assert [str(path.relative_to(folder)) for path in find_pictures(folder, recursive=recursive)] == names


def test_a_hidden_folder_may_itself_be_named(folder):
    assert find_pictures(folder / ".cache", recursive=True) == [folder / ".cache/d.png"]


def test_a_folder_without_pictures_is_told(tmp_path):
    with pytest.raises(UserError, match=r"^input .*: no pictures in this folder; give one that has some, or a video"):
        find_pictures(tmp_path, recursive=False)
    with pytest.raises(UserError, match=r"^gt .*: no pictures in this folder or below; give one that has some$"):
        find_pictures(tmp_path, recursive=True, parameter="gt")

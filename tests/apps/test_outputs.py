"""One guard for the outputs of every command."""

from pathlib import Path

import pytest

from lolblur_synth.apps.outputs import check_apart, check_file, check_files, check_source
from lolblur_synth.core.errors import UserError


@pytest.fixture(autouse=True)
def _world(tmp_path, monkeypatch):
    """A source, a file of before, a link to the source, and a folder of images."""
    monkeypatch.chdir(tmp_path)
    for name in ("in.png", "there.png"):
        Path(name).write_text("precious")
    Path("link.png").symlink_to("in.png")
    Path("images").mkdir()
    Path("folder.png").mkdir()


def test_a_new_file_may_be_written():
    check_source(Path("in.png"))
    check_file(Path("new.png"), (".png",), source=Path("in.png"), overwrite=False)
    check_file(Path("there.png"), (".png",), source=Path("in.png"), overwrite=True)
    check_files([(Path("in.png"), Path("new/a.png")), (Path("in.png"), Path("new/b.png"))], overwrite=False)


@pytest.mark.parametrize("overwrite", [False, True])
@pytest.mark.parametrize(
    ("target", "told"),
    [
        ("new.txt", "out new.txt: name a file that ends in .png or .mkv"),
        ("no/new.png", "out no/new.png: the folder no does not exist; make it first"),
        ("in.png", "out in.png: would replace the input; name another file"),
        ("link.png", "out link.png: would replace the input; name another file"),
        ("folder.png", "out folder.png: is a folder; name another file"),
    ],
)
def test_what_can_never_be_written_is_told(target, told, overwrite):
    with pytest.raises(UserError) as caught:
        check_file(Path(target), (".png", ".mkv"), source=Path("in.png"), overwrite=overwrite)
    assert str(caught.value) == told


def test_what_is_there_is_replaced_only_when_asked():
    with pytest.raises(UserError, match=r"^save there\.png: exists; name another file, or overwrite$"):
        check_file(Path("there.png"), (".png",), overwrite=False, parameter="save")
    with pytest.raises(UserError, match=r"^out: there\.png exists; name another folder, or overwrite$"):
        check_files([(Path("in.png"), Path("there.png"))], overwrite=False)


def test_nothing_is_written_among_the_images_that_are_read():
    with pytest.raises(UserError, match="lies among the input's images"):
        check_file(Path("images/new.png"), (".png",), source=Path("images"), overwrite=True)
    with pytest.raises(UserError, match=r"^save images/below: lies in the dataset; name another folder$"):
        check_apart(Path("images/below"), Path("images"), "lies in the dataset", parameter="save")
    check_apart(Path("images-of-others"), Path("images"), "lies in the dataset")


def test_two_sources_do_not_share_a_target():
    with pytest.raises(UserError, match=r"^input: several pictures would become out/a\.png; rename them"):
        check_files([(Path("a.jpg"), Path("out/a.png")), (Path("a.bmp"), Path("out/a.png"))], overwrite=True)


def test_a_source_that_is_not_there():
    with pytest.raises(UserError, match=r"^input none\.png: there is no such file or folder$"):
        check_source(Path("none.png"))

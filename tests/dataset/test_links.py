"""Links may lead to another disk where a split lies, and nowhere else: a stranger's dataset touches no neighbour."""

import errno
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from lolblur_synth.cli.main import cli
from lolblur_synth.core.errors import UserError
from lolblur_synth.dataset.layout import RECORD, SETTINGS, record_path
from lolblur_synth.dataset.links import check_layout, placed
from lolblur_synth.dataset.publish import publish, recover, remove
from lolblur_synth.dataset.record_reader import read_records
from lolblur_synth.dataset.verify import verify
from tests.support.staged import record, stage


@pytest.fixture
def root(tmp_path) -> Path:
    folder = tmp_path / "dataset"
    folder.mkdir()
    (folder / SETTINGS).write_text("seed: 0\n")
    return folder


@pytest.fixture
def neighbour(tmp_path) -> Path:
    """Another dataset, with a sequence of the same name."""
    folder = tmp_path / "neighbour"
    folder.mkdir()
    (folder / SETTINGS).write_text("seed: 0\n")
    publish(folder, stage(folder, value=77))
    return folder


def content(folder: Path) -> dict[str, bytes | None]:
    return {str(path): path.read_bytes() if path.is_file() else None for path in sorted(folder.rglob("*"))}


def call(*words: str | Path) -> str:
    """The one line in which a command is refused."""
    error = CliRunner().invoke(cli, [str(word) for word in words]).exception
    assert isinstance(error, UserError), error
    return str(error)


@pytest.mark.parametrize("staged", [False, True])
@pytest.mark.parametrize("split", ["../../neighbour/train", "../neighbour/train", "/etc"])
def test_a_record_that_climbs_out_touches_nothing(root, neighbour, split, staged, tmp_path):
    (tmp_path / "videos").mkdir()
    (tmp_path / "videos/a.mp4").write_text("not looked at")
    path = stage(root) / RECORD
    if not staged:
        publish(root, path.parent)
        path = record_path(root, "0003-0")
    path.write_text(record().model_dump_json().replace('"train"', f'"{split}"'))
    before = content(tmp_path)
    for words in (("run", "--videos", tmp_path / "videos", "--out", root, "--overwrite"), ("verify", root)):
        line = call(*words)
        assert f"damaged record {path.relative_to(root)}: split: Input should be 'train' or 'test'" in line
        assert "\n" not in line
    assert {key: value for key, value in content(tmp_path).items() if ".leases" not in key} == before


@pytest.mark.parametrize("at", ["train/low_blur", "train/low_blur/0003", "records"])
def test_a_link_inside_of_a_dataset_leads_nowhere(root, neighbour, at):
    publish(root, stage(root))
    staging = stage(root, value=9)
    old = read_records(root)["0003-0"]
    (root / at).rename(root / "away")
    (root / at).symlink_to(neighbour / at)
    before = content(neighbour)
    calls = (lambda: verify(root), lambda: read_records(root), lambda: check_layout(root))
    for refuse in calls if at == "records" else (*calls, lambda: publish(root, staging), lambda: remove(root, old)):
        with pytest.raises(UserError, match="may be links; remove this one"):
            refuse()
    assert content(neighbour) == before


def test_a_staged_folder_takes_no_pictures_from_elsewhere(root, neighbour):
    staging = stage(root)
    (staging / "train").rename(root / "away")
    (staging / "train").symlink_to(neighbour / "train")
    before = content(neighbour)
    with pytest.raises(UserError, match="leads out of the dataset"):
        recover(root)
    assert content(neighbour) == before


def test_a_link_in_place_of_a_staged_folder_goes_and_its_target_stays(root, neighbour):
    (root / ".0003-0.partial").symlink_to(neighbour)
    (root / ".manifest.jsonl.partial").symlink_to(neighbour / SETTINGS)
    (root / ".letters.partial").mkdir()  # nobody's sequence
    before = content(neighbour)
    recover(root)
    assert content(neighbour) == before
    assert sorted(path.name for path in root.iterdir()) == [".letters.partial", SETTINGS]


def test_no_draft_follows_a_link(root, tmp_path):
    thesis = tmp_path / "thesis.txt"
    thesis.write_text("precious")
    staging = stage(root)
    (staging / f".{RECORD}.partial").symlink_to(thesis)
    stage(root)
    assert thesis.read_text() == "precious"


def test_a_picture_that_is_a_link_is_a_fault(root, tmp_path):
    publish(root, stage(root))
    picture = root / "train/low_blur/0003/0001.png"
    picture.rename(tmp_path / "elsewhere.png")
    picture.symlink_to(tmp_path / "elsewhere.png")
    assert verify(root)[1] == ["train/low_blur/0003/0001.png: is a link"]


@pytest.fixture(params=["same disk", "memory"])
def other_disk(request, tmp_path, monkeypatch) -> Iterator[Path]:
    """A folder on another file system: one that is another, where there is one, and one that behaves so."""
    if request.param == "memory":
        memory = Path("/dev/shm")
        if not os.access(memory, os.W_OK) or memory.stat().st_dev == tmp_path.stat().st_dev:
            pytest.skip("no second file system here")
        with tempfile.TemporaryDirectory(dir=memory) as folder:
            yield Path(folder)
        return
    rename, folder = Path.replace, tmp_path / "disk"
    folder.mkdir()

    def replace(source: Path, target: Path) -> Path:
        here, there = (Path(os.path.realpath(path)).is_relative_to(folder) for path in (source, target))
        if here != there:
            raise OSError(errno.EXDEV, os.strerror(errno.EXDEV))
        return rename(source, target)

    monkeypatch.setattr(Path, "replace", replace)
    yield folder


def test_a_split_may_lie_on_another_disk(root, other_disk):
    (root / "train").symlink_to(other_disk)
    publish(root, stage(root))
    publish(root, stage(root, 1, (31, 32), value=9))
    publish(root, stage(root, 0, (1, 2, 3), value=50))
    assert verify(root) == (25, [])
    assert len(list(other_disk.rglob("*.png"))) == 25
    assert sorted(path.name for path in root.iterdir()) == [SETTINGS, "records", "train"]


@pytest.mark.parametrize("moved", range(0, 11, 5))
def test_a_kill_between_two_disks_is_recovered(root, other_disk, moved):
    """Also one that left half of a copy."""
    (root / "train").symlink_to(other_disk)
    staging = stage(root)
    pictures = sorted(staging.rglob("*.png"))
    for path in pictures[:moved]:
        target = root / path.relative_to(staging)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(path.read_bytes())
    for path in pictures[moved : moved + 1]:
        target = root / path.relative_to(staging)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.with_name(f".{target.name}.partial").write_bytes(b"half")
    recover(root)
    assert verify(root) == (10, [])


def test_a_disk_that_is_not_there_is_told_before_anything_is_made(root, tmp_path):
    (root / "train").symlink_to(tmp_path / "unmounted")
    with pytest.raises(UserError, match=r"train: is a link to .*unmounted, which is no folder; mount its disk"):
        read_records(root)


def test_a_split_is_no_link_into_another_dataset(root, neighbour):
    (root / "train").symlink_to(neighbour / "train")
    with pytest.raises(UserError, match="train: is a link into another dataset"):
        check_layout(root)


def test_a_dataset_may_be_a_link_itself(root, tmp_path):
    publish(root, stage(root))
    (tmp_path / "link").symlink_to(root)
    assert verify(tmp_path / "link") == (10, [])
    assert placed(tmp_path / "link", Path("train/low_blur/0003/0001.png")).is_file()

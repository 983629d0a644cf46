import os
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from lolblur_synth.core.errors import UserError, refused
from lolblur_synth.core.files import file_hash, flush, move, open_lock, read_bounded, write_text, write_whole
from tests.support.disks import small_files


@pytest.mark.parametrize("durable", [False, True])
def test_a_file_is_replaced(tmp_path: Path, durable: bool):
    path = tmp_path / "a.json"
    path.write_bytes(b"what was there before, and longer")
    write_whole(path, b"new", durable=durable)
    assert path.read_bytes() == b"new"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("durable", [False, True])
def test_what_was_there_outlives_a_failure(tmp_path: Path, durable: bool):
    path = tmp_path / "a.json"
    path.write_bytes(b"old")
    told = pytest.raises(UserError, match=r"^a\.json: File too large; make room$")
    with told, small_files(1000), refused("a.json", "", "make room"):
        write_whole(path, bytes(20_000), durable=durable)
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_draft_that_is_a_link_is_replaced_and_not_followed(tmp_path: Path):
    (tmp_path / "precious").write_bytes(b"old")
    (tmp_path / ".a.json.partial").symlink_to(tmp_path / "precious")
    write_whole(tmp_path / "a.json", b"new")
    assert (tmp_path / "precious").read_bytes() == b"old"
    assert (tmp_path / "a.json").read_bytes() == b"new"


def test_what_is_durable_is_on_the_disk_before_it_has_its_name(tmp_path: Path, monkeypatch):
    done: list[str] = []
    fsync, replace = os.fsync, Path.replace

    def note_fsync(descriptor: int) -> None:
        done.append(Path(f"/proc/self/fd/{descriptor}").readlink().name)
        fsync(descriptor)

    def note_replace(path: Path, target: Path) -> Path:
        done.append("rename")
        return replace(path, target)

    monkeypatch.setattr(os, "fsync", note_fsync)
    monkeypatch.setattr(Path, "replace", note_replace)
    write_whole(tmp_path / "a", b"1", durable=True)
    assert done == [".a.partial", "rename", tmp_path.name]


@pytest.mark.parametrize("follow", [False, True])
def test_files_are_read_up_to_a_limit(tmp_path: Path, follow: bool):
    (tmp_path / "a").write_bytes(b"x" * 1024)
    assert read_bounded(tmp_path / "a", 1024, follow=follow) == b"x" * 1024
    with pytest.raises(OSError, match="larger than 0 KiB"):
        read_bounded(tmp_path / "a", 1023, follow=follow)
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path, tmp_path / "pipe", Path("/dev/zero")):
        with pytest.raises(OSError, match="not a file"):
            read_bounded(path, 1024, follow=follow)
    (tmp_path / "link").symlink_to(tmp_path / "a")
    if follow:
        assert read_bounded(tmp_path / "link", 1024) == b"x" * 1024
    else:
        with pytest.raises(OSError, match="symbolic links"):
            read_bounded(tmp_path / "link", 1024, follow=follow)


def test_a_lock_is_made_and_never_emptied(tmp_path: Path):
    open_lock(tmp_path / "lock").close()
    (tmp_path / "lock").write_bytes(b"what is in it")
    open_lock(tmp_path / "lock").close()
    assert (tmp_path / "lock").read_bytes() == b"what is in it"


def test_a_file_is_known_by_its_sha256(tmp_path: Path):
    (tmp_path / "a").write_bytes(b"abc")
    assert file_hash(tmp_path / "a") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"  # FIPS 180-2


def test_text_is_written_as_utf8(tmp_path: Path):
    write_text(tmp_path / "a", "Bäume\n")
    assert (tmp_path / "a").read_bytes() == "Bäume\n".encode()


def test_a_file_is_moved_over_what_was_there(tmp_path: Path):
    (tmp_path / "a").write_bytes(b"new")
    (tmp_path / "b").write_bytes(b"old")
    move(tmp_path / "a", tmp_path / "b")
    assert [(path.name, path.read_bytes()) for path in tmp_path.iterdir()] == [("b", b"new")]


@pytest.mark.skipif(not Path("/dev/shm").is_dir(), reason="there is one disk alone")
def test_a_file_is_moved_to_another_disk(tmp_path: Path):
    with TemporaryDirectory(dir="/dev/shm") as other:
        if Path(other).stat().st_dev == tmp_path.stat().st_dev:
            pytest.skip("there is one disk alone")
        (tmp_path / "a").write_bytes(b"new")
        move(tmp_path / "a", Path(other, "b"))
        assert Path(other, "b").read_bytes() == b"new"
        assert not (tmp_path / "a").exists()


def test_files_and_folders_can_be_flushed_and_a_missing_one_is_told(tmp_path: Path):
    (tmp_path / "a").write_bytes(b"new")
    flush([tmp_path / "a", tmp_path])
    with pytest.raises(FileNotFoundError):
        flush([tmp_path / "b"])

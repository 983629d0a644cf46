"""Publishing by rename, and recovery after a kill at any moment."""

import os
import threading
from pathlib import Path

import pytest

from lolblur_synth.core.errors import SequenceError, UserError
from lolblur_synth.dataset.layout import RECORD, SETTINGS, record_path
from lolblur_synth.dataset.publish import publish, recover, remove
from lolblur_synth.dataset.record_reader import read_record, read_records, read_staged
from lolblur_synth.dataset.verify import verify
from tests.support.staged import stage


@pytest.fixture
def root(tmp_path) -> Path:
    (tmp_path / SETTINGS).write_text("seed: 0\n")
    return tmp_path


def test_publish_moves_everything_and_verifies(root):
    publish(root, stage(root))
    assert verify(root) == (10, [])
    assert sorted(path.name for path in root.iterdir()) == [SETTINGS, "records", "train"]


def test_a_record_survives_the_disk(root):
    staging = stage(root)
    before = read_staged(staging)
    assert publish(root, staging) == before == read_record(record_path(root, "0003-0"), "0003-0")


def test_two_sequences_share_a_video_folder(root):
    publish(root, stage(root, 0, (1, 2)))
    publish(root, stage(root, 1, (31, 32), value=9))
    assert verify(root) == (20, [])
    remove(root, read_records(root)["0003-0"])
    assert verify(root) == (10, [])


@pytest.mark.parametrize("moved", range(11))
def test_a_kill_at_any_moment_of_publishing_is_recovered(root, moved):
    """Die after `moved` of the ten files were renamed; the next run finishes what is complete."""
    staging = stage(root)
    for path, _ in list(read_staged(staging).images())[:moved]:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (staging / path).rename(root / path)
    assert len(verify(root)[1]) >= 1  # never taken for complete
    recover(root)
    assert verify(root) == (10, [])
    assert not staging.exists()


def test_a_kill_before_the_record_leaves_nothing(root):
    staging = stage(root)
    (staging / RECORD).unlink()
    recover(root)
    assert not staging.exists()
    assert verify(root) == (0, [])


def test_a_new_version_replaces_the_old_one_and_its_surplus(root):
    publish(root, stage(root, numbers=(1, 2, 3), value=5))
    publish(root, stage(root, numbers=(1, 2), value=50))
    assert verify(root) == (10, [])
    assert read_records(root)["0003-0"].fingerprint == f"{50:064x}"


def test_a_sequence_that_another_attempt_has_published_is_only_cleared(root):
    first, second = stage(root, attempt="00000001"), stage(root, attempt="00000002")
    publish(root, first)
    picture = next(root.glob("train/*/*/*.png"))
    before = picture.stat().st_ino
    assert publish(root, second).id == "0003-0"
    assert not second.exists()
    assert picture.stat().st_ino == before
    assert verify(root) == (10, [])


@pytest.mark.parametrize("video", range(8))
def test_two_that_publish_the_same_sequence_at_the_same_time_leave_it_whole(video, root):
    """Even where the lease that keeps them apart was lost."""
    both = [stage(root, video=video, attempt=f"{who:08x}") for who in range(2)]
    together, faults = threading.Barrier(2), []

    def work(staging):
        together.wait()
        try:
            publish(root, staging)
        except Exception as error:
            faults.append(error)

    threads = [threading.Thread(target=work, args=(staging,)) for staging in both]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (faults, verify(root)) == ([], (10, []))


def test_a_shard_recovers_its_own_sequences_alone(root):
    stage(root, 0, attempt="00000001")
    other = stage(root, 1, (3, 4), attempt="00000001")
    recover(root, frozenset({"0003-0"}))
    assert list(read_records(root)) == ["0003-0"]
    assert other.is_dir()


def test_a_sequence_may_take_the_numbers_of_its_neighbour(root):
    """As when a dataset is made anew with more pairs per sequence: nothing that was just made may go."""
    publish(root, stage(root, 0, (1, 2)))
    publish(root, stage(root, 1, (3, 4), value=20))
    publish(root, stage(root, 0, (1, 2, 3), value=50))
    assert verify(root) == (15, [])
    publish(root, stage(root, 1, (4, 5, 6), value=80))
    assert verify(root) == (30, [])


@pytest.mark.parametrize("moved", range(11))
def test_a_kill_while_one_version_replaces_another_is_recovered(root, moved):
    publish(root, stage(root, numbers=(1, 2, 3), value=5))
    staging = stage(root, numbers=(1, 2), value=50)
    old = read_records(root)["0003-0"]
    remove(root, old)
    for path, _ in list(read_staged(staging).images())[:moved]:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (staging / path).rename(root / path)
    recover(root)
    assert verify(root) == (10, [])


def test_a_picture_that_vanished_before_publishing_is_noticed(root):
    staging = stage(root)
    path, _ = next(read_staged(staging).images())
    (staging / path).unlink()
    with pytest.raises(SequenceError, match="is gone"):
        publish(root, staging)


def test_a_completed_sequence_whose_pictures_are_gone_is_given_up(root):
    staging = stage(root)
    (path, _), *_ = read_staged(staging).images()
    (staging / path).unlink()
    recover(root)
    assert not staging.exists()
    assert read_records(root) == {}


def test_all_is_on_the_disk_before_the_record_says_so(root, monkeypatch):
    """In the order in which a power cut could show it."""
    done: list[str] = []
    fsync, replace = os.fsync, Path.replace

    def note_fsync(descriptor: int) -> None:
        done.append(str(Path(f"/proc/self/fd/{descriptor}").readlink().relative_to(root)))
        fsync(descriptor)

    def note_replace(path: Path, target: Path) -> Path:
        done.append(f"-> {target.relative_to(root)}")
        return replace(path, target)

    monkeypatch.setattr(os, "fsync", note_fsync)
    monkeypatch.setattr(Path, "replace", note_replace)
    staging = stage(root)
    pictures = {path.relative_to(root) for path in staging.rglob("*.png")}
    said = done.index(f"-> {staging.name}/{RECORD}")
    assert {str(path) for picture in pictures for path in (picture, *picture.parents[:-1])} <= set(done[:said])
    assert done[said - 1 :] == [f"{staging.name}/.{RECORD}.partial", f"-> {staging.name}/{RECORD}", staging.name]
    done.clear()
    publish(root, staging)
    published = done.index("-> records/0003-0.json")
    renamed = [number for number, what in enumerate(done) if what.startswith("-> train")]
    folders = {str(path.relative_to(root)) for path in (root / "train").rglob("*") if path.is_dir()} | {"train", "."}
    assert len(renamed) == 10
    assert folders <= set(done[max(renamed) + 1 : published])
    assert set(done[published + 1 :]) == {"records", "."}


def test_a_dataset_that_was_taken_away_is_not_half_made_anew(root):
    staging = stage(root)
    (root / SETTINGS).unlink()
    with pytest.raises(UserError, match="was removed or emptied during the run; run the same command again"):
        publish(root, staging)
    assert not (root / "train").exists()

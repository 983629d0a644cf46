"""Publishing by rename, recovery after a kill, and the check that all is as recorded."""

import json
import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest

from lolblur_synth.dataset import FOLDERS, image_path
from lolblur_synth.errors import SequenceError, UserError
from lolblur_synth.records import (
    RECORD,
    SETTINGS,
    PairRecord,
    SequenceRecord,
    fingerprint,
    publish,
    read_record,
    read_records,
    record_path,
    recover,
    remove,
    stage_record,
    staging_path,
    verify,
    write_manifest,
)
from lolblur_synth.video.images import pixel_hash, write_png


def staged(root: Path, sequence: int = 0, numbers: tuple[int, ...] = (1, 2), value: int = 5) -> Path:
    """A complete staged sequence with real pictures."""
    staging = staging_path(root, f"0003-{sequence}")
    pairs = []
    for number in numbers:
        hashes = {}
        for place, folder in enumerate(FOLDERS):
            pixels = np.full((4, 6, 3), value + place, np.uint8)
            path = staging / image_path("train", folder, 3, number)
            path.parent.mkdir(parents=True, exist_ok=True)
            write_png(path, pixels)
            hashes[folder] = pixel_hash(pixels)
        pairs.append(
            PairRecord(number, number, 10 * number, 10 * number - 4, 10 * number + 4, 0.1, hashes, {"mean": 1.0})
        )
    record = SequenceRecord(
        id=f"0003-{sequence}", fingerprint=f"f{value}", split="train", video=3, sequence=sequence,
        source={"name": "a.mp4", "content": "s"}, shutter={"gaps": 8}, draws={"exposure": 0.1},
        noise={"backend": "none"},
        config={}, weights={}, versions={}, device="cpu", seconds={}, pairs=pairs, rejects=[],
    )  # fmt: skip
    stage_record(staging, record)
    return staging


@pytest.fixture
def root(tmp_path) -> Path:
    (tmp_path / SETTINGS).write_text("seed: 0\n")
    return tmp_path


def test_publish_moves_everything_and_verifies(root):
    publish(root, staged(root))
    assert verify(root) == (10, [])
    assert sorted(path.name for path in root.iterdir()) == [SETTINGS, "records", "train"]


def test_a_record_survives_the_disk(root):
    staging = staged(root)
    before = read_record(staging / RECORD)
    assert publish(root, staging) == before == read_record(record_path(root, "0003-0"))


def test_two_sequences_share_a_video_folder(root):
    publish(root, staged(root, 0, (1, 2)))
    publish(root, staged(root, 1, (31, 32), value=9))
    assert verify(root) == (20, [])
    remove(root, read_records(root)["0003-0"])
    assert verify(root) == (10, [])


@pytest.mark.parametrize("moved", range(11))
def test_a_kill_at_any_moment_of_publishing_is_recovered(root, moved):
    """Die after `moved` of the ten files were renamed; the next run finishes what is complete."""
    staging = staged(root)
    for path, _ in list(read_record(staging / RECORD).images())[:moved]:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (staging / path).rename(root / path)
    assert len(verify(root)[1]) >= 1  # never taken for complete
    recover(root)
    assert verify(root) == (10, [])
    assert not staging.exists()


def test_a_kill_before_the_record_leaves_nothing(root):
    staging = staged(root)
    (staging / RECORD).unlink()
    recover(root)
    assert not staging.exists()
    assert verify(root) == (0, [])


def test_a_new_version_replaces_the_old_one_and_its_surplus(root):
    publish(root, staged(root, numbers=(1, 2, 3), value=5))
    publish(root, staged(root, numbers=(1, 2), value=50))
    assert verify(root) == (10, [])
    assert read_records(root)["0003-0"].fingerprint == "f50"


def test_a_sequence_may_take_the_numbers_of_its_neighbour(root):
    """As when a dataset is made anew with more pairs per sequence: nothing that was just made may go."""
    publish(root, staged(root, 0, (1, 2)))
    publish(root, staged(root, 1, (3, 4), value=20))
    publish(root, staged(root, 0, (1, 2, 3), value=50))
    assert verify(root) == (15, [])
    publish(root, staged(root, 1, (4, 5, 6), value=80))
    assert verify(root) == (30, [])


@pytest.mark.parametrize("moved", range(11))
def test_a_kill_while_one_version_replaces_another_is_recovered(root, moved):
    publish(root, staged(root, numbers=(1, 2, 3), value=5))
    staging = staged(root, numbers=(1, 2), value=50)
    old = read_records(root)["0003-0"]
    remove(root, old)
    for path, _ in list(read_record(staging / RECORD).images())[:moved]:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (staging / path).rename(root / path)
    recover(root)
    assert verify(root) == (10, [])


def test_a_picture_that_vanished_before_publishing_is_noticed(root):
    staging = staged(root)
    path, _ = next(read_record(staging / RECORD).images())
    (staging / path).unlink()
    with pytest.raises(SequenceError, match="is gone"):
        publish(root, staging)


def test_a_completed_sequence_whose_pictures_are_gone_is_given_up(root):
    staging = staged(root)
    (path, _), *_ = read_record(staging / RECORD).images()
    (staging / path).unlink()
    recover(root)
    assert not staging.exists()
    assert read_records(root) == {}


def test_what_a_killed_run_had_moved_already_is_no_stray(root):
    staging = staged(root)
    (path, _), *_ = read_record(staging / RECORD).images()
    (root / path).parent.mkdir(parents=True)
    (staging / path).replace(root / path)
    _, faults = verify(root)
    assert faults == [f"{staging.name}: an unfinished sequence; run again to finish it"]


def test_verify_names_what_is_wrong(root):
    publish(root, staged(root))
    folder = root / "train"
    (folder / "low_blur/0003/0001.png").unlink()
    (folder / "low_sharp/0003/0001.png").write_bytes(b"\x89PNG")
    cv2.imwrite(str(folder / "low_blur_noise/0003/0002.png"), np.zeros((4, 6, 3), np.uint8))
    shutil.copy(folder / "low_blur/0003/0002.png", folder / "low_blur/0003/0009.png")
    count, faults = verify(root)
    assert count == 10
    assert sorted(fault.split(": ", 1)[1] for fault in faults) == [
        "cannot be decoded",
        "its pixels differ from its record",
        "missing",
        "no record names it",
    ]


def test_verify_of_another_folder_is_refused(tmp_path):
    with pytest.raises(UserError, match="not a dataset"):
        verify(tmp_path)


@pytest.mark.parametrize("content", ["{", "[]", '{"format": 1}', '{"format": 99}'])
def test_a_damaged_record_is_named(root, content):
    publish(root, staged(root))
    record_path(root, "0003-0").write_text(content)
    with pytest.raises(UserError, match=r"0003-0\.json"):
        read_records(root)


def test_manifest_has_a_line_per_pair(root):
    publish(root, staged(root))
    write_manifest(root, read_records(root))
    lines = [json.loads(line) for line in (root / "manifest.jsonl").read_text().splitlines()]
    assert [line["pair"] for line in lines] == ["0003/0001", "0003/0002"]
    for line in lines:
        assert set(line["images"]) == set(FOLDERS)
        assert all((root / image["path"]).is_file() for image in line["images"].values())


def test_fingerprints_do_not_depend_on_the_order_of_keys():
    assert (
        fingerprint({"a": 1, "b": [1, 2]}) == fingerprint({"b": [1, 2], "a": 1}) != fingerprint({"a": 1, "b": [2, 1]})
    )

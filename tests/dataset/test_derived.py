"""What follows from records, in one pass over them, is what they say."""

import json
from dataclasses import replace

import pytest

from lolblur_synth.config.about import UNTOLD
from lolblur_synth.core.errors import UserError
from lolblur_synth.dataset import derived
from lolblur_synth.dataset.derived import write_derived
from lolblur_synth.dataset.hugging_face import METADATA
from lolblur_synth.dataset.layout import SETTINGS, record_path
from lolblur_synth.dataset.manifest import MANIFEST
from lolblur_synth.dataset.publish import publish
from lolblur_synth.dataset.record_reader import read_records
from lolblur_synth.dataset.summary import summarize
from tests.support.staged import pair, record, stage

FILES = MANIFEST, f"train/{METADATA}", f"test/{METADATA}", "README.md", "contact_sheet.png"


@pytest.fixture
def root(tmp_path):
    (tmp_path / SETTINGS).write_text("seed: 0\n")
    publish(tmp_path, stage(tmp_path))
    publish(tmp_path, stage(tmp_path, 1, (3,), 50))
    publish(tmp_path, stage(tmp_path, 0, (1, 2), 90, video=4, split="test"))
    return tmp_path


def lines(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_all_of_it_is_written_and_its_summary_returned(root):
    summary = write_derived(root, UNTOLD)
    assert summary == summarize(read_records(root).values())
    assert [line["pair"] for line in lines(root / MANIFEST)] == [
        "0003/0001",
        "0003/0002",
        "0003/0003",
        "0004/0001",
        "0004/0002",
    ]
    assert [row["pair"] for row in lines(root / "test" / METADATA)] == ["0004/0001", "0004/0002"]
    assert "5 pairs from 2 videos" in (root / "README.md").read_text()


def test_columns_that_only_later_records_know_or_lack_are_found(root, monkeypatch):
    """The first of a dataset tell of blur; a split that comes last does not."""
    untold = [replace(pair(number), blur=None) for number in (1, 2)]
    changed = record(4, split="test", pairs=untold)
    record_path(root, changed.id).write_bytes(changed.as_json())
    write_derived(root, UNTOLD)
    wanted = [(root / name).read_bytes() for name in FILES]
    assert "blur_mean" not in lines(root / "train" / METADATA)[0]
    assert "psnr" in lines(root / "train" / METADATA)[0]
    monkeypatch.setattr(derived, "_PEEK", 1)
    write_derived(root, UNTOLD)
    assert [(root / name).read_bytes() for name in FILES] == wanted


def test_a_damaged_record_changes_no_file(root):
    write_derived(root, UNTOLD)
    before = [(root / name).read_bytes() for name in FILES]
    record_path(root, "0004-0").write_text("{}")
    publish(root, stage(root, 2, (9,), 70))
    with pytest.raises(UserError, match="damaged record records/0004-0"):
        write_derived(root, UNTOLD)
    assert [(root / name).read_bytes() for name in FILES] == before
    assert not list(root.rglob("*.partial"))


def test_without_records_only_the_empty_manifest_is_written(root):
    write_derived(root, UNTOLD)
    for path in (root / "records").iterdir():
        path.unlink()
    assert write_derived(root, UNTOLD) is None
    assert (root / MANIFEST).read_bytes() == b""
    assert not (root / "train" / METADATA).exists()

"""What a report can tell of a dataset that is whole, damaged, of another version, or somebody else's."""

import json
import shutil

import pytest

from lolblur_synth.apps.report.facts import read_facts
from lolblur_synth.core.errors import UserError
from lolblur_synth.dataset.layout import FOLDERS, SETTINGS, record_path
from lolblur_synth.run.failures import Failure, write_failures
from tests.support.reported import make_dataset


@pytest.fixture
def dataset(tmp_path):
    return make_dataset(tmp_path / "d")


def test_of_a_whole_dataset_nothing_is_missing(dataset):
    facts = read_facts(dataset)
    assert [pair.name for pair in facts.pairs[:2]] == ["0003/0001", "0003/0002"]
    assert {pair.group for pair in facts.pairs} == {"0003-0", "0005-0"}
    assert facts.summary
    assert (facts.summary.pairs, len(facts.pairs), facts.missing, facts.failures) == (12, 12, (), ())
    assert all((dataset / path).is_file() for pair in facts.pairs for path in pair.paths.values())


def test_without_records_the_pictures_tell(dataset):
    shutil.rmtree(dataset / "records")
    (dataset / SETTINGS).unlink()
    facts = read_facts(dataset)
    assert facts.summary is None
    assert [(pair.name, pair.split, pair.group) for pair in facts.pairs][::6] == [
        ("0003/0001", "train", "0003"),
        ("0005/0001", "test", "0005"),
    ]
    assert facts.missing[0].startswith(f"It has no {SETTINGS}")
    assert facts.missing[1].startswith("The pairs have no record")


def test_a_record_of_another_version_costs_no_other(dataset):
    path = record_path(dataset, "0005-0")
    path.write_text(json.dumps(json.loads(path.read_text()) | {"format": 3}))
    facts = read_facts(dataset)
    assert list(facts.records) == ["0003-0"]
    assert len(facts.pairs) == 12
    assert "record format 3, this version reads 4 and 5" in facts.missing[0]
    assert facts.missing[1].startswith("6 of 12 pairs have no record")


def test_a_pair_that_has_one_picture_left_is_a_pair(dataset):
    shutil.rmtree(dataset / "records")
    for folder in FOLDERS[1:]:
        (dataset / "train" / folder / "0003/0006.png").unlink()
    assert len(read_facts(dataset).pairs) == 12


def test_what_failed_is_told(dataset):
    write_failures(dataset, [Failure("b.mp4", "is too short", kind="video")])
    assert read_facts(dataset).failures == (Failure("b.mp4", "is too short", kind="video"),)
    (dataset / "failed/b.mp4.json").write_text('{"name": "b.mp4"}')
    facts = read_facts(dataset)
    assert facts.failures == ()
    assert facts.missing == ("A failure cannot be told: failed/b.mp4.json: message: Field required.",)


def test_what_is_no_dataset_is_refused(tmp_path, dataset):
    with pytest.raises(UserError, match="there is no such folder"):
        read_facts(tmp_path / "none")
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match=r"no pairs in train or test; give the folder of a dataset"):
        read_facts(tmp_path / "empty")
    shutil.move(dataset / "train/low_blur/0003", tmp_path / "elsewhere")
    (dataset / "train/low_blur/0003").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(UserError, match="leads out of the dataset"):
        read_facts(dataset)

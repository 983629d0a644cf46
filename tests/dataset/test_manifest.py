"""A line per pair."""

import json

from lolblur_synth.dataset.layout import FOLDERS
from lolblur_synth.dataset.manifest import write_manifest
from lolblur_synth.dataset.publish import publish
from lolblur_synth.dataset.records import SETTINGS, read_records
from tests.support.staged import stage


def test_manifest_has_a_line_per_pair(tmp_path):
    root = tmp_path
    (root / SETTINGS).write_text("seed: 0\n")
    publish(root, stage(root))
    write_manifest(root, read_records(root))
    lines = [json.loads(line) for line in (root / "manifest.jsonl").read_text().splitlines()]
    assert [line["pair"] for line in lines] == ["0003/0001", "0003/0002"]
    for line in lines:
        assert set(line["images"]) == set(FOLDERS)
        assert all((root / image["path"]).is_file() for image in line["images"].values())

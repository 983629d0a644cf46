"""A line per pair."""

import json

from pydantic_core import to_json

from lolblur_synth.dataset.layout import FOLDERS, SETTINGS
from lolblur_synth.dataset.manifest import manifest_lines, write_manifest
from lolblur_synth.dataset.publish import publish
from lolblur_synth.dataset.record_reader import read_records
from tests.support.staged import record, stage


def test_a_line_is_json_of_a_fixed_form():
    (line, _) = manifest_lines(record())
    content = json.loads(to_json(line))
    assert list(content) == [
        "pair", "split", "sequence", "source", "frames", "seconds", "draws", "shutter", "untrusted", "blur", "psnr",
        "psnr_in_light", "tier", "statistics", "images",
    ]  # fmt: skip
    assert content["frames"] == {"first": 6, "center": 10, "last": 14}
    assert content["blur"] == {
        "mean": 12.5, "p95": 20.0, "direction": 45.0, "concentration": 0.9, "straightness": 0.8,
    }  # fmt: skip
    assert (content["psnr"], content["psnr_in_light"], content["tier"]) == (33.0, 26.0, "medium")
    assert content["draws"]["defocus"] == [1.0, 0.5, 0.3, 2.0]
    assert content["images"]["low_blur"] == {"path": "train/low_blur/0003/0001.png", "sha256": "a" * 64}


def test_manifest_has_a_line_per_pair(tmp_path):
    root = tmp_path
    (root / SETTINGS).write_text("seed: 0\n")
    publish(root, stage(root))
    write_manifest(root, read_records(root).values())
    lines = [json.loads(line) for line in (root / "manifest.jsonl").read_text().splitlines()]
    assert [line["pair"] for line in lines] == ["0003/0001", "0003/0002"]
    for line in lines:
        assert set(line["images"]) == set(FOLDERS)
        assert all((root / image["path"]).is_file() for image in line["images"].values())

"""One row a pair by Hugging Face's own library, offline, with the numbers of the records."""

from pathlib import Path

import numpy as np
import pytest

from lolblur_synth.config.about import UNTOLD
from lolblur_synth.config.loading import load_config
from lolblur_synth.dataset.derived import write_derived
from lolblur_synth.dataset.hugging_face import METADATA
from lolblur_synth.dataset.layout import FOLDERS, SETTINGS
from lolblur_synth.dataset.publish import publish, recover, remove
from lolblur_synth.dataset.reader import read_dataset
from lolblur_synth.dataset.record_reader import read_records
from lolblur_synth.dataset.rows import rows
from lolblur_synth.dataset.verify import verify
from lolblur_synth.synthesis.draws import Draws
from tests.support.hugging_face import load
from tests.support.staged import SOURCE, stage, stage_pictures

SHARP = Draws(0.3, 0.8, 24.0, 0.1, None, 1e-4, 1e-6)


def named(name: str) -> dict[str, object]:
    return {"source": SOURCE.model_copy(update={"name": name})}


def make(root: Path) -> Path:
    """Two splits that differ in all that can be guessed of types: names like times and splits, no defocus in one."""
    root.mkdir(parents=True, exist_ok=True)
    (root / SETTINGS).write_text("seed: 0\n")
    publish(root, stage(root, 0, (1, 2), **named("test eval 1.mp4")))
    publish(root, stage(root, 1, (3,), 50, **named("test eval 1.mp4")))
    publish(root, stage(root, 0, (1, 2), 90, video=4, split="test", draws=SHARP, **named("2026-11-30")))
    (root / "progress.json").write_text('{"format": 1}\n')
    (root / "progress-shard-1-of-2.json").write_text('{"format": 1}\n')
    (root / "failed").mkdir()
    (root / "failed" / "dev-eval.mp4.txt").write_text("no video\n")
    write_derived(root, UNTOLD)
    return root


@pytest.mark.parametrize("place", ["dataset", "test/eval-1", "my dev set"])
def test_a_row_is_a_pair_with_the_numbers_of_its_record(tmp_path, place):
    root = make(tmp_path / place)
    for names, options in ((("imagefolder",), {"data_dir": str(root)}), ((str(root),), {})):
        found = load(*names, cache=tmp_path / "cache", **options)
        assert {split: len(found[split]) for split in found} == {"train": 3, "test": 2}
        for split in ("train", "test"):
            numbered = [row for kept in read_records(root).values() if kept.split == split for row in rows(kept)]
            for row, pair, numbers in zip(found[split], read_dataset(root, split), numbered, strict=True):
                assert row["pair"] == pair.name
                for folder in FOLDERS:
                    assert np.array_equal(np.asarray(row[folder]), pair.pixels(folder))
                columns = row.keys() - set(FOLDERS)
                assert len(columns) > 35
                assert {name: row[name] for name in columns} == {name: getattr(numbers, name) for name in columns}


def test_one_split_is_enough(tmp_path):
    root = make(tmp_path / "d")
    for found in read_records(root).values():
        if found.split == "test":
            remove(root, found)
    write_derived(root, UNTOLD)
    assert not (root / "test" / METADATA).exists()
    assert load("imagefolder", data_dir=str(root), cache=tmp_path / "cache").num_rows == {"train": 3}


def test_pictures_of_16_bits_are_refused_rather_than_cut(tmp_path):
    root = tmp_path
    (root / SETTINGS).write_text("seed: 0\n")
    config = load_config(overrides=["dataset.bit_depth=16"])
    pixels = np.arange(72, dtype=np.uint16).reshape(4, 6, 3) * 901
    publish(root, stage_pictures(root, dict.fromkeys(FOLDERS, pixels), config=config))
    write_derived(root, UNTOLD)
    with pytest.raises(ValueError, match="must be present as dictionary key"):
        load("imagefolder", data_dir=str(root), cache=tmp_path / "cache")
    assert "would cut 16 bits to 8" in (root / "README.md").read_text()
    for names, options in (
        (("json",), {"data_files": {"train": str(root / "train" / METADATA)}}),
        ((str(root),), {}),
    ):
        row = load(*names, cache=tmp_path / "cache", **options)["train"][1]
        assert row["low_blur_path"] == "low_blur/0003/0002.png"
        assert (root / "train" / row["low_blur_path"]).is_file()


def test_what_a_kill_leaves_of_metadata_goes(tmp_path):
    root = make(tmp_path / "d")
    draft = root / "train" / f".{METADATA}.partial"
    draft.write_text("{")
    recover(root)
    assert not draft.exists()
    assert verify(root)[1] == []

"""A dataset to pack: two splits, pictures that all differ, of 8 or 16 bits."""

import hashlib
from pathlib import Path

import numpy as np

from lolblur_synth.config.loading import load_config
from lolblur_synth.dataset import card
from lolblur_synth.dataset.layout import FOLDERS
from lolblur_synth.dataset.publish import publish
from lolblur_synth.dataset.record_reader import read_records
from lolblur_synth.dataset.settings import write_settings
from lolblur_synth.dataset.summary import summarize
from tests.support.staged import SOURCE, stage_pictures

SIZE = 24, 40


def make_dataset(root: Path, *, bits: int = 8, sequences: int = 3) -> Path:
    """Of so many sequences of two pairs, the last in the test split; their videos have names that libraries trip on."""
    root.mkdir(parents=True, exist_ok=True)
    config = load_config(overrides=[f"dataset.bit_depth={bits}"])
    write_settings(root, config)
    rng = np.random.default_rng(0)
    names = ["iso1.5 test.mp4", "2026-11-30", "dev.eval.mkv"]
    for number in range(sequences):
        shape = (len(FOLDERS), *SIZE, 3)
        pixels = rng.integers(2**bits, size=shape, dtype=np.uint8 if bits == 8 else np.uint16)
        source = SOURCE.model_copy(update={"name": names[number % 3]})
        split = "test" if number == sequences - 1 else "train"
        pictures = dict(zip(FOLDERS, pixels, strict=True))
        changes = {"split": split, "source": source, "config": config}
        publish(root, stage_pictures(root, pictures, 0, (1, 2), video=number, **changes))
    card.write(root, summarize(read_records(root).values()))
    return root


def tree(root: Path) -> dict[str, str]:
    """The hash of each file in a folder, hidden ones too."""
    files = (path for path in sorted(root.rglob("*")) if path.is_file())
    return {str(path.relative_to(root)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}

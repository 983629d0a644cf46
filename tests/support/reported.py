"""Datasets for reports: pictures of one colour each, which a screenshot can tell apart, and records that differ."""

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from lolblur_synth.config.run import Config
from lolblur_synth.dataset.layout import FOLDERS, Folder, image_path, record_path
from lolblur_synth.dataset.manifest import write_manifest
from lolblur_synth.dataset.record_reader import read_records
from lolblur_synth.dataset.records import BlurRecord, PairRecord, SequenceRecord
from lolblur_synth.dataset.settings import write_settings
from lolblur_synth.video.images import pixel_hash, write_png
from tests.support.staged import record

SIZE = (64, 36)
COLOURS: dict[Folder, tuple[int, int, int]] = {
    "low_blur_noise": (90, 20, 20), "low_blur": (20, 90, 20), "low_sharp": (20, 20, 90),
    "high_sharp_scaled": (220, 220, 40), "high_sharp_original": (40, 220, 220),
}  # fmt: skip


def pair(number: int, **changes: Any) -> PairRecord:
    """With values that rise, or fall, with its number; every third is blurred inconsistently."""
    center = 10 * number
    fields: dict[str, Any] = {
        "number": number, "slot": number, "center": center, "first": center - 4, "last": center + 4,
        "seconds": number / 24, "sha256": {},
        "statistics": {
            "mean": 20.0, "lightness": 2.0 * number, "p99_grey": 100.0, "saturated": number / 10, "noise_sigma": 0.5
        },
        "untrusted": 0.2 if number % 3 == 0 else 0.01,
        "blur": BlurRecord(3.0 * number, 4.0 * number, 30.0, 0.9, 0.8), "psnr": 33.0,
        "psnr_in_light": max(15.0, 33.0 - number),
    }  # fmt: skip
    return PairRecord(**{**fields, **changes})


def make_dataset(root: Path, records: Iterable[SequenceRecord] | None = None) -> Path:
    """Write a dataset of such records, by default of two videos with six pairs each, whose pictures are linked."""
    root.mkdir(parents=True)
    write_settings(root, Config())
    hashes = {}
    for folder, colour in COLOURS.items():
        pixels = np.full((SIZE[1], SIZE[0], 3), colour, np.uint8)
        write_png(root / f"{folder}.png", pixels)
        hashes[folder] = pixel_hash(pixels)
    for made in records or two_videos():
        for each in made.pairs:
            each.sha256.update(hashes)
            for folder in FOLDERS:
                path = root / image_path(made.split, folder, made.video, each.number)
                path.parent.mkdir(parents=True, exist_ok=True)
                os.link(root / f"{folder}.png", path)
        path = record_path(root, made.id)
        path.parent.mkdir(exist_ok=True)
        path.write_text(made.model_dump_json(indent=1) + "\n")
    for folder in FOLDERS:
        (root / f"{folder}.png").unlink()
    write_manifest(root, read_records(root).values())
    return root


def sequence(video: int, count: int = 6, **changes: Any) -> SequenceRecord:
    """A sequence of so many pairs."""
    blank = dict.fromkeys(FOLDERS, "a" * 64)
    return record(video, pairs=[pair(number, sha256=dict(blank)) for number in range(1, count + 1)], **changes)


def two_videos() -> list[SequenceRecord]:
    """A video of each split."""
    return [sequence(3), sequence(5, split="test")]

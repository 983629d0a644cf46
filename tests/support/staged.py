"""Sequences that were made a moment ago: records that are right, with real pictures or without."""

from pathlib import Path
from typing import Any

import numpy as np

from lolblur_synth.config.run import Config
from lolblur_synth.dataset.layout import FOLDERS, Folder, image_path, staging_path
from lolblur_synth.dataset.publish import stage_record
from lolblur_synth.dataset.record_reader import read_records
from lolblur_synth.dataset.records import (
    FORMAT,
    BlurRecord,
    Denoising,
    PairRecord,
    SequenceRecord,
    ShutterRecord,
    Source,
)
from lolblur_synth.ops.noise.camera import Converter, Sensor
from lolblur_synth.synthesis.draws import Defocus, Draws
from lolblur_synth.video.images import Pixels, pixel_hash, write_png

STATISTICS = {"mean": 1.0, "lightness": 2.0, "p99_grey": 9.0, "saturated": 0.0, "noise_sigma": 0.5}
SOURCE = Source(
    name="a.mp4", content="5" * 64, frames=58, width=128, height=96, stored_fps="30", capture_fps="240000/1001",
    capture_source="stream rate", codec="h264", pixel_format="yuv420p", bit_depth=8, color_matrix="bt709",
    color_range="limited", rotation=0,
)  # fmt: skip
BLUR = BlurRecord(12.5, 20.0, 45.0, 0.9, 0.8)
SENSOR = Sensor(
    camera="phone", pattern="GBRG", color=((0.6, 0.3, 0.1), (0.1, 0.7, 0.2), (0.0, 0.2, 0.8)), red_gain=2.0,
    blue_gain=1.5, row=1e-8, tukey_lambda=-0.1, converter=Converter(10, 64), demosaic="menon",
)  # fmt: skip


def pair(number: int, hashes: dict[str, str] | None = None) -> PairRecord:
    center = 10 * number
    named = hashes or dict.fromkeys(FOLDERS, "a" * 64)
    return PairRecord(number, number, center, center - 4, center + 4, 0.1, named, STATISTICS, 0.01, BLUR, 33.0, 26.0)


def record(video: int = 3, sequence: int = 0, numbers: tuple[int, ...] = (1, 2), **changes: Any) -> SequenceRecord:
    """As a run writes it."""
    fields: dict[str, Any] = {
        "format": FORMAT, "id": f"{video:04d}-{sequence}", "fingerprint": "f" * 64, "split": "train", "video": video,
        "sequence": sequence, "source": SOURCE,
        "shutter": ShutterRecord(gaps=8, factor=8, milliseconds=32, frames=9, sub_frames=65, sub_frame_fps=2000),
        "draws": Draws(0.1, 0.9, 32.0, 0.2, Defocus(1.0, 0.5, 0.3, 2.0), 1e-5, 1e-6),
        "noise": Denoising(backend="none", preset="best"), "config": Config(), "weights": {"ec_zero_dce": "e" * 64},
        "versions": {"lolblur-synth": "0.1.0", "pipeline": "3"}, "device": "cpu", "seconds": {"darken": 1.5},
        "pairs": [pair(number) for number in numbers], "rejects": [],
    }  # fmt: skip
    return SequenceRecord(**{**fields, **changes})


def stage(
    root: Path, sequence: int = 0, numbers: tuple[int, ...] = (1, 2), value: int = 5, *, video: int = 3, **changes: Any
) -> Path:
    """A complete staged sequence with real pictures of one colour each; `changes` are of its record."""
    pixels = (np.full((4, 6, 3), value + place, np.uint8) for place in range(len(FOLDERS)))
    return stage_pictures(root, dict(zip(FOLDERS, pixels, strict=True)), sequence, numbers, video=video, **changes)


def stage_pictures(
    root: Path,
    pictures: dict[Folder, Pixels],
    sequence: int = 0,
    numbers: tuple[int, ...] = (1, 2),
    *,
    video: int = 3,
    attempt: str = "",
    **changes: Any,
) -> Path:
    """A complete staged sequence of these five pictures, the same in each pair."""
    staging = staging_path(root, f"{video:04d}-{sequence}", attempt)
    split = changes.get("split", "train")
    pairs = []
    for number in numbers:
        for folder, pixels in pictures.items():
            path = staging / image_path(split, folder, video, number)
            path.parent.mkdir(parents=True, exist_ok=True)
            write_png(path, pixels)
        pairs.append(pair(number, {folder: pixel_hash(pixels) for folder, pixels in pictures.items()}))
    first = int(pictures[FOLDERS[0]].flat[0])
    stage_record(staging, record(video, sequence, **{"pairs": pairs, "fingerprint": f"{first:064x}", **changes}))
    return staging


def pictures_of(root: Path, split: str) -> list[dict[str, Path]]:
    """Of each pair of a split, in order, the five pictures by the names of their folders."""
    records = (found for found in read_records(root).values() if found.split == split)
    images = [root / path for found in records for path, _ in found.images()]
    five = [images[start : start + len(FOLDERS)] for start in range(0, len(images), len(FOLDERS))]
    return [{path.parents[1].name: path for path in pair} for pair in five]

"""The manifest: what there is in a dataset, a line of JSON per pair (JSON Lines), made from the records alone."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, TypedDict

from pydantic_core import to_json, to_jsonable_python

from lolblur_synth.core.files import writing_whole
from lolblur_synth.dataset.layout import FOLDERS, Folder, Split, image_name
from lolblur_synth.dataset.records import SequenceRecord
from lolblur_synth.dataset.statistics import Statistic
from lolblur_synth.metrics.difficulty import Tier

MANIFEST = "manifest.jsonl"
Json = Any  # as `to_jsonable_python` gives it


class SourceFrames(TypedDict):
    """Source frames of an exposure, and its ground truth."""

    first: int
    center: int
    last: int


class ManifestImage(TypedDict):
    """A picture of a pair."""

    path: str  # relative to the dataset
    sha256: str  # of the decoded pixels


class ManifestLine(TypedDict):
    """A line of the manifest: a pair with its pictures, source frames and draws; JSON has the fields in this order.

    Dictionaries are made and written in half the time of classes.
    """

    pair: str  # VVVV/FFFF
    split: Split
    sequence: str  # VVVV-S
    source: str  # name of the video
    frames: SourceFrames
    seconds: float  # of the ground truth, from the start of the recording
    draws: Json  # of `Draws`
    shutter: Json  # of `ShutterRecord`
    untrusted: float | None
    blur: Json  # of `BlurRecord`; None: unknown
    psnr: float | None  # dB, of low_blur against low_sharp
    psnr_in_light: float | None
    tier: Tier | None
    statistics: dict[Statistic, float]
    images: dict[Folder, ManifestImage]


def write_manifest(root: Path, records: Iterable[SequenceRecord]) -> None:
    """Write one line per pair; the file appears whole or not at all."""
    with writing_whole(root / MANIFEST, durable=True) as file:
        for record in records:
            file.write(manifest_part(record))


def manifest_part(record: SequenceRecord) -> bytes:
    """The lines of a sequence as they are written."""
    return b"".join(to_json(line) + b"\n" for line in manifest_lines(record))


def manifest_lines(record: SequenceRecord) -> Iterator[ManifestLine]:
    """The lines of a sequence, in order of its pairs."""
    draws, shutter = to_jsonable_python(record.draws), to_jsonable_python(record.shutter)
    for pair in record.pairs:
        yield {
            "pair": f"{record.video:04d}/{pair.number:04d}",
            "split": record.split,
            "sequence": record.id,
            "source": record.source.name,
            "frames": {"first": pair.first, "center": pair.center, "last": pair.last},
            "seconds": pair.seconds,
            "draws": draws,
            "shutter": shutter,
            "untrusted": pair.untrusted,
            "blur": pair.blur,
            "psnr": pair.psnr,
            "psnr_in_light": pair.psnr_in_light,
            "tier": pair.tier,
            "statistics": pair.statistics,
            "images": {
                folder: {
                    "path": image_name(record.split, folder, record.video, pair.number),
                    "sha256": pair.sha256[folder],
                }
                for folder in FOLDERS
            },
        }

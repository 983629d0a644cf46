"""The manifest: what there is in a dataset, a line of JSON per pair (JSON Lines), made from the records alone."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from pydantic_core import to_json

from lolblur_synth.core.files import write_whole
from lolblur_synth.dataset.layout import FOLDERS, Folder, Split, image_path
from lolblur_synth.dataset.records import BlurRecord, SequenceRecord, ShutterRecord
from lolblur_synth.dataset.statistics import Statistic
from lolblur_synth.metrics.difficulty import Tier
from lolblur_synth.synthesis.draws import Draws

MANIFEST = "manifest.jsonl"


@dataclass(frozen=True, slots=True)
class SourceFrames:
    """Source frames of an exposure, and its ground truth."""

    first: int
    center: int
    last: int


@dataclass(frozen=True, slots=True)
class ManifestImage:
    """A picture of a pair."""

    path: str  # relative to the dataset
    sha256: str  # of the decoded pixels


@dataclass(frozen=True, slots=True)
class ManifestLine:
    """A line of the manifest: a pair with its pictures, source frames and draws; JSON has the fields in this order."""

    pair: str  # VVVV/FFFF
    split: Split
    sequence: str  # VVVV-S
    source: str  # name of the video
    frames: SourceFrames
    seconds: float  # of the ground truth, from the start of the recording
    draws: Draws
    shutter: ShutterRecord
    untrusted: float | None
    blur: BlurRecord | None
    psnr: float | None  # dB, of low_blur against low_sharp
    psnr_in_light: float | None
    tier: Tier | None
    statistics: dict[Statistic, float]
    images: dict[Folder, ManifestImage]


def write_manifest(root: Path, records: dict[str, SequenceRecord]) -> None:
    """Write one line per pair; the file appears whole or not at all."""
    lines = (to_json(line) + b"\n" for record in records.values() for line in manifest_lines(record))
    write_whole(root / MANIFEST, b"".join(lines), durable=True)


def manifest_lines(record: SequenceRecord) -> Iterator[ManifestLine]:
    """The lines of a sequence, in order of its pairs."""
    for pair in record.pairs:
        yield ManifestLine(
            pair=f"{record.video:04d}/{pair.number:04d}",
            split=record.split,
            sequence=record.id,
            source=record.source.name,
            frames=SourceFrames(pair.first, pair.center, pair.last),
            seconds=pair.seconds,
            draws=record.draws,
            shutter=record.shutter,
            untrusted=pair.untrusted,
            blur=pair.blur,
            psnr=pair.psnr,
            psnr_in_light=pair.psnr_in_light,
            tier=pair.tier,
            statistics=pair.statistics,
            images={
                folder: ManifestImage(
                    path=str(image_path(record.split, folder, record.video, pair.number)),
                    sha256=pair.sha256[folder],
                )
                for folder in FOLDERS
            },
        )

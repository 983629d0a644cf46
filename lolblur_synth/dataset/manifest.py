"""The manifest: what there is in a dataset, a line of JSON per pair, made from the records alone."""

from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

from pydantic_core import to_json

from lolblur_synth.core.files import write_whole
from lolblur_synth.dataset.layout import FOLDERS, image_path
from lolblur_synth.dataset.records import SequenceRecord

MANIFEST = "manifest.jsonl"


def write_manifest(root: Path, records: dict[str, SequenceRecord]) -> None:
    """Write one line per pair: pictures, hashes, source frames and draws."""
    lines = (to_json(line) + b"\n" for record in records.values() for line in _lines(record))
    write_whole(root / MANIFEST, b"".join(lines), durable=True)


def _lines(record: SequenceRecord) -> Iterator[dict[str, Any]]:
    draws, shutter = asdict(record.draws), record.shutter.model_dump()
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
            "statistics": pair.statistics,
            "images": {
                folder: {
                    "path": str(image_path(record.split, folder, record.video, pair.number)),
                    "sha256": pair.sha256[folder],
                }
                for folder in FOLDERS
            },
        }

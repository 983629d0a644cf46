"""What is written about each sequence and pair: records, publishing by rename, the manifest, and their check."""

import hashlib
import json
import shutil
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from lolblur_synth.dataset import FOLDERS, Split, image_path
from lolblur_synth.errors import SequenceError, UserError
from lolblur_synth.files import write_whole
from lolblur_synth.video.images import pixel_hash, read_pixels

FORMAT = 3
SETTINGS = "dataset.yaml"  # the effective configuration; a folder that has it is a dataset of ours
MANIFEST = "manifest.jsonl"
RECORD = "record.json"


@dataclass(frozen=True)
class PairRecord:
    """One pair: its number, the source frames it came from, and what its pictures hold."""

    number: int  # FFFF
    slot: int  # counted at the output rate from the start of the video
    center: int  # source frame of the ground truth
    first: int  # source frames of the exposure
    last: int
    seconds: float  # of the ground truth, from the start of the recording
    sha256: dict[str, str]  # of the decoded pixels, by folder
    statistics: dict[str, float]  # of low_blur_noise
    untrusted: float | None = None  # largest share of a gap's picture that moves inconsistently, if it was looked at


@dataclass(frozen=True)
class FlickerRecord:
    """Mains flicker of the footage, and the gains of linear light that took it out."""

    hertz: int  # of the light
    percent: float  # per cent flicker
    first: int  # source frame of the first gains
    gains: list[list[float]]  # by frame and band of the sensor; none where it was left in


@dataclass(frozen=True)
class SequenceRecord:
    """Everything that explains a sequence."""

    id: str  # VVVV-S
    fingerprint: str  # same source, settings, weights and code version: same fingerprint
    split: Split
    video: int
    sequence: int
    source: dict[str, Any]
    shutter: dict[str, Any]
    draws: dict[str, Any]
    noise: dict[str, Any]  # of the footage, as measured, and the denoiser that removed it
    config: dict[str, Any]
    weights: dict[str, str]  # sha256 by network
    versions: dict[str, str]
    device: str
    seconds: dict[str, float]  # by operator
    pairs: list[PairRecord]
    rejects: list[dict[str, Any]]  # windows of the whole video that gave no pair, and why; some when it was made
    flicker: FlickerRecord | None = None
    format: int = FORMAT

    def images(self) -> Iterator[tuple[Path, str]]:
        """Relative path and pixel hash of each image."""
        for pair in self.pairs:
            for folder in FOLDERS:
                yield image_path(self.split, folder, self.video, pair.number), pair.sha256[folder]


def fingerprint(parts: dict[str, Any]) -> str:
    """sha256 of plain values in canonical JSON."""
    return hashlib.sha256(json.dumps(parts, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def write_text(path: Path, text: str) -> None:
    """Write a text file that appears whole or not at all."""
    write_whole(path, text.encode())


def record_path(root: Path, sequence_id: str) -> Path:
    """The record of a sequence: that it exists says that the sequence is complete."""
    return root / "records" / f"{sequence_id}.json"


def staging_path(root: Path, sequence_id: str) -> Path:
    """Where a sequence is made before it is published."""
    return root / f".{sequence_id}.partial"


def read_record(path: Path) -> SequenceRecord:
    """Read a record; raises `UserError` for a damaged one or one of a later format."""
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
        if data["format"] != FORMAT:
            raise UserError(
                f"{path}: record format {data['format']}, this version reads {FORMAT}: use the lolblur-synth that made "
                "the dataset, or make a new one"
            )
        flicker = data.get("flicker") and FlickerRecord(**data["flicker"])
        return SequenceRecord(**{**data, "pairs": [PairRecord(**pair) for pair in data["pairs"]], "flicker": flicker})
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UserError(
            f"{path}: damaged record ({error}); delete it and run again to make its sequence anew"
        ) from None


def read_records(root: Path) -> dict[str, SequenceRecord]:
    """All records of a dataset by sequence id, in order."""
    records = (read_record(path) for path in sorted((root / "records").glob("*.json")))
    return {record.id: record for record in records}


def stage_record(staging: Path, record: SequenceRecord) -> None:
    """Write the record beside its images: from here on the sequence is complete and can be published."""
    write_text(staging / RECORD, json.dumps(asdict(record), indent=1) + "\n")


def publish(root: Path, staging: Path) -> SequenceRecord:
    """Move a complete staged sequence into the dataset, its record last; run again after a kill, it goes on.

    Sequences of the same video that it replaces, or whose numbers it takes, go first: their pictures, then their
    records, so that whatever is there at any moment is either named by a record or made anew by the next run.
    """
    record = read_record(staging / RECORD)
    new = {path for path, _ in record.images()}
    for old in _of_video(root, record.video):
        if old.id == record.id or new & {path for path, _ in old.images()}:
            remove(root, old)
    for path in new:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        if (staging / path).exists():
            (staging / path).replace(root / path)
        elif not (root / path).exists():
            raise SequenceError(f"{staging / path}: is gone before it could be published; run again to make it anew")
    target = record_path(root, record.id)
    target.parent.mkdir(exist_ok=True)
    (staging / RECORD).replace(target)
    shutil.rmtree(staging)
    return record


def remove(root: Path, record: SequenceRecord) -> None:
    """Take a sequence out of a dataset: its pictures that no other record names, then its record."""
    others = (other for other in _of_video(root, record.video) if other.id != record.id)
    named = {path for other in others for path, _ in other.images()}
    for path in {path for path, _ in record.images()} - named:
        (root / path).unlink(missing_ok=True)
        folder = (root / path).parent
        if folder.is_dir() and not any(folder.iterdir()):
            folder.rmdir()
    record_path(root, record.id).unlink(missing_ok=True)


def _of_video(root: Path, video: int) -> list[SequenceRecord]:
    return [read_record(path) for path in sorted((root / "records").glob(f"{video:04d}-*.json"))]


def recover(root: Path) -> None:
    """Finish what a killed run had completed but not published, and clear what it had not completed."""
    for staging in root.glob(".*.partial"):
        if (staging / RECORD).exists():
            try:
                publish(root, staging)
            except SequenceError:  # pictures of it are gone: as if it had not been completed
                shutil.rmtree(staging)
        elif staging.is_dir():
            shutil.rmtree(staging)
        else:
            staging.unlink()


def write_manifest(root: Path, records: dict[str, SequenceRecord]) -> None:
    """Write one line per pair: pictures, hashes, source frames and draws."""
    lines = []
    for record in records.values():
        for pair in record.pairs:
            images = {
                folder: {
                    "path": str(image_path(record.split, folder, record.video, pair.number)),
                    "sha256": pair.sha256[folder],
                }
                for folder in FOLDERS
            }
            lines.append(
                {
                    "pair": f"{record.video:04d}/{pair.number:04d}",
                    "split": record.split,
                    "sequence": record.id,
                    "source": record.source["name"],
                    "frames": {"first": pair.first, "center": pair.center, "last": pair.last},
                    "seconds": pair.seconds,
                    "draws": record.draws,
                    "shutter": record.shutter,
                    "untrusted": pair.untrusted,
                    "statistics": pair.statistics,
                    "images": images,
                }
            )
    write_text(root / MANIFEST, "".join(json.dumps(line) + "\n" for line in lines))


def verify(root: Path, notify: Callable[[int, int], None] | None = None) -> tuple[int, list[str]]:
    """Decode and hash every image again; returns how many were looked at and what is wrong, a line each.

    Raises `UserError` when `root` is no dataset of ours.
    """
    if not (root / SETTINGS).is_file():
        raise UserError(f"{root}: not a dataset made by lolblur-synth run (it has no {SETTINGS})")
    records = read_records(root)
    expected = [entry for record in records.values() for entry in record.images()]
    faults = []
    with ThreadPoolExecutor() as pool:
        for done, fault in enumerate(pool.map(lambda entry: _check_image(root, *entry), expected), 1):
            faults += [fault] if fault else []
            if notify:
                notify(done, len(expected))
    known = {root / path for path, _ in (*expected, *_staged(root))}
    strays = sorted(path for split in ("train", "test") for path in (root / split).glob("*/*/*") if path not in known)
    faults += [f"{path.relative_to(root)}: no record names it" for path in strays]
    faults += [f"{path.name}: an unfinished sequence; run again to finish it" for path in root.glob(".*.partial")]
    return len(expected), faults


def _staged(root: Path) -> Iterator[tuple[Path, str]]:
    """Pictures of complete sequences that are not, or not all, published yet."""
    for staging in root.glob(".*.partial"):
        if (staging / RECORD).exists():
            yield from read_record(staging / RECORD).images()


def _check_image(root: Path, path: Path, sha256: str) -> str | None:
    if not (root / path).is_file():
        return f"{path}: missing"
    try:
        pixels = read_pixels(root / path)
    except SequenceError:
        return f"{path}: cannot be decoded"
    return None if pixel_hash(pixels) == sha256 else f"{path}: its pixels differ from its record"

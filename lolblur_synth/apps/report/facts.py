"""What a report tells: the records of a dataset, or, where there are none that can be read, its pictures alone."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from lolblur_synth.core.errors import UserError, listed, shown
from lolblur_synth.dataset.layout import FOLDERS, SETTINGS, SPLITS, Folder, Split, image_path
from lolblur_synth.dataset.links import check_layout
from lolblur_synth.dataset.record_reader import read_record
from lolblur_synth.dataset.records import PairRecord, SequenceRecord
from lolblur_synth.dataset.summary import summarize, summarize_sequence
from lolblur_synth.dataset.summary_types import Summary
from lolblur_synth.run.failures import Failure, read_failures


@dataclass(frozen=True)
class ReportPair:
    """A pair of a report: where its pictures lie, and its record where there is one."""

    name: str  # VVVV/FFFF
    split: Split
    group: str  # id of its sequence, or the folder of its video where no record tells
    paths: dict[Folder, Path]  # relative to the dataset
    record: PairRecord | None
    untrusted: bool = False  # whether its motion is inconsistent beyond the limit of the settings


@dataclass(frozen=True)
class Facts:
    """All that is known of a dataset."""

    root: Path
    records: dict[str, SequenceRecord]
    summary: Summary | None  # None without a record
    pairs: tuple[ReportPair, ...]  # by group and number
    failures: tuple[Failure, ...]
    missing: tuple[str, ...]  # what cannot be told, and why, a sentence each


def read_facts(root: Path) -> Facts:
    """Read what is known of a dataset, made by `run` or in LOL-Blur's layout; no picture is decoded.

    Raises `UserError` where there is no picture either, and for links that lead out.
    """
    check_folder(root)
    check_layout(root)
    records, faults = _readable_records(root)
    recorded = tuple(pair for record in records.values() for pair in _recorded(record))
    strays = tuple(_unrecorded(root, {path for pair in recorded for path in pair.paths.values()}))
    if not recorded + strays:
        raise UserError(
            f"no pairs in {' or '.join(SPLITS)}",
            where=root,
            advice="give the folder of a dataset",
        )
    failures, unread = read_failures(root)
    return Facts(
        root=root,
        records=records,
        summary=summarize(list(records.values())) if records else None,
        pairs=recorded + strays,
        failures=tuple(failures),
        missing=(*_missing(root, recorded, strays, faults), *(f"A failure cannot be told: {line}." for line in unread)),
    )


def check_folder(root: Path) -> None:
    """Raise `UserError` where the folder of a dataset is not there."""
    if not root.is_dir():
        raise UserError("there is no such folder", where=root)


def _readable_records(root: Path) -> tuple[dict[str, SequenceRecord], list[str]]:
    records, faults = dict[str, SequenceRecord](), list[str]()
    for path in sorted((root / "records").glob("*.json")):
        try:
            records[path.stem] = read_record(path, path.stem)
        except UserError as error:
            faults.append(shown(error.what))
    return records, faults


def _recorded(record: SequenceRecord) -> Iterator[ReportPair]:
    untrusted = summarize_sequence(record).untrusted
    for pair in record.pairs:
        paths = {folder: image_path(record.split, folder, record.video, pair.number) for folder in FOLDERS}
        yield ReportPair(
            f"{record.video:04d}/{pair.number:04d}", record.split, record.id, paths, pair, pair.number in untrusted
        )


def _unrecorded(root: Path, known: set[Path]) -> Iterator[ReportPair]:
    """Pairs that no record names, by what lies in any of their five folders."""
    for split in SPLITS:
        tails = {
            path.relative_to(root / split / folder)
            for folder in FOLDERS
            for path in (root / split / folder).glob("*/*.png")
        }
        for tail in sorted(tails):
            paths = {folder: Path(split, folder) / tail for folder in FOLDERS}
            if known.isdisjoint(paths.values()):
                yield ReportPair(tail.with_suffix("").as_posix(), split, tail.parent.name, paths, None)


def _missing(
    root: Path, recorded: tuple[ReportPair, ...], strays: tuple[ReportPair, ...], faults: list[str]
) -> Iterator[str]:
    if faults:
        yield f"Records cannot be read: {listed(faults)}."
    if not (root / SETTINGS).is_file():
        yield f"It has no {SETTINGS}: it was not made by lolblur-synth run, or only a part of it was copied."
    if strays:
        whose = f"{len(strays)} of {len(recorded) + len(strays)} pairs have" if recorded else "The pairs have"
        yield (
            f"{whose} no record: their draws, motion blur, tiers, sources and times are unknown; image statistics were "
            "measured on those that are shown with pictures."
        )
    untold = [pair for pair in recorded if pair.record and pair.record.blur is None]
    if untold:
        yield f"The motion blur of {len(untold)} pairs is unknown: sub-frames without flow, or records of before."
    undated = [pair for pair in recorded if pair.record and pair.record.psnr_in_light is None]
    if undated:
        yield f"The tier of {len(undated)} pairs is unknown: records of before."

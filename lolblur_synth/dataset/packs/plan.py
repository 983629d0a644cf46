"""The plan of a pack: which pictures go into which of its files, decided before anything is written."""

from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal, get_args

from lolblur_synth.core.errors import UserError, listed, setting
from lolblur_synth.core.files import file_hash
from lolblur_synth.core.fingerprint import fingerprint
from lolblur_synth.dataset.about import read_about
from lolblur_synth.dataset.layout import FOLDERS, SETTINGS, Folder, Split, image_path, record_path
from lolblur_synth.dataset.pairs import Picture, Place, inspect
from lolblur_synth.dataset.record_reader import read_records
from lolblur_synth.dataset.records import SequenceRecord
from lolblur_synth.dataset.rows import Row, rows

Kind = Literal["webdataset", "lmdb", "parquet"]
KINDS: tuple[Kind, ...] = get_args(Kind)
FORMAT = 1  # of packs
_READERS = 16


@dataclass(frozen=True)
class Options:
    """What a pack is to be like."""

    kind: Kind
    megabytes: int = 500  # of a shard or Parquet file, about
    crop: int | None = None  # side of the sub-images of LMDB, pixels; None: whole pictures
    step: int | None = None  # between sub-images; None: half a crop


@dataclass(frozen=True)
class Entry:
    """A pair that is packed."""

    row: Row
    pictures: Mapping[Folder, Picture]

    @property
    def size(self) -> int:
        """Of its files, bytes."""
        return sum(picture.size for picture in self.pictures.values())


@dataclass(frozen=True)
class PlannedFile:
    """A file of a pack, with what goes into it."""

    name: str  # relative to the pack
    split: Split
    entries: tuple[Entry, ...]
    folder: Folder | None = None  # of an LMDB, which holds one

    @property
    def size(self) -> int:
        """Of what goes in, bytes."""
        if self.folder:
            return sum(entry.pictures[self.folder].size for entry in self.entries)
        return sum(entry.size for entry in self.entries)


@dataclass(frozen=True)
class PackPlan:
    """What is packed, into what."""

    dataset: Path
    options: Options
    records: Mapping[str, SequenceRecord]
    files: tuple[PlannedFile, ...]
    fingerprint: str  # of all that decides the bytes, but for versions of libraries

    @property
    def pairs(self) -> int:
        """That are packed."""
        return sum(len(record.pairs) for record in self.records.values())

    @property
    def sizes(self) -> dict[str, tuple[int, int]]:
        """Of the pictures of each video VVVV, height and width."""
        entries = (entry for planned in self.files for entry in planned.entries)
        pictures = ((entry.row.video, entry.pictures[FOLDERS[0]]) for entry in entries)
        return {f"{video:04d}": (picture.height, picture.width) for video, picture in pictures}

    @property
    def deep(self) -> bool:
        """Whether pictures have 16 bits."""
        return any(record.config.dataset.bit_depth > 8 for record in self.records.values())


def plan_pack(dataset: Path, options: Options) -> PackPlan:
    """Look a dataset through, and plan a pack of it.

    Raises `UserError` for a folder that is no dataset, or an empty one, and for pictures that are gone, cut off, no
    PNG, of another depth than the settings tell, or smaller than a crop.
    """
    _check_options(options)
    if not (dataset / SETTINGS).is_file():
        raise UserError(f"not a dataset made by lolblur-synth run (it has no {SETTINGS})", where=dataset)
    records = read_records(dataset)
    if not records:
        raise UserError("a dataset without a sequence", where=dataset, advice="run again to finish it")
    entries = _entries(dataset, records)
    _check_crop(options, (entry for part in entries.values() for entry in part))
    files = tuple(_lmdbs(entries) if options.kind == "lmdb" else _shards(entries, options))
    mark = fingerprint(
        {
            "format": FORMAT,
            "options": asdict(options),
            "about": read_about(dataset).model_dump(mode="json"),
            "records": {name: file_hash(record_path(dataset, name)) for name in records},
            "sizes": [[e.row.pair, *(e.pictures[f].size for f in FOLDERS)] for part in entries.values() for e in part],
        }
    )
    return PackPlan(dataset, options, records, files, mark)


def _check_options(options: Options) -> None:
    if options.kind != "lmdb" and (options.crop or options.step):
        raise UserError(
            "sub-images are for lmdb", where=setting("crop"), advice=f"leave it out, or {setting('to')} lmdb"
        )
    if options.step and not options.crop:
        raise UserError("is between crops", where=setting("step"), advice=f"give {setting('crop')}, too")
    if options.crop and options.step and options.step > options.crop:
        raise UserError(
            f"{options.step} is more than the crop of {options.crop}: what is between crops would be lost",
            where=setting("step"),
            advice="give a smaller one",
        )


def _entries(dataset: Path, records: Mapping[str, SequenceRecord]) -> dict[Split, list[Entry]]:
    """By split, in order of their names."""
    pairs = [(record, row) for record in records.values() for row in rows(record)]
    places = [
        Place(dataset / image_path(record.split, folder, row.video, row.number))
        for record, row in pairs
        for folder in FOLDERS
    ]
    with ThreadPoolExecutor(_READERS) as pool:
        inspected = [*pool.map(inspect, places)]
    faults = [fault for fault in inspected if isinstance(fault, str)]
    pictures = [picture for picture in inspected if isinstance(picture, Picture)]
    depths = [f"uint{record.config.dataset.bit_depth}" for record, _ in pairs for _ in FOLDERS]
    if not faults:
        faults = [
            f"{picture.name}: {picture.dtype}, and its record tells {depth}"
            for picture, depth in zip(pictures, depths, strict=True)
            if picture.dtype != depth
        ]
    if faults:
        advice = f"`lolblur-synth verify {dataset}` tells all that is damaged; mend it first"
        raise UserError(listed(faults), advice=advice)
    entries: dict[Split, list[Entry]] = {}
    for number, (record, row) in enumerate(pairs):
        five = pictures[number * len(FOLDERS) : (number + 1) * len(FOLDERS)]
        entries.setdefault(record.split, []).append(Entry(row, dict(zip(FOLDERS, five, strict=True))))
    return {split: sorted(entries[split], key=lambda entry: entry.row.pair) for split in sorted(entries, reverse=True)}


def _check_crop(options: Options, entries: Iterable[Entry]) -> None:
    for entry in entries if options.crop else ():
        picture = entry.pictures[FOLDERS[0]]
        if options.crop and min(picture.height, picture.width) < options.crop:
            raise UserError(
                f"{picture.width}x{picture.height} is smaller than the crop of {options.crop}",
                where=picture.name,
                advice="set a smaller crop",
            )


def _shards(entries: Mapping[Split, list[Entry]], options: Options) -> Iterator[PlannedFile]:
    for split, part in entries.items():
        chunks = [*chunked(part, options.megabytes * 10**6)]
        for number, chunk in enumerate(chunks):
            tabular = f"{split}-{number:05d}-of-{len(chunks):05d}.parquet"
            name = tabular if options.kind == "parquet" else f"{split}-{number:06d}.tar"
            yield PlannedFile(name, split, chunk)


def chunked(entries: Iterable[Entry], most: int) -> Iterator[tuple[Entry, ...]]:
    """Cut a list into parts of `most` bytes at most, or of one entry that is larger."""
    part, size = list[Entry](), 0
    for entry in entries:
        if part and size + entry.size > most:
            yield tuple(part)
            part, size = [], 0
        part.append(entry)
        size += entry.size
    if part:
        yield tuple(part)


def _lmdbs(entries: Mapping[Split, list[Entry]]) -> Iterator[PlannedFile]:
    for split, part in entries.items():
        for folder in FOLDERS:
            yield PlannedFile(f"{split}/{folder}.lmdb", split, tuple(part), folder)

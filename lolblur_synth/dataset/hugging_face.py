"""Metadata for Hugging Face: `{train,test}/metadata.jsonl`, by which its `imagefolder` gives one row a pair.

A file beside `train/` and `test/` it would not heed, and class labels would be guessed from folders.
"""

from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from pydantic_core import to_json

from lolblur_synth.core.files import writing_whole
from lolblur_synth.dataset.layout import FOLDERS, SPLITS, Folder, Split, image_name
from lolblur_synth.dataset.records import SequenceRecord
from lolblur_synth.dataset.rows import KnownColumns, known_to_all, plain_rows

METADATA = "metadata.jsonl"
_LOOKED_AT = 2000  # rows: `datasets` takes types from the first 10 MB, and a row has 2 KB at most


@dataclass(frozen=True)
class MetadataColumns:
    """The columns of the metadata of a dataset."""

    pictures: dict[Folder, str]  # those of paths
    values: tuple[str, ...]  # of `Row`


def columns_of(records: Iterable[SequenceRecord]) -> MetadataColumns:
    """Which columns the metadata of these records has."""
    tally = ColumnsTally()
    for record in records:
        tally.add(record)
    return tally.columns()


class ColumnsTally:
    """Which columns the metadata has, as records come.

    Pictures of 16 bits would be cut to 8 without a word: their columns are named so that `imagefolder` refuses them.
    """

    def __init__(self) -> None:
        self._deep = False
        self._first: dict[Split, KnownColumns] = {}

    def add(self, record: SequenceRecord) -> None:
        """Take note of a record."""
        self._deep |= record.config.dataset.bit_depth > 8
        self._first.setdefault(record.split, KnownColumns(_LOOKED_AT)).add(plain_rows(record))

    def columns(self) -> MetadataColumns:
        """The columns of all that were seen: values that each split knows, among its first rows."""
        names = {folder: f"{folder}_{'path' if self._deep else 'file_name'}" for folder in FOLDERS}
        return MetadataColumns(names, known_to_all(self._first.values()))


def write_metadata(root: Path, records: Iterable[SequenceRecord], columns: MetadataColumns) -> None:
    """Write the metadata of each split; a file appears whole or not at all, and goes with the pairs of its split."""
    with metadata_files(root) as write:
        for record in records:
            write(record, columns)


@contextmanager
def metadata_files(root: Path) -> Iterator[Callable[[SequenceRecord, MetadataColumns], None]]:
    """What writes the rows of a record to the metadata of its split; see `write_metadata`."""
    with ExitStack() as stack:
        files: dict[Split, BinaryIO] = {}

        def write(record: SequenceRecord, columns: MetadataColumns) -> None:
            if record.split not in files:
                target = root / record.split / METADATA
                files[record.split] = stack.enter_context(writing_whole(target, durable=True))
            files[record.split].write(_part(record, columns))

        yield write
    for split in SPLITS:
        if split not in files:
            (root / split / METADATA).unlink(missing_ok=True)


def _part(record: SequenceRecord, columns: MetadataColumns) -> bytes:
    """The rows of a sequence as they are written."""
    beside = len(record.split) + 1  # the file lies in the folder of the split
    folders = {name: folder for folder, name in columns.pictures.items()}
    lines = []
    for row in plain_rows(record):
        place = record.video, row["number"]
        paths = {name: image_name(record.split, folder, *place)[beside:] for name, folder in folders.items()}
        lines.append(to_json({**paths, **{name: row[name] for name in columns.values}}) + b"\n")
    return b"".join(lines)

"""Metadata for Hugging Face: `{train,test}/metadata.jsonl`, by which its `imagefolder` gives one row a pair.

A file beside `train/` and `test/` it would not heed, and class labels would be guessed from folders.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pydantic_core import to_json

from lolblur_synth.core.files import write_whole
from lolblur_synth.dataset.layout import FOLDERS, SPLITS, Folder, Split, image_path
from lolblur_synth.dataset.records import SequenceRecord
from lolblur_synth.dataset.rows import Row, known, rows, values

METADATA = "metadata.jsonl"
_LOOKED_AT = 2000  # rows: `datasets` takes types from the first 10 MB, and a row has 2 KB at most


@dataclass(frozen=True)
class MetadataColumns:
    """The columns of the metadata of a dataset."""

    pictures: dict[Folder, str]  # those of paths
    values: tuple[str, ...]  # of `Row`


def columns_of(records: Mapping[str, SequenceRecord]) -> MetadataColumns:
    """Which columns the metadata has.

    Pictures of 16 bits would be cut to 8 without a word: their columns are named so that `imagefolder` refuses them.
    """
    deep = any(record.config.dataset.bit_depth > 8 for record in records.values())
    names = {folder: f"{folder}_{'path' if deep else 'file_name'}" for folder in FOLDERS}
    return MetadataColumns(names, known(_tables(records).values(), _LOOKED_AT))


def write_metadata(root: Path, records: Mapping[str, SequenceRecord]) -> None:
    """Write the metadata of each split; a file appears whole or not at all, and goes with the pairs of its split."""
    tables, columns = _tables(records), columns_of(records)
    for split in SPLITS:
        target = root / split / METADATA
        if split in tables:
            lines = (to_json(_line(split, row, columns)) + b"\n" for row in tables[split])
            write_whole(target, b"".join(lines), durable=True)
        else:
            target.unlink(missing_ok=True)


def _tables(records: Mapping[str, SequenceRecord]) -> dict[Split, list[Row]]:
    """The rows of each split that has pairs."""
    tables: dict[Split, list[Row]] = {}
    for record in records.values():
        tables.setdefault(record.split, []).extend(rows(record))
    return {split: tables[split] for split in SPLITS if split in tables}


def _line(split: Split, row: Row, columns: MetadataColumns) -> dict[str, str | int | float | None]:
    paths = {
        name: image_path(split, folder, row.video, row.number).relative_to(split).as_posix()
        for folder, name in columns.pictures.items()
    }
    return {**paths, **values(row, columns.values)}

"""Parquet files, written by `pyarrow`: a row per pair, with its five pictures as Hugging Face's `datasets` has them."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from lolblur_synth.core.errors import UserError
from lolblur_synth.core.threads import Map
from lolblur_synth.dataset.layout import FOLDERS
from lolblur_synth.dataset.packs.plan import Entry, PlannedFile, chunked
from lolblur_synth.dataset.packs.streams import Tick, Written, hashed_file
from lolblur_synth.dataset.rows import COLUMNS

GROUP = 50 * 10**6  # bytes of pictures in a row group, all of which are read for one row
_TYPES = {str: "string", int: "int64", float: "float64"}


def write_table(target: Path, planned: PlannedFile, each: Map, tick: Tick, *, deep: bool) -> Written:
    """Write a file, in row groups of 50 MB at most, or of one pair that is larger.

    Pictures are structs of bytes and path, which `datasets` takes for pictures by the metadata of the schema; those of
    16 bits, which it would cut to 8, it is told to leave as they are.
    """
    import pyarrow
    import pyarrow.parquet

    schema = _schema(deep=deep)
    named = [column.name for column in COLUMNS]
    with hashed_file(target) as stream:
        sink = pyarrow.PythonFile(stream, "w")
        options = {"compression": "none", "use_dictionary": False, "write_statistics": named}
        with pyarrow.parquet.ParquetWriter(sink, schema, **options) as writer:
            for group in chunked(planned.entries, GROUP):
                rows = []
                for row in each(_row, group):
                    rows.append(row)
                    tick()
                writer.write_table(pyarrow.Table.from_pylist(rows, schema), row_group_size=len(rows))
        return stream.written


def _row(entry: Entry) -> dict[str, Any]:
    pictures: dict[str, Any] = {
        folder: {
            "bytes": entry.pictures[folder].path.read_bytes(),
            "path": f"{entry.row.pair.replace('/', '_')}_{folder}.png",
        }
        for folder in FOLDERS
    }
    return {**pictures, **{column.name: getattr(entry.row, column.name) for column in COLUMNS}}


def _schema(*, deep: bool) -> Any:
    import pyarrow

    picture = pyarrow.struct([("bytes", pyarrow.binary()), ("path", pyarrow.string())])
    kinds = {column.name: _TYPES[column.kind] for column in COLUMNS}
    fields = [
        *((folder, picture) for folder in FOLDERS),
        *((name, getattr(pyarrow, kind)()) for name, kind in kinds.items()),
    ]
    features: dict[str, dict[str, object]] = {folder: {"decode": not deep, "_type": "Image"} for folder in FOLDERS}
    features |= {name: {"dtype": kind, "_type": "Value"} for name, kind in kinds.items()}
    return pyarrow.schema(fields, {"huggingface": json.dumps({"info": {"features": features}})})


def read_rows(path: Path) -> Iterator[tuple[str, str, bytes]]:
    """The pictures of a file: pair, folder, bytes; raises `UserError` for a file that is damaged."""
    import pyarrow
    import pyarrow.parquet

    try:
        with pyarrow.parquet.ParquetFile(path) as file:
            for group in range(file.num_row_groups):
                for row in file.read_row_group(group, ["pair", *FOLDERS]).to_pylist():
                    for folder in FOLDERS:
                        yield row["pair"], folder, row[folder]["bytes"]
    except (pyarrow.ArrowException, OSError, TypeError, KeyError) as error:
        raise UserError(f"cannot be read: {error}", where=path, advice="pack it anew") from None

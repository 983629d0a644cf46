"""WebDataset shards, written by the `webdataset` package: a sample per pair, with its five pictures and its row."""

import io
import tarfile
from collections.abc import Iterable
from pathlib import Path

from pydantic_core import to_json

from lolblur_synth.core.threads import Map
from lolblur_synth.dataset.layout import FOLDERS
from lolblur_synth.dataset.packs.plan import Entry, PlannedFile
from lolblur_synth.dataset.packs.streams import Tick, Written, hashed_file
from lolblur_synth.dataset.rows import known, values

_COPIED = 1 << 20  # bytes at a time
_GUESSED = 5  # samples of a shard, from whose JSON Hugging Face's `datasets` takes its types


def columns(files: Iterable[PlannedFile]) -> tuple[str, ...]:
    """Names of the columns that the JSON of each sample has, the same in all shards."""
    return known(([entry.row for entry in planned.entries] for planned in files), _GUESSED)


def write_shard(target: Path, planned: PlannedFile, names: tuple[str, ...], each: Map, tick: Tick) -> Written:
    """Write a shard; `names` are the columns of the samples' JSON.

    The key of a sample is VVVV/FFFF, without a dot, at which keys end. Times are 0, as the package would take those of
    now, and owners its own. It writes past the package's stream, which cuts all into blocks of 10 KiB.
    """
    from webdataset import TarWriter

    with hashed_file(target) as stream:
        writer = TarWriter(io.BytesIO(), encoder=False, mtime=0)
        writer.tarstream = tarfile.open(fileobj=stream, mode="w:", format=tarfile.USTAR_FORMAT)  # noqa: SIM115 - below
        writer.tarstream.copybufsize = _COPIED
        for entry, pictures in zip(planned.entries, each(_read, planned.entries), strict=True):
            writer.write({"__key__": entry.row.pair, "json": to_json(values(entry.row, names)), **pictures})
            tick()
        writer.close()
        return stream.written


def _read(entry: Entry) -> dict[str, bytes]:
    return {f"{folder}.png": entry.pictures[folder].path.read_bytes() for folder in FOLDERS}

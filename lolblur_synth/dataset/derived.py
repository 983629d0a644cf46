"""What follows from the records of a dataset: manifest, metadata, card and croissant.json, in one pass over them."""

from collections.abc import Iterable, Iterator
from itertools import chain, islice
from pathlib import Path

from lolblur_synth.config.about import About
from lolblur_synth.core.files import writing_whole
from lolblur_synth.dataset import card
from lolblur_synth.dataset.croissant import write_croissant
from lolblur_synth.dataset.hugging_face import ColumnsTally, columns_of, metadata_files, write_metadata
from lolblur_synth.dataset.manifest import MANIFEST, manifest_part
from lolblur_synth.dataset.record_reader import each_record, without_collector
from lolblur_synth.dataset.records import SequenceRecord
from lolblur_synth.dataset.summary import Tally
from lolblur_synth.dataset.summary_types import Summary

_PEEK = 100  # sequences that the columns are guessed from; all that are looked at, unless one of the splits comes late


def write_derived(root: Path, about: About) -> Summary | None:
    """Write all that follows from the records; returns their summary, None where there are none.

    Records are read one after the other and let go. Raises `UserError` for damaged ones, before a file has changed,
    `SequenceError` where a picture of the contact sheet cannot be read, and `OSError` when the disk refuses.
    """
    tally, found = Tally(), ColumnsTally()
    first, records = _peeked(each_record(root))
    columns = columns_of(first)
    with (
        without_collector(),
        writing_whole(root / MANIFEST, durable=True) as manifest,
        metadata_files(root) as write_rows,
    ):
        for record in records:
            manifest.write(manifest_part(record))
            write_rows(record, columns)
            tally.add(record)
            found.add(record)
    if found.columns() != columns:
        columns = found.columns()
        write_metadata(root, each_record(root), columns)
    summary = tally.summary() if first else None
    if summary:
        card.write(root, summary, about)
    write_croissant(root, summary, columns, about)
    return summary


def _peeked(records: Iterator[SequenceRecord]) -> tuple[list[SequenceRecord], Iterable[SequenceRecord]]:
    """The first of some records, and all of them."""
    first = list(islice(records, _PEEK))
    return first, chain(first, records)

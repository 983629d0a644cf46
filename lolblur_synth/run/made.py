"""Sequences of a dataset, by what a run needs to know of them: records of a million pairs would take gigabytes."""

from collections.abc import Iterable
from typing import NamedTuple

from lolblur_synth.dataset.layout import Split
from lolblur_synth.dataset.records import SequenceRecord


class Made(NamedTuple):
    """A sequence that is there."""

    fingerprint: str
    content: str  # of its video
    video: int
    split: Split
    pairs: int


def made_of(record: SequenceRecord) -> Made:
    """What its record tells."""
    return Made(record.fingerprint, record.source.content, record.video, record.split, len(record.pairs))


def all_made(records: Iterable[SequenceRecord]) -> dict[str, Made]:
    """By sequence id."""
    return {record.id: made_of(record) for record in records}


def seen(made: dict[str, Made]) -> frozenset[tuple[str, str]]:
    """Ids and fingerprints."""
    return frozenset((name, each.fingerprint) for name, each in made.items())

"""Merging of shards: when all are made, what is told of the dataset as a whole is written from their records."""

from collections.abc import Sequence, Set
from dataclasses import dataclass
from pathlib import Path

from lolblur_synth.core.errors import UserError
from lolblur_synth.dataset.layout import SETTINGS
from lolblur_synth.dataset.locks import locked
from lolblur_synth.dataset.publish import recover
from lolblur_synth.dataset.summary_types import Summary
from lolblur_synth.run.failures import Failure
from lolblur_synth.run.plan import Shard
from lolblur_synth.run.reports import write_reports
from lolblur_synth.run.sharding import ShardNote, failures_of, read_notes, remove_notes


@dataclass(frozen=True)
class Merged:
    """What shards have made, and what they have not."""

    summary: Summary | None  # None: there is no sequence
    failures: tuple[Failure, ...]
    missing: tuple[tuple[Shard, int | None], ...]  # sequences that a shard has still to make; None if it never began


def merge(root: Path) -> Merged:
    """Finish what killed shards had completed, and write manifest, metadata and card of all that is there.

    The notes of the shards stay until nothing is missing. Raises `UserError` while one is at work, and for a folder
    that no shards have made.
    """
    if not (root / SETTINGS).is_file():
        raise UserError(f"not a dataset made by lolblur-synth run (it has no {SETTINGS})", where=root)
    with locked(root):
        recover(root)
        notes = read_notes(root)
        if not notes:
            raise UserError("no shards have made it, or they are merged already", where=root)
        summary = write_reports(root, failures_of(notes))
        made = {sequence.id for sequence in summary.sequences} if summary else set[str]()
        missing = _missing(notes, made)
        if not missing:
            remove_notes(root)
    return Merged(summary, tuple(failures_of(notes)), missing)


def _missing(notes: Sequence[ShardNote], made: Set[str]) -> tuple[tuple[Shard, int | None], ...]:
    count = notes[0].shard.count
    found: dict[int, int | None] = dict.fromkeys(range(1, count + 1))
    for note in notes:
        settled = {failure.name for failure in note.failures if note.ended} | made
        found[note.shard.number] = len(set(note.sequences) - settled)
    return tuple((Shard(number, count), left) for number, left in found.items() if left != 0)

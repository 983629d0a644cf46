"""A report of a dataset: what is in it, made how, like what, and its pictures, in one page that needs no network."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from lolblur_synth.apps.outputs import check_file
from lolblur_synth.apps.report.dropped import Footage, find_footage, picture_dropped
from lolblur_synth.apps.report.facts import check_folder, read_facts
from lolblur_synth.apps.report.page import Pictures, render
from lolblur_synth.apps.report.pictures import Progress, all_faults, choose_pictures
from lolblur_synth.core.errors import UserError, refused, setting
from lolblur_synth.core.files import write_whole
from lolblur_synth.remote.address import without_secrets

REPORT = "report.html"  # in the folder of a dataset
_SMALL, _LARGE = 14_000_000, 28_000_000  # bytes, of a page of a thousand pairs, and of one of any number
_OF_FACTS = 400  # bytes that a pair takes beside its pictures


@dataclass(frozen=True)
class Report:
    """What a report shows, and what it cannot."""

    path: Path
    size: int  # bytes
    pairs: int
    pictured: int  # pairs with pictures
    missing: tuple[str, ...]  # what cannot be told, a sentence each
    faults: Mapping[str, str]  # by path of a picture, why it cannot be read


def check_report(dataset: Path, out: Path, *, overwrite: bool) -> None:
    """Raise `UserError` where there is no dataset, or its report cannot be written."""
    check_folder(dataset)
    check_file(out, (".html",), overwrite=overwrite)


def is_current(dataset: Path, out: Path) -> bool:
    """Whether a report is younger than each sequence that was made or removed."""
    return out.is_file() and out.stat().st_mtime_ns >= (dataset / "records").stat().st_mtime_ns


def write_report(
    dataset: Path, out: Path, progress: Progress, *, videos: Path | str | None = None, footage: Footage | None = None
) -> Report:
    """Write the report of a dataset, whole or not at all; frames of dropped windows are from `videos` or `footage`.

    Raises `UserError` where there are no pairs, and when the disk refuses.
    """
    facts = read_facts(dataset)
    if videos is not None:
        if not facts.records:
            where = f"{setting('videos')} {without_secrets(str(videos))}"
            raise UserError("is of no use: no record tells of dropped windows", where=where)
        footage = find_footage(videos, dataset, facts.records.values())
    shown = choose_pictures(dataset, facts.pairs, budget(len(facts.pairs)), progress)
    windows = facts.summary.dropped if facts.summary else ()
    dropped = picture_dropped(windows, facts.records.values(), footage or {})
    page = render(facts, Pictures(shown, dropped, footage is not None)).encode()
    with refused(out, "the report cannot be written", "make room, or name another place"):
        write_whole(out, page, durable=True)
    return Report(out, len(page), len(facts.pairs), len(shown), facts.missing, all_faults(facts.pairs, shown.items()))


def budget(pairs: int) -> int:
    """Bytes of the pictures of a page: what pages of so many pairs may have, less their facts.

    >>> budget(100), budget(1000), budget(12_000)
    (13960000, 13600000, 23200000)
    """
    return min(_LARGE, max(_SMALL, _SMALL * pairs // 1000)) - _OF_FACTS * pairs

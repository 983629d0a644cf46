"""Publishing by rename: a sequence is made aside and moved into the dataset whole, its record last, on the disk."""

import shutil
from pathlib import Path

from lolblur_synth.core.errors import SequenceError, UserError, setting
from lolblur_synth.core.files import flush, move, write_whole
from lolblur_synth.dataset.layout import RECORD, SETTINGS, SPLITS, record_path, staged, staged_id
from lolblur_synth.dataset.links import check_inside, placed
from lolblur_synth.dataset.record_reader import read_staged, records_of
from lolblur_synth.dataset.records import SequenceRecord


def check_present(root: Path) -> None:
    """Raise `UserError` when somebody has taken the dataset away: no run may make half of it anew."""
    if not (root / SETTINGS).is_file():
        raise UserError(
            "was removed or emptied during the run",
            where=f"{setting('out')} {root}",
            advice="run the same command again",
        )


def stage_record(staging: Path, record: SequenceRecord) -> None:
    """Write the record beside its images: from here on the sequence is complete and can be published.

    Images are on the disk before it, and so are the names of all: a power cut leaves no record of empty pictures.
    """
    images = [staging / path for path, _ in record.images()]
    flush(images)
    flush({folder for path in images for folder in path.parents if folder.is_relative_to(staging)})
    write_whole(staging / RECORD, record.as_json(), durable=True)


def publish(root: Path, staging: Path) -> SequenceRecord:
    """Move a complete staged sequence into the dataset, its record last; run again after a kill, it goes on.

    Where the same sequence is there already, as another attempt has published it, the staged one is only removed.
    Sequences of the same video that it replaces, or whose numbers it takes, go first: their pictures, then their
    records, so that whatever is there at any moment is either named by a record or made anew by the next run.
    Raises `UserError` when the dataset is not there any more, or a link leads out of it.
    """
    check_present(root)
    record = read_staged(staging)
    new = {path for path, _ in record.images()}
    for folder in {path.parent for path in new}:
        check_inside(staging, staging / folder)
    of_video = _of_video(root, record.video)
    if any(old.id == record.id and old.fingerprint == record.fingerprint for old in of_video):
        shutil.rmtree(staging)
        return record
    for old in of_video:
        if old.id == record.id or new & {path for path, _ in old.images()}:
            remove(root, old)
    for path in sorted(new):
        _move(staging / path, placed(root, path))
    flush({folder for path in new for folder in (root / path).parents if folder.is_relative_to(root)})
    target = record_path(root, record.id)
    target.parent.mkdir(exist_ok=True)
    (staging / RECORD).replace(target)
    flush([target.parent, root])
    shutil.rmtree(staging)
    return record


def _move(source: Path, target: Path) -> None:
    if source.is_symlink():
        raise SequenceError("is a link, which no run makes", where=source, advice="run again to make its sequence anew")
    target.parent.mkdir(parents=True, exist_ok=True)
    if source.exists():
        move(source, target)
    elif not target.exists():
        raise SequenceError("is gone before it could be published", where=source, advice="run again to make it anew")


def remove(root: Path, record: SequenceRecord) -> None:
    """Take a sequence out of a dataset: its pictures that no other record names, then its record."""
    others = (other for other in _of_video(root, record.video) if other.id != record.id)
    named = {path for other in others for path, _ in other.images()}
    for path in {path for path, _ in record.images()} - named:
        picture = placed(root, path)
        picture.unlink(missing_ok=True)
        if picture.parent.is_dir() and not any(picture.parent.iterdir()):
            picture.parent.rmdir()
    record_path(root, record.id).unlink(missing_ok=True)


def _of_video(root: Path, video: int) -> list[SequenceRecord]:
    ids = (f"{video:04d}-{sequence}" for sequence in range(10))
    return list(records_of(root, (name for name in ids if record_path(root, name).exists())))


def recover(root: Path, ids: frozenset[str] | None = None) -> None:
    """Finish what a killed run had completed but not published, and clear what it had not completed.

    Of a shard, which has others beside it, only what its own sequences (`ids`) have left.
    """
    for staging in staged(root):
        if ids is not None and staged_id(staging) not in ids:
            continue
        if (staging / RECORD).exists():
            try:
                publish(root, staging)
            except SequenceError:  # pictures of it are gone: as if it had not been completed
                shutil.rmtree(staging)
        else:
            shutil.rmtree(staging)
    if ids is not None:
        return
    for folder in (root, *(root / split for split in SPLITS)):
        for draft in folder.glob(".*.partial"):  # of a file that is made from the records, such as the manifest
            if not draft.is_dir() or draft.is_symlink():
                draft.unlink(missing_ok=True)  # which may be that of progress, which goes on

"""Packing: a dataset becomes files of another form, made aside, resumed where it was stopped, and published whole.

Until it is done, a pack `OUT` is the folder `.OUT.partial` beside it. Each of its files appears there whole, with its
hash; LMDBs grow by whole transactions. At last the folder is renamed.
"""

import fcntl
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from pydantic import ValidationError

from lolblur_synth.core.devices import cores
from lolblur_synth.core.errors import UserError, refused, setting
from lolblur_synth.core.files import flush, open_lock, read_bounded, write_text, write_whole
from lolblur_synth.core.threads import Map, ordered_map
from lolblur_synth.dataset.about import ABOUT, read_about
from lolblur_synth.dataset.layout import SETTINGS, record_path
from lolblur_synth.dataset.manifest import write_manifest
from lolblur_synth.dataset.packs.contents import (
    CONTENTS,
    ORIGIN,
    Contents,
    PackedFile,
    check_package,
    data_file,
    read_contents_of,
)
from lolblur_synth.dataset.packs.lmdbs import write_lmdb
from lolblur_synth.dataset.packs.page import render
from lolblur_synth.dataset.packs.parquet import write_table
from lolblur_synth.dataset.packs.plan import FORMAT, Options, PackPlan, PlannedFile, plan_pack
from lolblur_synth.dataset.packs.streams import Tick, Written
from lolblur_synth.dataset.packs.webdataset import columns, write_shard

Notify = Callable[[int, int], None]
_LOCK, _PLAN = ".lock", ".plan"
_SPARE = 64 << 20  # bytes beside the pictures


def pack(
    dataset: Path, out: Path, options: Options, notify: Notify | None = None, *, overwrite: bool = False
) -> Contents:
    """Pack a dataset into `out`; called again after a stop, it goes on, and the pack is the same to the byte.

    `notify(done, all)` counts pictures. Raises `UserError` for a dataset with faults, for an `out` that holds
    something else, a package that is not installed, and a disk that refuses: `out` is as it was then.
    """
    check_package(options.kind, f"{setting('to')} {options.kind}")
    plan = plan_pack(dataset, options)
    if out.resolve().is_relative_to(dataset.resolve()):
        raise UserError("lies in the dataset", where=f"{setting('out')} {out}", advice="name another folder")
    there = _existing(plan, out, overwrite=overwrite)
    if there:
        return there
    staging = out.with_name(f".{out.name}.partial")
    advice = "what is done is kept; make room and run the same command again"
    with refused(f"{setting('out')} {out}", "cannot be written", advice), _locked(staging):
        _begin(plan, staging, overwrite=overwrite)
        contents = _fill(plan, staging, notify)
        _describe(plan, staging, contents)
        _publish(staging, out)
    return contents


def _existing(plan: PackPlan, out: Path, *, overwrite: bool) -> Contents | None:
    """The pack that is to be made, if it is there; raises `UserError` where something else is."""
    where = f"{setting('out')} {out}"
    if out.is_symlink() or (out.exists() and not out.is_dir()):
        raise UserError("is no folder", where=where, advice="name a folder")
    if not out.is_dir() or not any(out.iterdir()):
        return None
    if not (out / CONTENTS).is_file():
        raise UserError("exists and is no pack of lolblur-synth", where=where, advice="name a new folder")
    if overwrite:
        return None
    contents = read_contents_of(out)
    if contents.fingerprint != plan.fingerprint:
        raise UserError(
            "holds a pack of another dataset, or of other options",
            where=where,
            advice=f"name a new folder, or {setting('overwrite')}",
        )
    return contents


@contextmanager
def _locked(staging: Path) -> Iterator[None]:
    staging.mkdir(parents=True, exist_ok=True)
    with open_lock(staging / _LOCK) as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise UserError(
                "another process is packing there", where=staging, advice="wait for it or name another folder"
            ) from None
        yield


def _begin(plan: PackPlan, staging: Path, *, overwrite: bool) -> None:
    """Begin, or go on with what was begun by the same plan."""
    mark = staging / _PLAN
    begun = read_bounded(mark, 100).decode(errors="replace") if mark.is_file() else None
    if begun not in (None, plan.fingerprint) and not overwrite:
        raise UserError(
            "holds a pack that was begun of another dataset, or with other options",
            where=staging,
            advice=f"remove it, name another folder, or {setting('overwrite')}",
        )
    if begun != plan.fingerprint:
        for path in staging.iterdir():
            if path.name != _LOCK:
                shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()
        needed, free = sum(planned.size for planned in plan.files) + _SPARE, shutil.disk_usage(staging).free
        if needed > free:
            shutil.rmtree(staging)
            raise UserError(
                f"needs {needed / 1e9:.1f} GB, and {free / 1e9:.1f} GB are free",
                where=f"{setting('out')} {staging.parent}",
                advice="make room or name a folder on another disk",
            )
        write_text(mark, plan.fingerprint)


def _fill(plan: PackPlan, staging: Path, notify: Notify | None) -> Contents:
    count = sum(len(planned.entries) for planned in plan.files)
    done = 0

    def tick() -> None:
        nonlocal done
        done += 1
        if notify:
            notify(done, count)

    files: dict[str, PackedFile] = {}
    names = columns(plan.files) if plan.options.kind == "webdataset" else ()
    with ordered_map(cores()) as each:
        for planned in plan.files:
            made = _made_before(staging, planned)
            if made:
                for _ in planned.entries:
                    tick()
            else:
                made = PackedFile.of(_write(plan, staging, planned, names, each, tick), len(planned.entries))
                write_whole(_note(staging, planned), made.model_dump_json().encode(), durable=True)
            files[planned.name] = made
    return Contents(
        format=FORMAT,
        kind=plan.options.kind,
        megabytes=plan.options.megabytes,
        crop=plan.options.crop,
        step=plan.options.step,
        fingerprint=plan.fingerprint,
        sizes=plan.sizes,
        files=files,
    )


def _note(staging: Path, planned: PlannedFile) -> Path:
    """Where it is noted that a file is done."""
    return staging / f".{planned.name.replace('/', '.')}.done"


def _made_before(staging: Path, planned: PlannedFile) -> PackedFile | None:
    """What is noted of a file, if it is as large as that."""
    note, target = _note(staging, planned), data_file(staging, planned.name)
    if not note.is_file() or not target.is_file():
        return None
    try:
        made = PackedFile.model_validate_json(read_bounded(note, 10_000))
    except ValidationError:
        return None
    return made if made.size == target.stat().st_size and made.pairs == len(planned.entries) else None


def _write(
    plan: PackPlan, staging: Path, planned: PlannedFile, names: tuple[str, ...], each: Map, tick: Tick
) -> Written:
    if plan.options.kind == "lmdb":
        return write_lmdb(staging / planned.name, planned, plan.options, each, tick)
    target = staging / planned.name
    draft = target.with_name(f".{target.name}.partial")
    if plan.options.kind == "webdataset":
        written = write_shard(draft, planned, names, each, tick)
    else:
        written = write_table(draft, planned, each, tick, deep=plan.deep)
    draft.replace(target)
    flush([staging])
    return written


def _describe(plan: PackPlan, staging: Path, contents: Contents) -> None:
    """Write all that is there beside the pictures: the records, what is told of the dataset, how to read it."""
    origin = staging / ORIGIN
    (origin / "records").mkdir(parents=True, exist_ok=True)
    for name in (SETTINGS, ABOUT, "README.md", "contact_sheet.png"):
        if (plan.dataset / name).is_file():
            write_whole(origin / name, (plan.dataset / name).read_bytes(), durable=True)
    for name in plan.records:
        target = record_path(origin, name)
        write_whole(target, record_path(plan.dataset, name).read_bytes())
    flush([*(record_path(origin, name) for name in plan.records), origin / "records", origin])
    write_manifest(origin, plan.records.values())
    write_text(staging / "README.md", render(plan, read_about(plan.dataset)))
    write_whole(staging / CONTENTS, (contents.model_dump_json(indent=1) + "\n").encode(), durable=True)


def _publish(staging: Path, out: Path) -> None:
    for path in staging.glob(".*"):
        path.unlink()
    old = out.with_name(f".{out.name}.replaced")
    if old.exists():
        shutil.rmtree(old)
    if out.exists():
        out.replace(old)
    staging.replace(out)
    flush([out.parent])
    if old.exists():
        shutil.rmtree(old)

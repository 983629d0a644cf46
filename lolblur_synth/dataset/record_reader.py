"""Reading records as if a stranger had written them: what does not fit is one line that names file and field."""

import gc
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from pydantic import ValidationError
from pydantic_core import from_json

from lolblur_synth.core.errors import UserError, listed, shown
from lolblur_synth.core.files import read_bounded
from lolblur_synth.dataset.layout import RECORD, record_path, staged_id
from lolblur_synth.dataset.links import check_layout
from lolblur_synth.dataset.records import FORMAT, SequenceRecord

_LARGEST = 16 << 20  # bytes of a record; thirty pairs take 24 KiB
_LARGE = 1 << 20
_LISTED = 1000  # faults of a record; to list millions would take gigabytes


def read_staged(staging: Path) -> SequenceRecord:
    """The record of a complete staged sequence; raises as `read_record`."""
    return read_record(staging / RECORD, staged_id(staging) or "")


class _DamageError(Exception):
    """Which record is damaged, in which field, and how."""


def read_record(path: Path, sequence_id: str) -> SequenceRecord:
    """Read the record of a sequence; raises `UserError` for a damaged one, another's, or one of another format."""
    try:
        return _read(path, sequence_id)
    except _DamageError as error:
        what = "its folder" if path.name == RECORD else "it"
        told = f"delete {what} and run again to make its sequence anew"
        raise UserError(error, where=path.parents[1], advice=told) from None


def _read(path: Path, sequence_id: str) -> SequenceRecord:
    name = path.relative_to(path.parents[1])
    try:
        data = read_bounded(path, _LARGEST, follow=False)
        if len(data) > _LARGE:
            _check_fields(name, data)
        record = SequenceRecord.model_validate_json(data)
    except OSError as error:
        raise _DamageError(f"damaged record {name}: cannot be read: {error.strerror}") from None
    except ValidationError as error:
        _check_format(path, error)
        raise _DamageError(f"damaged record {name}: {fault_in(error)}") from None
    if record.id != sequence_id:
        raise _DamageError(f"damaged record {name}: id: is that of {record.id}")
    return record


def _check_fields(name: Path, data: bytes) -> None:
    """Refuse a large record that lacks fields: pydantic would keep a copy of it for each of them."""
    try:
        content = from_json(data)
    except ValueError as error:
        raise _DamageError(f"damaged record {name}: {error}") from None
    required = {name for name, field in SequenceRecord.model_fields.items() if field.is_required()}
    missing = sorted(required - content.keys()) if isinstance(content, dict) else ["all fields"]
    if missing:
        raise _DamageError(f"damaged record {name}: {missing[0]}: is not there (and {len(missing) - 1} faults more)")


def _check_format(path: Path, error: ValidationError) -> None:
    if error.error_count() > _LISTED:
        return
    found = [fault["input"] for fault in error.errors(include_url=False) if fault["loc"] == ("format",)]
    if found and isinstance(found[0], int):
        raise UserError(
            f"record format {found[0]}, this version reads {FORMAT - 1} and {FORMAT}",
            advice="use the lolblur-synth that made the dataset, or make a new one",
            where=path,
        )


def fault_in(error: ValidationError) -> str:
    """The first fault of what was read, as `field: what`, and the number of the others."""
    if error.error_count() > _LISTED:
        return f"{error.error_count()} faults"
    first, *others = error.errors(include_url=False, include_context=False, include_input=False)
    field = ".".join(str(part)[:40] for part in first["loc"])
    told = f"{field}: " * bool(field) + first["msg"].removeprefix("Value error, ")
    return shown(told[:300]) + (f" (and {len(others)} faults more)" if others else "")


@contextmanager
def without_collector() -> Iterator[None]:
    """Records have no cycles, and to look through them for some again and again takes as long as to read them."""
    before = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if before:
            gc.enable()


def read_records(root: Path) -> dict[str, SequenceRecord]:
    """All records of a dataset by sequence id, in order; raises `UserError`, naming the damaged ones."""
    with without_collector():
        return {record.id: record for record in each_record(root)}


def records_of(root: Path, ids: Iterable[str]) -> Iterator[SequenceRecord]:
    """The records of some sequences, one after the other; raises as `read_record`."""
    return (read_record(record_path(root, name), name) for name in ids)


def each_record(root: Path) -> Iterator[SequenceRecord]:
    """The records of a dataset, one after the other, in order; raises `UserError` at the end, naming the damaged ones.

    A million pairs take two gigabytes as records, if all of them are kept.
    """
    check_layout(root)
    faults = []
    for path in sorted((root / "records").glob("*.json")):
        try:
            yield _read(path, path.stem)
        except _DamageError as error:
            faults.append(str(error))
    if faults:
        raise UserError(
            listed(faults), where=root, advice="delete what is damaged and run again to make its sequences anew"
        )

"""The output folder of a run: whether it may write there, and what it already holds."""

from collections.abc import Iterator
from pathlib import Path

from lolblur_synth.config.run import Config
from lolblur_synth.core.errors import UserError, setting
from lolblur_synth.dataset.layout import LEASES, SETTINGS, SHARDS, SPLITS
from lolblur_synth.dataset.locks import locked
from lolblur_synth.dataset.publish import recover
from lolblur_synth.dataset.record_reader import each_record
from lolblur_synth.dataset.records import SequenceRecord
from lolblur_synth.dataset.settings import differences, read_settings


def recover_if_dataset(out: Path) -> None:
    """Recovery of what a killed run left in a dataset; a folder that is none is left alone."""
    if (out / SETTINGS).is_file():
        with locked(out):
            recover(out)


def read_existing(out: Path, config: Config, *, overwrite: bool) -> Iterator[SequenceRecord]:
    """The records of an output folder that a run of this configuration may continue, in order; none for a new one.

    Raises `UserError` when the folder is no dataset of ours, or, without `overwrite`, one of other settings.
    """
    if not out.exists():
        return iter(())
    if not out.is_dir():
        raise UserError("is a file", where=f"{setting('out')} {out}", advice="name a folder")
    if not (out / SETTINGS).is_file():
        if any(map(_is_foreign, out.iterdir())):
            raise UserError(
                "not empty and not a dataset of lolblur-synth",
                where=f"{setting('out')} {out}",
                advice="name a new folder",
            )
        return iter(())
    if not overwrite:
        changed = differences(read_settings(out), config)
        if changed:
            told = "; ".join(changed[:6]) + ("; ..." if len(changed) > 6 else "")
            raise UserError(
                f"holds a dataset made with other settings ({told})",
                where=f"{setting('out')} {out}",
                advice=f"use the same, another {setting('out')}, or {setting('overwrite')} to make it anew",
            )
    return each_record(out)


def _is_foreign(path: Path) -> bool:
    """Whether something is not from a run that has only begun, and no link to an empty folder for a split."""
    if path.name in SPLITS and path.is_symlink():
        return not path.is_dir() or any(path.iterdir())
    return path.name not in {LEASES, SHARDS, f".{SETTINGS}.partial"}

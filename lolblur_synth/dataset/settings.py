"""The output folder: whether a run may write there, one at a time, and what it already holds."""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from lolblur_synth.config.loading import to_yaml
from lolblur_synth.config.run import Config
from lolblur_synth.config.yaml_reader import Value, read_yaml
from lolblur_synth.core.errors import UserError, refused, setting
from lolblur_synth.core.files import open_lock, write_text
from lolblur_synth.dataset.links import SPLITS
from lolblur_synth.dataset.publish import recover
from lolblur_synth.dataset.records import SETTINGS, SequenceRecord, read_records

_LOCK, _PUBLISHING = ".lock", ".publishing.lock"


@contextmanager
def locked(out: Path) -> Iterator[None]:
    """Hold the output folder for one run at a time; the lock goes with the process, however it ends."""
    with refused(f"{setting('out')} {out}", "cannot be written", "name a folder that can"):
        out.mkdir(parents=True, exist_ok=True)
        lock = open_lock(out / _LOCK)
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise UserError(
                "another run is writing there",
                where=f"{setting('out')} {out}",
                advice="wait for it or name another folder",
            ) from None
        except OSError as error:
            told = f"files cannot be locked there ({error.strerror}); name a folder on another disk"
            raise UserError(told, where=f"{setting('out')} {out}") from None
        yield


@contextmanager
def publishing(out: Path) -> Iterator[None]:
    """One worker of a run at a time: two sequences of a video may take each other's numbers."""
    with open_lock(out / _PUBLISHING) as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def settle(out: Path) -> None:
    """Finish what a killed run left in a dataset; a folder that is none is left alone."""
    if (out / SETTINGS).is_file():
        with locked(out):
            recover(out)


def read_existing(out: Path, config: Config, overwrite: bool) -> dict[str, SequenceRecord]:
    """The records of an output folder that this configuration may go on with; raises `UserError` if it may not."""
    if not out.exists():
        return {}
    if not out.is_dir():
        raise UserError("is a file", where=f"{setting('out')} {out}", advice="name a folder")
    if not (out / SETTINGS).is_file():
        if any(map(_is_foreign, out.iterdir())):
            raise UserError(
                "not empty and not a dataset of lolblur-synth",
                where=f"{setting('out')} {out}",
                advice="name a new folder",
            )
        return {}
    if not overwrite:
        differences = _differences(_stored_settings(out), config)
        if differences:
            told = "; ".join(differences[:6]) + ("; ..." if len(differences) > 6 else "")
            raise UserError(
                f"holds a dataset made with other settings ({told})",
                where=f"{setting('out')} {out}",
                advice=f"use the same, another {setting('out')}, or {setting('overwrite')} to make it anew",
            )
    return read_records(out)


def _is_foreign(path: Path) -> bool:
    """Whether something is not from a run that has only begun, and no link to an empty folder for a split."""
    if path.name in SPLITS and path.is_symlink():
        return not path.is_dir() or any(path.iterdir())
    return path.name not in {_LOCK, _PUBLISHING, f".{SETTINGS}.partial"}


def _stored_settings(out: Path) -> dict[str, Value]:
    """The settings of a dataset as they were written; raises `UserError` for a damaged file."""
    advice = (
        f"damaged; {setting('overwrite')} writes it anew and keeps the sequences that the settings of this run made"
    )
    try:
        stored = read_yaml(out / SETTINGS)
    except (OSError, UserError) as error:
        told = str(error) if isinstance(error, UserError) else f"{out / SETTINGS}: {error.strerror}"
        raise UserError(told, advice=advice) from None
    if not isinstance(stored, dict):
        raise UserError("holds no settings", where=out / SETTINGS, advice=advice)
    return stored


def write_settings(out: Path, config: Config) -> None:
    """Write the settings that decide pixels; they make the folder a dataset."""
    write_text(out / SETTINGS, to_yaml(config, exclude={"run"}))


def pixel_settings(config: Config) -> dict[str, Any]:
    """The settings that decide pixels: all but the machine's share."""
    return config.model_dump(mode="json", exclude={"run"})


def has_settings(record: SequenceRecord, config: Config) -> bool:
    """Whether a sequence was made with these settings."""
    return record.config.model_copy(update={"run": config.run}) == config


def _differences(stored: object, config: Config) -> list[str]:
    def flat(data: object, prefix: str = "") -> dict[str, object]:
        if not isinstance(data, dict):
            return {prefix: data}
        return {k: v for key, value in data.items() for k, v in flat(value, f"{prefix}.{key}".lstrip(".")).items()}

    there, here = flat(stored), flat(pixel_settings(config))
    return [
        f"{key[:60]} is {there.get(key)!s:.60} there, {here.get(key)!s:.60} here"
        for key in sorted(there.keys() | here.keys())
        if there.get(key) != here.get(key)
    ]

"""The settings of a dataset, which decide its pixels: written, read again, compared."""

from pathlib import Path

from lolblur_synth.config.loading import to_yaml
from lolblur_synth.config.run import Config
from lolblur_synth.config.yaml_reader import Value, read_yaml
from lolblur_synth.core.errors import UserError, setting
from lolblur_synth.core.files import write_text
from lolblur_synth.dataset.layout import SETTINGS
from lolblur_synth.dataset.records import SequenceRecord

_OTHERS = {"run", "about"}  # sections that decide no pixel


def write_settings(out: Path, config: Config) -> None:
    """Write the settings that decide pixels; they make the folder a dataset."""
    write_text(out / SETTINGS, to_yaml(config, exclude=_OTHERS))


def read_settings(out: Path) -> dict[str, Value]:
    """The settings of a dataset as they were written; raises `UserError` for a damaged file."""
    advice = f"{setting('overwrite')} writes it anew and keeps the sequences that the settings of this run made"
    try:
        stored = read_yaml(out / SETTINGS)
    except (OSError, UserError) as error:
        told = error.told(setting) if isinstance(error, UserError) else f"{out / SETTINGS}: {error.strerror}"
        raise UserError(f"{told}; damaged", advice=advice) from None
    if not isinstance(stored, dict):
        raise UserError("holds no settings; damaged", where=out / SETTINGS, advice=advice)
    return stored


def pixel_settings(config: Config) -> dict[str, Value]:
    """The settings that decide pixels: all but the machine's share, and what the maker tells."""
    settings: dict[str, Value] = config.model_dump(mode="json", exclude=_OTHERS)
    return settings


def has_settings(record: SequenceRecord, config: Config) -> bool:
    """Whether a sequence was made with these settings."""
    return record.config.model_copy(update={name: getattr(config, name) for name in _OTHERS}) == config


def differences(stored: dict[str, Value], config: Config) -> list[str]:
    """Settings that decide pixels and are others in a dataset than in a configuration, a line each."""

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

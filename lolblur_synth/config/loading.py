"""Loading of settings: YAML files and presets in layers, then single settings; every fault is named at once."""

import difflib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import reduce
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from lolblur_synth.config.cameras import with_file
from lolblur_synth.config.presets import preset_dir
from lolblur_synth.config.run import Config
from lolblur_synth.config.section import Section
from lolblur_synth.config.yaml_reader import Value, parse_yaml, read_yaml
from lolblur_synth.core.errors import UserError, refused, setting

_TOLD = 10  # faults of a configuration; so many lines can be read
_SHOWN = 80  # letters of a key or value
_DEEPEST = 8  # words of a key; settings have two

Model = TypeVar("Model", bound=Section)


def presets() -> list[str]:
    """Names of the presets."""
    return sorted(path.stem for path in preset_dir().glob("*.yaml"))


def _read_layer(source: str) -> dict[str, Value]:
    path = Path(source)
    if path.suffix not in {".yaml", ".yml"}:
        path = preset_dir() / f"{source}.yaml"
        if not path.is_file():
            raise UserError(
                "no such preset",
                where=f"{setting('config')} {source}",
                advice=f"there are {', '.join(presets())} (or give a .yaml file)",
            )
    with refused(f"{setting('config')} {source}", "cannot be read", "name a preset or a .yaml file"):
        data = read_yaml(path)
    if data is None:
        return {}
    if not isinstance(data, dict):
        raise UserError(f"a config is a mapping of keys to values, this is a {type(data).__name__}", where=path)
    return data


def parse_assignment(assignment: str) -> dict[str, Value]:
    """One setting, KEY=VALUE with a value in YAML, as the layer of a configuration; raises `UserError`.

    >>> parse_assignment("darken.exposure=[0.05, 0.16]")
    {'darken': {'exposure': [0.05, 0.16]}}
    """
    key, equals, value = assignment.partition("=")
    if not equals or not key:
        raise UserError(
            "write key=value, such as darken.exposure=[0.05,0.16]", where=f"{setting('set')} {assignment[:_SHOWN]}"
        )
    layer = parse_yaml(value, f"{setting('set')} {key[:_SHOWN]}")
    *sections, name = key.split(".", _DEEPEST)
    nested = {name: layer}
    for section in reversed(sections):
        nested = {section: nested}
    return nested


def _merge(base: dict[str, Value], layer: dict[str, Value]) -> dict[str, Value]:
    merged = dict(base)
    for key, value in layer.items():
        before = merged.get(key)
        merged[key] = _merge(before, value) if isinstance(value, dict) and isinstance(before, dict) else value
    return merged


@dataclass(frozen=True)
class Setting:
    """One setting of a configuration, as its section declares it."""

    key: str  # such as darken.exposure
    default: Any
    description: str


def settings_of(model: type[BaseModel], prefix: str = "") -> Iterator[Setting]:
    """Every setting of a configuration in order, those of sections by dotted keys; and the sections themselves.

    >>> from lolblur_synth.config.run import Average
    >>> [(setting.key, setting.default) for setting in settings_of(Average)]
    [('space', 'linear')]
    """
    for name, field in model.model_fields.items():
        kind = field.annotation
        section = kind if isinstance(kind, type) and issubclass(kind, BaseModel) else None
        description = field.description or (section.__doc__ if section else "") or ""
        yield Setting(prefix + name, field.get_default(), description.partition("\n")[0])
        if section:
            yield from settings_of(section, f"{prefix}{name}.")


def _faults(model: type[BaseModel], layer: dict[str, Value]) -> list[ErrorDetails]:
    """What is wrong with a layer by itself: a value that a later layer replaces is no less wrong.

    That two settings do not fit together is not judged here, as it may be that a later layer brings the other one.
    """
    try:
        model.model_validate(layer)
    except ValidationError as error:
        faults = error.errors(include_url=False, include_context=False)
        return [fault for fault in faults if not (fault["type"] == "value_error" and isinstance(fault["input"], dict))]
    return []


def _explain(faults: Sequence[ErrorDetails], model: type[BaseModel]) -> list[str]:
    """A line for each of the first faults, by the key of its setting, and one for the number of the others."""
    lines: dict[str, str] = {}
    known = [setting.key for setting in settings_of(model)]
    for fault in faults:
        names = [str(part) for part in fault["loc"] if not str(part).startswith(("tuple[", "literal[", "constrained"))]
        key = ".".join(name for name in names if name not in {"float", "int", "camera-name", "camera-file"})
        if key not in lines and len(lines) == _TOLD:
            break
        if fault["type"] == "extra_forbidden":
            near = difflib.get_close_matches(key, known, 1, 0.6)
            message = "unknown key" + (f", did you mean {near[0]}?" if near else "")
        else:
            message = fault["msg"].removeprefix("Value error, ") + f" (got {_brief(fault['input'])})" * (key != "")
        told = key if len(key) <= _SHOWN else f"{key[:_SHOWN]}..."
        lines[key] = f"{lines[key]}, or {message}" if key in lines else f"{told or 'config'}: {message}"
    left = len({fault["loc"] for fault in faults}) - len(lines)
    return [*lines.values(), *([f"and {left} more"] if len(lines) == _TOLD and left else [])]


def _brief(value: object) -> str:
    """A value as Python writes it, or how it begins."""
    whole = repr(value)
    return whole if len(whole) <= _SHOWN else f"{whole[:_SHOWN]}..."


def load(model: type[Model], sources: Iterable[str] = (), assignments: Iterable[str] = ()) -> Model:
    """Layer presets or files, then `key=value` assignments, on the defaults; raises `UserError` naming every fault.

    >>> from lolblur_synth.config.run import Config
    >>> config = load(Config, ["night"], ["seed=7", "video.size=source"])
    >>> config.seed, config.video.size
    (7, 'source')
    """
    layers = []
    for source in sources:
        layer = _read_layer(source)
        if source in presets() and 2 * len(layer.keys() - model.model_fields.keys()) > len(layer):
            raise UserError(
                "a preset of another command",
                where=f"{setting('config')} {source}",
                advice="`lolblur-synth config presets` tells of which",
            )
        layers.append(layer)
    layers += map(parse_assignment, assignments)
    faults = [fault for layer in layers for fault in _faults(model, with_file(layer))]
    try:
        if not faults:
            return model.model_validate(with_file(reduce(_merge, layers, dict[str, Value]())))
    except ValidationError as error:
        faults = error.errors(include_url=False, include_context=False)
    raise UserError("the configuration has faults:", *_explain(faults, model))


def to_yaml(config: Section, exclude: set[str] | None = None) -> str:
    """The effective configuration as YAML that `load` reads back.

    >>> from lolblur_synth.config.run import Average
    >>> to_yaml(Average())
    '{space: linear}\\n'
    """
    return yaml.safe_dump(config.model_dump(mode="json", exclude=exclude), sort_keys=False, default_flow_style=None)


def load_config(*sources: str | Path, overrides: Iterable[str] = ()) -> Config:
    """Configuration of a run: presets by name and YAML files in layers, then single settings, on the defaults.

    >>> load_config("night", overrides=["seed=3"]).seed
    3
    """
    return load(Config, map(str, sources), overrides)

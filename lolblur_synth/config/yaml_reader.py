"""YAML as settings are written: mappings, lists and scalars; whatever else a file may hold is refused in one line.

PyYAML's parser gives events, and values are made of them here, so that nothing grows beyond what was read: aliases,
which can multiply, tags and deep nesting are no part of settings, and dates are text.
"""

import re
from collections.abc import Iterator
from pathlib import Path

import yaml

from lolblur_synth.core.errors import UserError
from lolblur_synth.core.files import read_bounded

Value = None | bool | int | float | str | list["Value"] | dict[str, "Value"]
_LARGEST = 512 << 10  # bytes
_DEEPEST = 12  # levels; settings have three
_LONGEST = 400  # digits of a number; Python converts no more than 4300
_PARSER = yaml.CSafeLoader if yaml.__with_libyaml__ else yaml.SafeLoader

_NULL = {"", "~", "null", "Null", "NULL"}
_BOOLEANS = {word: truth for truth, words in ((True, "true yes on"), (False, "false no off")) for word in words.split()}
_INTEGER = re.compile(r"[-+]?([0-9]+(_[0-9]+)*|0x[0-9a-fA-F]+|0o[0-7]+)")
_FLOAT = re.compile(r"[-+]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][-+]?[0-9]+)?|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)")


class _RefusedError(Exception):
    """What is wrong, and the event where it is."""

    def __init__(self, what: str, event: yaml.Event) -> None:
        super().__init__(f"{what} at line {_line(event)}")


def _line(event: yaml.Event) -> int:
    return event.start_mark.line + 1 if event.start_mark else 1


def read_yaml(path: Path) -> Value:
    """Read a settings file of 512 KiB at most; raises `UserError`, with the line, and `OSError`."""
    data = read_bounded(path, _LARGEST)
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise UserError(f"not YAML: not UTF-8 at line {line}", where=path, advice="save it as UTF-8") from None
    return parse_yaml(text, str(path))


def parse_yaml(text: str, name: str) -> Value:
    """Read one YAML document, or None of an empty one; raises `UserError` with the name and the line."""
    try:
        return _document(yaml.parse(text, _PARSER))
    except _RefusedError as error:
        raise UserError(error, where=name, advice="settings are keys, each once, with plain values") from None
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        where = f" at line {mark.line + 1}, column {mark.column + 1}" if mark else ""
        raise UserError(f"not YAML: {error.problem}{where}", where=name, advice="mend it there") from None
    except UnicodeEncodeError:
        raise UserError("not YAML: holds bytes that are not UTF-8", where=name, advice="write it in UTF-8") from None
    except yaml.YAMLError:  # the reader's, which has no line
        raise UserError("not YAML: holds control characters", where=name, advice="remove them") from None


def _document(events: Iterator[yaml.Event]) -> Value:
    value: Value = None
    seen = False
    for event in events:
        if isinstance(event, yaml.DocumentStartEvent):
            if seen:
                raise _RefusedError("a second document", event)
            seen, value = True, _value(events, next(events), 0)
    return value


def _value(events: Iterator[yaml.Event], event: yaml.Event, depth: int) -> Value:
    if isinstance(event, yaml.AliasEvent):
        raise _RefusedError("an alias", event)
    if not isinstance(event, yaml.ScalarEvent | yaml.SequenceStartEvent | yaml.MappingStartEvent):
        raise _RefusedError("nothing that is a value", event)
    if event.tag is not None:
        raise _RefusedError("a tag", event)
    if depth > _DEEPEST:
        raise _RefusedError(f"more than {_DEEPEST} levels", event)
    if isinstance(event, yaml.ScalarEvent):
        if "\0" in event.value:  # which ends a path for the system, and only for it
            raise _RefusedError("a zero byte", event)
        return _scalar(event) if event.implicit[0] else event.value
    if isinstance(event, yaml.SequenceStartEvent):
        values: list[Value] = []
        while not isinstance(inner := next(events), yaml.SequenceEndEvent):
            values.append(_value(events, inner, depth + 1))
        return values
    return _mapping(events, event, depth)


def _mapping(events: Iterator[yaml.Event], event: yaml.MappingStartEvent, depth: int) -> Value:
    found: dict[str, Value] = {}
    while not isinstance(key := next(events), yaml.MappingEndEvent):
        if not isinstance(key, yaml.ScalarEvent) or key.tag is not None:
            raise _RefusedError("a key that is no word", key)
        if key.value in found:
            raise _RefusedError(
                f"key {key.value[:60]} is there twice, in the block of line {_line(event)} and again", key
            )
        found[key.value] = _value(events, next(events), depth + 1)
    return found


def _scalar(event: yaml.ScalarEvent) -> Value:
    """What a word without quotes stands for; 1e-4 is a number, and 010 is ten."""
    text: str = event.value
    if text in _NULL:
        return None
    if text in {text.lower(), text.upper(), text.capitalize()} and text.lower() in _BOOLEANS:
        return _BOOLEANS[text.lower()]
    if not _FLOAT.fullmatch(text) and not _INTEGER.fullmatch(text):
        return text
    if len(text) > _LONGEST:
        raise _RefusedError(f"a number of {len(text)} digits", event)
    if not _INTEGER.fullmatch(text):
        return float(text.lower().replace(".inf", "inf").replace(".nan", "nan"))
    return int(text, 0 if text.lstrip("+-")[:2] in {"0x", "0o"} else 10)

"""Files that a command is asked to write: none replaces its source, another result, or unasked what is there."""

from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from lolblur_synth.core.errors import UserError, setting


def check_source(source: Path) -> None:
    """Raise `UserError` unless the input is there."""
    if not source.exists():
        raise UserError("there is no such file or folder", where=f"{setting('input')} {source}")


def check_targets(pairs: Iterable[tuple[Path, Path]], overwrite: bool, parameter: str = "out") -> None:
    """Raise `UserError` unless each target of (source, target) can be written; in a folder that `parameter` names."""
    _check(list(pairs), overwrite, parameter, "folder")


def check_file(source: Path, target: Path, overwrite: bool, parameter: str, suffixes: tuple[str, ...]) -> None:
    """Raise `UserError` unless the file that `parameter` names can be written, and ends in one of `suffixes`."""
    if target.suffix not in suffixes:
        raise UserError(f"name a file that ends in {' or '.join(suffixes)}", where=f"{setting(parameter)} {target}")
    if not target.parent.is_dir():
        raise UserError(
            f"the folder {target.parent} does not exist", where=f"{setting(parameter)} {target}", advice="make it first"
        )
    if source.is_dir() and target.parent.samefile(source):
        raise UserError(
            "lies among the input's images", where=f"{setting(parameter)} {target}", advice="name another folder"
        )
    _check([(source, target)], overwrite, parameter, "file")


def _check(pairs: list[tuple[Path, Path]], overwrite: bool, parameter: str, another: str) -> None:
    twice = [target for target, count in Counter(target for _, target in pairs).items() if count > 1]
    if twice:
        raise UserError(
            f"several pictures would become {twice[0]}",
            where=setting("input"),
            advice="rename them or convert them apart",
        )
    there = [(source, target) for source, target in pairs if target.exists()]
    for source, target in there:
        if target.samefile(source):
            raise UserError(
                f"{target} would replace the input", where=setting(parameter), advice=f"name another {another}"
            )
        if target.is_dir():
            raise UserError(f"{target} is a folder", where=setting(parameter), advice=f"name another {another}")
    if there and not overwrite:
        raise UserError(
            f"{there[0][1]} exists",
            where=setting(parameter),
            advice=f"name another {another}, or {setting('overwrite')}",
        )

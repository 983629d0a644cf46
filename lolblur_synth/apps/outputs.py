"""Files that a command is asked to write: none replaces its source, another result, or unasked what is there."""

from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from lolblur_synth.core.errors import UserError


def check_source(source: Path) -> None:
    """Raise `UserError` unless the input is there."""
    if not source.exists():
        raise UserError(f"--input {source}: there is no such file or folder")


def check_targets(pairs: Iterable[tuple[Path, Path]], overwrite: bool, option: str = "--out") -> None:
    """Raise `UserError` unless each target of (source, target) can be written; in a folder that `option` names."""
    _check(list(pairs), overwrite, option, "folder")


def check_file(source: Path, target: Path, overwrite: bool, option: str, suffixes: tuple[str, ...]) -> None:
    """Raise `UserError` unless the file that `option` names can be written, and ends in one of `suffixes`."""
    if target.suffix not in suffixes:
        raise UserError(f"{option} {target}: name a file that ends in {' or '.join(suffixes)}")
    if not target.parent.is_dir():
        raise UserError(f"{option} {target}: the folder {target.parent} does not exist; make it first")
    if source.is_dir() and target.parent.samefile(source):
        raise UserError(f"{option} {target}: lies among the input's images; name another folder")
    _check([(source, target)], overwrite, option, "file")


def _check(pairs: list[tuple[Path, Path]], overwrite: bool, option: str, another: str) -> None:
    twice = [target for target, count in Counter(target for _, target in pairs).items() if count > 1]
    if twice:
        raise UserError(f"--input: several pictures would become {twice[0]}; rename them or convert them apart")
    there = [(source, target) for source, target in pairs if target.exists()]
    for source, target in there:
        if target.samefile(source):
            raise UserError(f"{option}: {target} would replace the input; name another {another}")
        if target.is_dir():
            raise UserError(f"{option}: {target} is a folder; name another {another}")
    if there and not overwrite:
        raise UserError(f"{option}: {there[0][1]} exists; name another {another}, or --overwrite")

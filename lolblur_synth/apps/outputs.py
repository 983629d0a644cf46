"""The guard for outputs of every command: none replaces its source, another output, or, unasked, what is there."""

from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from lolblur_synth.core.errors import UserError, setting


def check_source(source: Path) -> None:
    """Raise `UserError` unless the input is there."""
    if not source.exists():
        raise UserError("there is no such file or folder", where=f"{setting('input')} {source}")


def check_file(
    target: Path, suffixes: tuple[str, ...], *, source: Path | None = None, overwrite: bool, parameter: str = "out"
) -> None:
    """Raise `UserError` unless the file that `parameter` names can be written and ends in one of `suffixes`.

    It may not take the place of `source`, which is a file or a folder of images, nor lie among those.
    """
    where = f"{setting(parameter)} {target}"
    if target.suffix not in suffixes:
        raise UserError(f"name a file that ends in {' or '.join(suffixes)}", where=where)
    if not target.parent.is_dir():
        raise UserError(f"the folder {target.parent} does not exist", where=where, advice="make it first")
    if source and source.is_dir() and target.parent.samefile(source):
        raise UserError("lies among the input's images", where=where, advice="name another folder")
    _check(source, target, where, "", overwrite=overwrite, another="file")


def check_files(pairs: Iterable[tuple[Path, Path]], *, overwrite: bool, parameter: str = "out") -> None:
    """Raise `UserError` unless each target of (source, target) can be written into the folder that `parameter` names.

    No target may take the place of its source, or be that of two sources.
    """
    all_pairs = list(pairs)
    twice = [target for target, count in Counter(target for _, target in all_pairs).items() if count > 1]
    if twice:
        raise UserError(
            f"several pictures would become {twice[0]}",
            where=setting("input"),
            advice="rename them or convert them apart",
        )
    for source, target in all_pairs:
        _check(source, target, setting(parameter), f"{target} ", overwrite=overwrite, another="folder")


def check_apart(folder: Path, inputs: Path, what: str, *, parameter: str = "out") -> None:
    """Raise `UserError` where the folder that `parameter` names lies in that of the inputs; `what` tells the harm."""
    if folder.resolve().is_relative_to(inputs.resolve()):
        raise UserError(what, where=f"{setting(parameter)} {folder}", advice="name another folder")


def _check(source: Path | None, target: Path, where: str, name: str, *, overwrite: bool, another: str) -> None:
    if not target.exists():
        return
    if source and target.samefile(source):
        raise UserError(f"{name}would replace the input", where=where, advice=f"name another {another}")
    if target.is_dir():
        raise UserError(f"{name}is a folder", where=where, advice=f"name another {another}")
    if not overwrite:
        raise UserError(f"{name}exists", where=where, advice=f"name another {another}, or {setting('overwrite')}")

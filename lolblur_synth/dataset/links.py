"""Symbolic links of a dataset: the folder itself, train/ and test/ may lead to another disk, nothing else anywhere."""

import os
from collections.abc import Iterator
from pathlib import Path

from lolblur_synth.core.errors import UserError
from lolblur_synth.dataset.layout import SETTINGS, SPLITS

_ADVICE = "only the dataset itself, train/ and test/ may be links; remove this one"


def check_layout(root: Path) -> None:
    """Raise `UserError` when a link would lead what is read, written or removed out of the dataset."""
    if (root / "records").is_symlink():
        raise UserError("is a link", where=root / "records", advice=_ADVICE)
    for split in SPLITS:
        _check_split(root, root / split)
        for folder in _links(root / split):
            check_inside(root / split, folder)


def placed(root: Path, path: Path) -> Path:
    """The place of a picture, relative to a dataset, on the disk; raises `UserError` when it is outside."""
    check_inside(root / path.parts[0], (root / path).parent)
    return root / path


def check_inside(outer: Path, folder: Path) -> None:
    """Raise `UserError` when a folder, by links on the way to it, lies outside of another."""
    inside, where = os.path.realpath(outer), os.path.realpath(folder)
    if os.path.commonpath([inside, where]) != inside:
        raise UserError(f"leads out of the dataset, to {where}", where=folder, advice=_ADVICE)


def _check_split(root: Path, split: Path) -> None:
    if not split.is_symlink():
        return
    target = Path(os.path.realpath(split))
    if not target.is_dir():
        raise UserError(f"is a link to {target}, which is no folder", where=split, advice="mount its disk or make it")
    if (target.parent / SETTINGS).exists() and target.parent != Path(os.path.realpath(root)):
        raise UserError(
            f"is a link into another dataset, {target.parent}", where=split, advice="give it a folder of its own"
        )


def _links(split: Path) -> Iterator[Path]:
    """Links among the folders of pictures and the folders of videos in them."""
    try:
        folders = list(os.scandir(split))
        videos = [entry for folder in folders if folder.is_dir() for entry in os.scandir(folder)]
    except FileNotFoundError:
        return
    yield from (Path(entry.path) for entry in (*folders, *videos) if entry.is_symlink())

"""The LOL-Blur layout: `{train,test}/<folder>/VVVV/FFFF.png`, five folders, numbers that pair up; and where ours adds.

A dataset of ours also has its settings, a record for each sequence, and, while it is made, a staging folder for each.
"""

import re
from pathlib import Path
from typing import Literal, get_args

Split = Literal["train", "test"]
Folder = Literal["low_blur_noise", "low_blur", "low_sharp", "high_sharp_scaled", "high_sharp_original"]
SPLITS: tuple[Split, ...] = get_args(Split)
FOLDERS: tuple[Folder, ...] = get_args(Folder)
SETTINGS = "dataset.yaml"  # the effective configuration; a folder that has it is a dataset of ours
RECORD = "record.json"  # of a staged sequence
LEASES = ".leases"  # who writes into it
SHARDS = ".shards"  # what each of many processes is to make of it, until all is made
_STAGING = re.compile(r"\.(\d{4}-\d)(\.[0-9a-f]{8})?\.partial")


def image_path(split: Split, folder: str, video: int, number: int) -> Path:
    """Path of an image, relative to the dataset.

    >>> image_path("train", "low_blur", 3, 12).as_posix()
    'train/low_blur/0003/0012.png'
    """
    return Path(image_name(split, folder, video, number))


def image_name(split: Split, folder: str, video: int, number: int) -> str:
    """The same as text, with slashes: to make millions of `Path` takes half a minute."""
    return f"{split}/{folder}/{video:04d}/{number:04d}.png"


def record_path(root: Path, sequence_id: str) -> Path:
    """Path of the record of a sequence: that it exists says that the sequence is complete."""
    return root / "records" / f"{sequence_id}.json"


def staging_path(root: Path, sequence_id: str, attempt: str = "") -> Path:
    """Path of the staging folder of a sequence: it is made there and then published.

    Each attempt (8 hexadecimal digits) has its own: on a cluster two may make the same sequence at the same time.
    """
    return root / f".{sequence_id}{f'.{attempt}' * bool(attempt)}.partial"


def staged_id(staging: Path) -> str | None:
    """The id of the sequence that a staging folder is for; None for what is no staging folder of ours."""
    name = _STAGING.fullmatch(staging.name)
    return name[1] if name and staging.is_dir() and not staging.is_symlink() else None


def staged(root: Path) -> list[Path]:
    """The staging folders of a dataset: sequences that are not published yet, complete or not."""
    return [path for path in sorted(root.glob(".*.partial")) if staged_id(path)]

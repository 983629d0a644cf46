"""The LOL-Blur layout: `{train,test}/<folder>/VVVV/FFFF.png`, five folders, numbers that pair up."""

from collections.abc import Iterator
from pathlib import Path
from typing import Literal

Split = Literal["train", "test"]
Folder = Literal["low_blur_noise", "low_blur", "low_sharp", "high_sharp_scaled", "high_sharp_original"]
FOLDERS: tuple[Folder, ...] = ("low_blur_noise", "low_blur", "low_sharp", "high_sharp_scaled", "high_sharp_original")


def image_path(split: Split, folder: str, video: int, number: int) -> Path:
    """Where an image lies, relative to the dataset."""
    return Path(split, folder, f"{video:04d}", f"{number:04d}.png")


def pair_paths(root: Path, split: Split) -> Iterator[dict[str, Path]]:
    """The pictures of each pair of a split by folder name, in order; also of the released LOL-Blur."""
    for path in sorted((root / split / FOLDERS[0]).glob("*/*.png")):
        tail = path.relative_to(root / split / FOLDERS[0])
        yield {folder: root / split / folder / tail for folder in FOLDERS}

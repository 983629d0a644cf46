"""Finding footage: video files, and folders of numbered images."""

import os
import re
from collections.abc import Iterator
from pathlib import Path

from lolblur_synth.errors import SequenceError, UserError

_VIDEOS = {".3g2", ".3gp", ".asf", ".avi", ".flv", ".h264", ".h265", ".hevc", ".m2ts", ".m4v", ".mjpeg", ".mkv", ".mov"}
_VIDEOS |= {".mp4", ".mpeg", ".mpg", ".mts", ".mxf", ".ogv", ".ts", ".webm", ".wmv", ".y4m"}
_IMAGES = {".png", ".jpg", ".jpeg", ".tif", ".tiff"}


def find_videos(folder: Path) -> list[Path]:
    """Video files and sub-folders of numbered images in `folder`, or itself if it is one; sorted; `UserError`."""
    if not folder.is_dir():
        raise UserError(f"{folder}: {'not a' if folder.exists() else 'no such'} folder; give the one with the videos")
    found = [path for path in sorted(folder.iterdir()) if not path.name.startswith(".") and _looks_like_video(path)]
    if not found and _looks_like_video(folder):
        return [folder]
    if not found:
        raise UserError(f"{folder}: no video in it; put .mp4, .mov, .mkv, ... or sub-folders of numbered images there")
    return found


def _looks_like_video(path: Path) -> bool:
    if path.is_dir():
        return os.access(path, os.R_OK | os.X_OK) and len(list(_images(path))) >= 2
    return path.is_file() and path.suffix.lower() in _VIDEOS


def _images(folder: Path) -> Iterator[tuple[int, Path]]:
    for path in folder.iterdir():
        number = re.search(r"\d+$", path.stem)
        if number and path.suffix.lower() in _IMAGES and not path.name.startswith("."):
            yield int(number[0]), path


def numbered_images(folder: Path) -> dict[int, Path]:
    """Images of a folder by the number that ends their name, ascending; raises `SequenceError`."""
    files: dict[int, Path] = {}
    for number, path in sorted(_images(folder)):
        if number in files:
            raise SequenceError(f"{folder}: {files[number].name} and {path.name} have one number; keep one of them")
        files[number] = path
    if len(files) < 2:
        raise SequenceError(f"{folder}: fewer than two numbered images (png, jpg, tif) in it")
    return files


def file_stamp(path: Path) -> tuple[int, int] | None:
    """Size and modification time (ns) of a file, which differ once it is replaced; None for what is no file."""
    if not path.is_file():
        return None
    status = path.stat()
    return status.st_size, status.st_mtime_ns

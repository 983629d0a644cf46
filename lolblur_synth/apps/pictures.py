"""The finder of pictures in folders, for every command that takes some."""

from pathlib import Path

from lolblur_synth.core.errors import UserError, setting
from lolblur_synth.video.images import is_picture


def find_pictures(folder: Path, *, recursive: bool, parameter: str | None = "input") -> list[Path]:
    """Picture files in a folder by their suffixes, in order; with `recursive` in those below it too.

    What begins with a dot is left out. Raises `UserError`, by the name of `parameter` if it has one, when there are
    none.
    """
    paths = (path for path in folder.glob("**/*" if recursive else "*") if is_picture(path) and path.is_file())
    pictures = sorted(path for path in paths if not _is_hidden(path.relative_to(folder)))
    if not pictures:
        raise UserError(
            f"no pictures in this folder{' or below' * recursive}",
            where=f"{setting(parameter)} {folder}" if parameter else folder,
            advice="give one that has some" + ", or a video by its own name" * (parameter == "input"),
        )
    return pictures


def _is_hidden(path: Path) -> bool:
    return any(part.startswith(".") for part in path.parts)

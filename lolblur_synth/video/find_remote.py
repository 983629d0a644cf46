"""Find footage that lies elsewhere, by the rules that hold for a folder here."""

import os
import uuid
from collections.abc import Collection, Iterable
from pathlib import Path
from tempfile import TemporaryDirectory

from lolblur_synth.core.errors import UserError, shown
from lolblur_synth.remote.footage_cache import FootageCache
from lolblur_synth.remote.store import RemoteFile, Store
from lolblur_synth.remote.video import RemoteVideo
from lolblur_synth.video.file_types import LeftOut, SkipReason
from lolblur_synth.video.find import FolderContents, Footage, find_videos
from lolblur_synth.video.scan_cache import files_of

_LONGEST, _LONGEST_PART = 1024, 255  # bytes of a name below the folder, as S3 has it, and of its parts, as disks have


def find_remote_videos(store: Store, cache: FootageCache, dataset_folders: Collection[str] = ()) -> FolderContents:
    """Videos and folders of frames in a store; nothing of them is read. Raises `UserError` as `find_videos` does.

    What is listed is laid out here as empty files, so that one place decides what footage is. What only headers tell,
    such as frames of several sizes, the scan will.
    """
    files = {file.name: file for file in store.listing() if not file.name.endswith("/")}  # else it stands for a folder
    with TemporaryDirectory(prefix="lolblur-") as place:
        root = Path(place, store.address.name)
        root.mkdir()
        strange = _lay_out(root, files)
        try:
            found = find_videos(root, dataset_folders=dataset_folders)
        except UserError as error:
            raise UserError(error.what, where=store.address.shown, advice=error.advice) from None
        videos = tuple(_remote(video, root, files, (store, cache)) for video in found.videos)
    return FolderContents(videos, (*found.left_out, *(LeftOut(shown(name), SkipReason.NO_NAME) for name in strange)))


def _lay_out(root: Path, names: Iterable[str]) -> list[str]:
    """Make an empty file for each name; returns those that none can have."""
    strange = list[str]()
    for name in names:
        try:
            if not _is_name(name):
                raise ValueError(name)
            path = root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch(exist_ok=False)
        except (OSError, ValueError):  # also where a name is a folder of others
            strange.append(name)
    return strange


def _is_name(name: str) -> bool:
    """Whether it leads to a place below, and nowhere else."""
    parts = name.split("/")
    fits = len(os.fsencode(name)) <= _LONGEST and all(len(os.fsencode(part)) <= _LONGEST_PART for part in parts)
    return fits and not {"", ".", ".."}.intersection(parts) and "\0" not in name


def _remote(video: Footage, root: Path, files: dict[str, RemoteFile], where: tuple[Store, FootageCache]) -> Footage:
    store, cache = where
    name = "" if video.path == root else video.path.relative_to(root).as_posix()
    made_of = tuple(files[path.relative_to(root).as_posix()] for path in files_of(video.path))
    listed = "" if all(file.tag for file in made_of) else uuid.uuid4().hex
    remote = RemoteVideo(store, cache, name, made_of, listed)
    return Footage(Path(name or store.address.name), video.name, remote)  # in order as they would be here

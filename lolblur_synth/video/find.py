"""Find footage: video files, and folders of numbered pictures, in a folder and all below it."""

import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from stat import S_ISDIR, S_ISREG

from lolblur_synth.core.errors import SequenceError, UserError, shown
from lolblur_synth.remote.video import RemoteVideo
from lolblur_synth.video.file_types import FEWEST, VIDEOS, LeftOut, SkipReason, suffix_of, why_no_footage
from lolblur_synth.video.image_sequence import ImageSequence, NoImageSequenceError, order_frames
from lolblur_synth.video.light import FRAMES, frame_size

_LOOKED_AT = 8  # pictures of a series, for their size
_CAMERA_FOLDER = re.compile(r"[1-9][0-9]{2}(?![0-9]{5})[0-9A-Z_]{5}")  # DCF: 100GOPRO, 101CANON
_DENOISED = re.compile(r"[0-9a-f]{64}\.mkv")  # as a cache of denoised frames keeps them, beside a .json


@dataclass(frozen=True)
class Footage:
    """A video file or a folder of frames, by its path below the folder that was given, which tells it from others."""

    path: Path
    name: str  # printable
    remote: RemoteVideo | None = None  # then `path` is no place here, but tells it from others all the same


@dataclass(frozen=True)
class FolderContents:
    """All that there is in a folder, in order of names."""

    videos: tuple[Footage, ...]
    left_out: tuple[LeftOut, ...]


def find_videos(folder: Path, exclude: Iterable[Path] = (), dataset_folders: Collection[str] = ()) -> FolderContents:
    """Videos and folders of frames in `folder` and below, or itself if it holds frames; `exclude` is not walked into.

    A folder that holds two or more of `dataset_folders`, which are names, is a dataset that was made of videos, and
    none. Links are followed, and each place is looked at once. Raises `UserError` where nothing is found, telling what
    is there.
    """
    if not folder.is_dir():
        raise UserError(
            f"{'not a' if folder.exists() else 'no such'} folder",
            where=shown(folder),
            advice="give the one with the videos",
        )
    _refuse_dataset(folder.resolve(), dataset_folders)
    walk = _Walk(folder, {_identity(path) for path in exclude if path.is_dir()}, frozenset(dataset_folders))
    walk.go()
    videos, left_out = sorted(walk.videos, key=_order), sorted(walk.left_out, key=_order)
    if not videos and _is_series(folder):  # of few frames; who names it means it
        videos = [Footage(folder, shown(folder.resolve().name))]
        left_out = [one for one in left_out if suffix_of(one.name) not in FRAMES]
    if not videos:
        told = "".join(f"; left out: {line}" for line in summed_up(left_out))
        raise UserError(
            "no video in it or below",
            where=shown(folder),
            advice=f"put .mp4, .mov, .mkv, ... or folders of numbered pictures there{told}",
        )
    return FolderContents(tuple(videos), tuple(left_out))


def summed_up(left_out: Iterable[LeftOut]) -> Iterator[str]:
    """A line for each reason: the first names, how many more, and why."""
    names: dict[tuple[SkipReason, str], list[str]] = {}
    for one in left_out:
        names.setdefault((one.why, one.detail), []).append(one.name)
    for (why, detail), those in sorted(names.items()):
        more = f" and {len(those) - 3} more" if len(those) > 3 else ""
        yield f"{', '.join(those[:3])}{more} ({why}{': ' * bool(detail)}{detail})"


def numbered_images(folder: Path) -> dict[int, Path]:
    """The pictures of a folder by the slot of time that they fill, ascending from 0; raises `SequenceError`."""
    try:
        return {slot: folder / name for slot, name in _series_in(folder).frames.items()}
    except NoImageSequenceError as error:
        raise SequenceError(error, where=folder) from None


def file_stamp(path: Path) -> tuple[int, int] | None:
    """File stamp: size and modification time (ns), which differ once a file is replaced; None for what is no file."""
    if not path.is_file():
        return None
    status = path.stat()
    return status.st_size, status.st_mtime_ns


def runs_backwards(folder: Path) -> bool:
    """Whether frames were written in the order against their numbers, all after a dash, which may then be a minus."""
    try:
        series = _series_in(folder)
        times = [(folder / name).stat().st_mtime_ns for name in series.frames.values()]
    except (NoImageSequenceError, OSError):
        return False
    return series.dashed and times[-1] < times[0] and all(after <= before for before, after in pairwise(times))


def _series_in(folder: Path) -> ImageSequence:
    names = sorted(path.name for path in folder.iterdir() if not path.name.startswith("."))
    try:
        return order_frames(name for name in names if suffix_of(name) in FRAMES)
    except NoImageSequenceError as error:
        others = [name for name in names if why_no_footage(name) is SkipReason.OTHER_PICTURE]
        told = f"; {others[0]} and its like: {SkipReason.OTHER_PICTURE}" if others else ""
        raise NoImageSequenceError(f"{error}{told}") from None


def _is_series(folder: Path) -> bool:
    try:
        return bool(_series_in(folder).frames)
    except (NoImageSequenceError, OSError):
        return False


@dataclass
class _Walk:
    """A walk through a folder: first what is in it, then where links in it lead to."""

    root: Path
    exclude: set[tuple[int, int]]
    dataset_folders: frozenset[str]
    videos: list[Footage] = field(default_factory=list)
    left_out: list[LeftOut] = field(default_factory=list)
    seen: set[tuple[int, int]] = field(default_factory=set)

    def go(self) -> None:
        folders, links = [self.root], list[Path]()
        while folders or links:
            inside = self._folder(folders.pop() if folders else links.pop(0))
            folders += [path for path in inside if not path.is_symlink()]
            links += [path for path in inside if path.is_symlink()]

    def _folder(self, folder: Path) -> list[Path]:
        """Sort the entries of a folder; returns the folders in it that are to be walked."""
        try:
            names, identity = sorted(path.name for path in folder.iterdir()), _identity(folder)
        except OSError:
            return self._leave(folder, SkipReason.UNREADABLE)
        if identity in self.seen:
            return self._leave(folder, SkipReason.TWICE)
        self.seen.add(identity)
        if identity in self.exclude and folder != self.root:
            return self._leave(folder, SkipReason.OURS)
        if len(self.dataset_folders.intersection(names)) >= 2:
            return self._leave(folder, SkipReason.DATASET)
        inside, pictures, before = list[Path](), list[str](), len(self.videos)
        for name in names:
            path = folder / name
            mode = _mode(path)
            if name.startswith("."):
                self._leave(path, SkipReason.HIDDEN)
            elif mode is None:
                self._leave(path, SkipReason.DEAD_LINK if path.is_symlink() else SkipReason.UNREADABLE)
            elif S_ISDIR(mode):
                self._leave(path, SkipReason.BLURRED) if _is_blurred(name, names) else inside.append(path)
            elif not S_ISREG(mode):
                self._leave(path, SkipReason.SPECIAL)
            elif suffix_of(name) in FRAMES:
                pictures.append(name)
            else:
                self._file(path, names)
        if pictures:
            self._pictures(folder, pictures, beside_videos=len(self.videos) > before)
        return inside

    def _file(self, path: Path, names: Sequence[str]) -> None:
        if suffix_of(path.name) not in VIDEOS:
            self._leave(path, why_no_footage(path.name))
        elif _DENOISED.fullmatch(path.name) and f"{path.stem}.json" in names:
            self._leave(path, SkipReason.OURS)
        elif (identity := _identity(path)) in self.seen:
            self._leave(path, SkipReason.TWICE)
        else:
            self.seen.add(identity)
            self.videos.append(Footage(path, self._name(path)))

    def _pictures(self, folder: Path, names: list[str], beside_videos: bool) -> None:
        """Frames are numbered on, of one size, not few, and alone."""
        left, why = names, SkipReason.PHOTOGRAPH
        if beside_videos:
            why = SkipReason.BESIDE_VIDEOS
        elif _CAMERA_FOLDER.fullmatch(folder.name):
            why = SkipReason.CAMERA_FOLDER
        elif len(names) >= FEWEST:
            try:
                series = order_frames(names)
            except NoImageSequenceError as error:
                self._leave(folder, SkipReason.NO_SERIES, shown(error))
                return
            if len(series.frames) >= FEWEST and series.steady and _of_one_size(folder, [*series.frames.values()]):
                self.videos.append(Footage(folder, self._name(folder)))
                left = [*series.others]
        for name in left:
            self._leave(folder / name, why)

    def _leave(self, path: Path, why: SkipReason, detail: str = "") -> list[Path]:
        self.left_out.append(LeftOut(self._name(path), why, detail))
        return []

    def _name(self, path: Path) -> str:
        return shown(path.relative_to(self.root).as_posix() if path != self.root else path.resolve().name)


def _order(one: Footage | LeftOut) -> list[str]:
    return one.name.split("/")


def _identity(path: Path) -> tuple[int, int]:
    """The same for all links to a place."""
    status = path.stat()
    return status.st_dev, status.st_ino


def _mode(path: Path) -> int | None:
    try:
        return path.stat().st_mode
    except OSError:
        return None


def _is_blurred(name: str, beside: Iterable[str]) -> bool:
    """As GoPro's and REDS's datasets name averages of their sharp frames."""
    return "blur" in name.lower() and any("sharp" in other.lower() for other in beside)


def _of_one_size(folder: Path, names: Sequence[str]) -> bool:
    looked_at = names[:: max(1, len(names) // _LOOKED_AT)]
    sizes = {frame_size(folder / name) for name in looked_at} - {None}  # what is damaged the scan tells
    return len(sizes) <= 1


def _refuse_dataset(folder: Path, dataset_folders: Collection[str]) -> None:
    """Raise `UserError` for a split of a dataset, or a folder in one."""
    splits = [folder, *(path.parent for path in (folder, *folder.parents) if path.name in dataset_folders)]
    if any(sum((split / name).is_dir() for name in dataset_folders) >= 2 for split in splits):
        raise UserError(
            SkipReason.DATASET, where=shown(folder), advice="give the folder of the videos that were filmed"
        )

"""The reader of pairs, for training, evaluation and everybody else: an input, and the target that it should become.

They lie in folders, or in shards of WebDataset, where each picture is found once and then read from its place. Every
fault that can be seen without decoding is found before anything starts.
"""

import os
import struct
import zlib
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, NamedTuple

import numpy as np

from lolblur_synth.core.errors import SequenceError, UserError, listed, refused, setting
from lolblur_synth.core.files import read_part
from lolblur_synth.dataset.layout import Split
from lolblur_synth.dataset.shards import find_shards, members
from lolblur_synth.video.images import Pixels, decode_pixels, read_pixels

INPUT, TARGET = "low_blur_noise", "high_sharp_scaled"  # folders of the input and the ground truth of the paper
_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_START = _SIGNATURE + b"\0\0\0\rIHDR"
_END = bytes.fromhex("0000000049454e44ae426082")  # the chunk that is last in a PNG
_READERS = 16  # they wait for a disk or a network rather than compute


@dataclass(frozen=True)
class Picture:
    """A PNG file, as its header says, and what tells it from a later one of the same name."""

    path: Path  # of the file, or of the shard that it lies in
    height: int
    width: int
    dtype: str  # uint8 or uint16
    size: int  # of the file, bytes
    changed: int  # ns
    member: str = ""  # name in the shard
    start: int = 0  # in the shard, bytes

    @property
    def name(self) -> str:
        """What to call it in a message."""
        return f"{self.path}: {self.member}" if self.member else str(self.path)

    @property
    def folder(self) -> Path:
        """The folder of all such pictures, or of the shards."""
        return self.path.parent if self.member else self.path.parents[1]

    @property
    def shape(self) -> tuple[int, int, int]:
        """Of the decoded pixels: (H, W, 3)."""
        return self.height, self.width, 3

    @property
    def decoded_bytes(self) -> int:
        """Size of the decoded pixels."""
        return self.height * self.width * 3 * np.dtype(self.dtype).itemsize


@dataclass(frozen=True)
class PairFiles:
    """An input and its ground truth, of one size."""

    name: str  # VVVV/FFFF
    input: Picture
    target: Picture


class PairPixels(NamedTuple):
    """A decoded pair, (H, W, 3) RGB each, of 8 or 16 bits."""

    input: Pixels
    target: Pixels


def find_pairs(root: Path, split: Split, input_folder: str = INPUT, target_folder: str = TARGET) -> list[PairFiles]:
    """Paired files of a split in order of name: of a dataset made by `run`, or of LOL-Blur as released.

    Raises `UserError`, naming files, when there are none, when one has no partner, when the two differ in size, and
    when one is no PNG or is cut off.

    >>> from tempfile import TemporaryDirectory
    >>> from lolblur_synth.video.images import write_png
    >>> with TemporaryDirectory() as root:
    ...     for folder in (INPUT, TARGET):
    ...         path = Path(root, "train", folder, "0000", "0001.png")
    ...         path.parent.mkdir(parents=True)
    ...         write_png(path, np.zeros((4, 6, 3), np.uint8))
    ...     (pair,) = find_pairs(Path(root), "train")
    ...     pair.name, read_pair(pair).input.shape
    ('0000/0001', (4, 6, 3))
    """
    listings = [listing(root, split, name) for name in (input_folder, target_folder)]
    (inputs, targets), partner = (each.places for each in listings), "missing, its partner is there"
    faults = [f"{listings[1].called(name)}: {partner}" for name in sorted(inputs.keys() - targets.keys())]
    faults += [f"{listings[0].called(name)}: {partner}" for name in sorted(targets.keys() - inputs.keys())]
    names = sorted(inputs.keys() & targets.keys())
    with ThreadPoolExecutor(_READERS) as pool:
        inspected = [list(pool.map(inspect, (each.places[name] for name in names))) for each in listings]
    pairs = []
    for name, source, target in zip(names, *inspected, strict=True):
        if isinstance(source, Picture) and isinstance(target, Picture):
            if source.shape != target.shape:
                faults.append(f"{source.name}: {_size(source)}, its partner in {target_folder} {_size(target)}")
            pairs.append(PairFiles(name, source, target))
        faults += [fault for fault in (source, target) if isinstance(fault, str)]
    if faults:
        raise UserError(listed(faults), advice="make the dataset whole, or remove such pairs from it")
    return pairs


def check_crop(pairs: list[PairFiles], crop: int) -> None:
    """Raise `UserError` when a crop is larger than a picture."""
    for pair in pairs:
        if min(pair.input.height, pair.input.width) < crop:
            raise UserError(
                f"{_size(pair.input)} is smaller than the crop of {crop}",
                where=pair.input.name,
                advice="set a smaller crop",
            )


def read_pair(files: PairFiles) -> PairPixels:
    """Decode a pair; raises as `read_picture`."""
    return PairPixels(read_picture(files.input), read_picture(files.target))


def read_picture(picture: Picture) -> Pixels:
    """Decode (H, W, 3) RGB; raises `UserError` when that fails, or gives something else than the header said."""
    try:
        if picture.member:
            with refused(picture.name, "cannot be read", "start again when it is there"):
                data = read_part(picture.path, picture.start, picture.size)
            pixels = decode_pixels(data, picture.name)
        else:
            pixels = read_pixels(picture.path)
    except SequenceError as error:
        raise UserError(error, advice="repair it, or remove the pair from the dataset") from None
    if pixels.shape != picture.shape or pixels.dtype != picture.dtype:
        raise UserError(
            "changed since the dataset was looked through, or is turned by a tag",
            where=picture.name,
            advice="start again",
        )
    return pixels


def _size(picture: Picture) -> str:
    return f"{picture.width}x{picture.height}"


@dataclass(frozen=True)
class Place:
    """Where the file of a picture is: by itself, or from `start` on in a shard."""

    path: Path
    member: str = ""
    start: int = 0
    size: int = 0


@dataclass(frozen=True)
class Listing:
    """The pictures of one folder of a split, by the names of their pairs, and what one would be called."""

    places: dict[str, Place]
    pattern: str

    def called(self, name: str) -> str:
        """What the picture of a pair is, or would be, called."""
        return self.pattern.format(name)


def listing(root: Path, split: Split, folder: str) -> Listing:
    """The pictures of a folder of a split, in folders or in shards; raises `UserError` where there are none."""
    shards = [] if (root / split).is_dir() else find_shards(root, split)
    if shards:
        pattern, places = f"{root / split}-*.tar: {{}}.{folder}.png", _in_shards(shards, f"{folder}.png")
    else:
        pattern, places = f"{root / split / folder}/{{}}.png", _in_folder(root / split / folder)
    if not places:
        where = shards[0].parent if shards else root / split / folder
        missing = f"KEY.{folder}.png in its shards" if shards else "VVVV/FFFF.png in it"
        raise UserError(f"no pictures {missing}", where=where, advice="give a dataset that has some in this split")
    return Listing(places, pattern)


def _in_folder(folder: Path) -> dict[str, Place]:
    split, dataset = folder.parent, folder.parents[1]
    if split.name == "test" and not split.is_dir() and ((dataset / "train").is_dir() or find_shards(dataset, "train")):
        raise UserError(
            "has no test split, as a dataset of one video",
            where=dataset,
            advice=(
                "add videos and run again, or do without: train with validate_every=0, evaluate with "
                f"{setting('split')} train"
            ),
        )
    if not folder.is_dir():
        raise UserError(
            "no such folder",
            where=folder,
            advice=(
                "give the folder with train/ and test/ in it, made by run or of LOL-Blur, or one of WebDataset shards; "
                "packs as LMDB or Parquet are for others to read"
            ),
        )
    paths = {"/".join(path.parts[-2:]): path for path in folder.glob("[!.]*/[!.]*.png")}
    return {tail.removesuffix(".png"): Place(path) for tail, path in paths.items()}


def _in_shards(shards: list[Path], ending: str) -> dict[str, Place]:
    places: dict[str, Place] = {}
    for shard in shards:
        for member in members(shard):
            if member.field == ending:
                if member.key in places:
                    raise UserError(
                        f"{member.name}: is there twice, in {places[member.key].path.name} too",
                        where=shard,
                        advice="give each sample a key of its own",
                    )
                places[member.key] = Place(shard, member.name, member.start, member.size)
    return places


def inspect(place: Place) -> Picture | str:
    """Parse the header of a PNG (IHDR); a fault of the file as a text."""
    name = f"{place.path}: {place.member}" if place.member else str(place.path)
    try:
        with place.path.open("rb", buffering=0) as file:
            status = os.fstat(file.fileno())
            size = place.size if place.member else status.st_size
            file.seek(place.start)
            head = file.read(min(33, size))
            if head[:16] != _START or zlib.crc32(head[12:29]) != _u32(head[29:]):
                return f"{name}: not a PNG, or its header is damaged"
            if not _ends(file, place.start, size):
                return f"{name}: is cut off"
    except OSError as error:
        return f"{name}: cannot be read: {error.strerror}"
    width, height, depth = struct.unpack(">IIB", head[16:25])
    dtype = "uint16" if depth == 16 else "uint8"
    return Picture(place.path, height, width, dtype, size, status.st_mtime_ns, place.member, place.start)


def _ends(file: BinaryIO, start: int, size: int) -> bool:
    """Whether a PNG goes on to its last chunk (IEND); what some programs append after that does no harm."""
    file.seek(start + size - len(_END))
    if file.read(len(_END)) == _END:
        return True
    at, kind = len(_SIGNATURE), b""
    while at + 12 <= size and kind != b"IEND":
        file.seek(start + at)
        length, kind = struct.unpack(">I4s", file.read(8))
        at += 12 + length
    return kind == b"IEND" and at <= size


def _u32(data: bytes) -> int:
    return int.from_bytes(data, "big")

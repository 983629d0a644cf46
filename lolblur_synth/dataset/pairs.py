"""The reader of pairs, for training, evaluation and everybody else: an input, and the target that it should become.

Every fault that can be seen without decoding is found before anything starts.
"""

import os
import struct
import zlib
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, NamedTuple

import numpy as np

from lolblur_synth.core.errors import SequenceError, UserError, listed, setting
from lolblur_synth.dataset.layout import Split
from lolblur_synth.video.images import Pixels, read_pixels

INPUT, TARGET = "low_blur_noise", "high_sharp_scaled"  # folders of the input and the ground truth of the paper
_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_START = _SIGNATURE + b"\0\0\0\rIHDR"
_END = bytes.fromhex("0000000049454e44ae426082")  # the chunk that is last in a PNG
_READERS = 16  # they wait for a disk or a network rather than compute


@dataclass(frozen=True)
class Picture:
    """A PNG file, as its header says, and what tells it from a later one of the same name."""

    path: Path
    height: int
    width: int
    dtype: str  # uint8 or uint16
    size: int  # of the file, bytes
    changed: int  # ns

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
    folders = [root / split / name for name in (input_folder, target_folder)]
    inputs, targets = (_listing(folder) for folder in folders)
    faults = [f"{folders[1] / tail}: missing, its partner is there" for tail in sorted(inputs - targets)]
    faults += [f"{folders[0] / tail}: missing, its partner is there" for tail in sorted(targets - inputs)]
    tails = sorted(inputs & targets)
    with ThreadPoolExecutor(_READERS) as pool:
        inspected = [list(pool.map(_inspect, (folder / tail for tail in tails))) for folder in folders]
    pairs = []
    for tail, source, target in zip(tails, *inspected, strict=True):
        if isinstance(source, Picture) and isinstance(target, Picture):
            if source.shape != target.shape:
                faults.append(f"{source.path}: {_size(source)}, its partner in {target_folder} {_size(target)}")
            pairs.append(PairFiles(tail.removesuffix(".png"), source, target))
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
                where=pair.input.path,
                advice="set a smaller crop",
            )


def read_pair(files: PairFiles) -> PairPixels:
    """Decode a pair; raises as `read_picture`."""
    return PairPixels(read_picture(files.input), read_picture(files.target))


def read_picture(picture: Picture) -> Pixels:
    """Decode (H, W, 3) RGB; raises `UserError` when that fails, or gives something else than the header said."""
    try:
        pixels = read_pixels(picture.path)
    except SequenceError as error:
        raise UserError(error, advice="repair it, or remove the pair from the dataset") from None
    if pixels.shape != picture.shape or pixels.dtype != picture.dtype:
        raise UserError(
            "changed since the dataset was looked through, or is turned by a tag",
            where=picture.path,
            advice="start again",
        )
    return pixels


def _size(picture: Picture) -> str:
    return f"{picture.width}x{picture.height}"


def _listing(folder: Path) -> set[str]:
    split, dataset = folder.parent, folder.parents[1]
    if split.name == "test" and not split.is_dir() and (dataset / "train").is_dir():
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
            advice="give the folder with train/ and test/ in it, made by run or of LOL-Blur",
        )
    tails = {"/".join(path.parts[-2:]) for path in folder.glob("[!.]*/[!.]*.png")}
    if not tails:
        raise UserError(
            "no pictures VVVV/FFFF.png in it", where=folder, advice="give a dataset that has some in this split"
        )
    return tails


def _inspect(path: Path) -> Picture | str:
    """Parse the header of a PNG (IHDR); a fault of the file as a text."""
    try:
        with path.open("rb", buffering=0) as file:
            head, status = file.read(33), os.fstat(file.fileno())
            if head[:16] != _START or zlib.crc32(head[12:29]) != _u32(head[29:]):
                return f"{path}: not a PNG, or its header is damaged"
            if not _ends(file, status.st_size):
                return f"{path}: is cut off"
    except OSError as error:
        return f"{path}: cannot be read: {error.strerror}"
    width, height, depth = struct.unpack(">IIB", head[16:25])
    return Picture(path, height, width, "uint16" if depth == 16 else "uint8", status.st_size, status.st_mtime_ns)


def _ends(file: BinaryIO, size: int) -> bool:
    """Whether a PNG goes on to its last chunk (IEND); what some programs append after that does no harm."""
    file.seek(-len(_END), os.SEEK_END)
    if file.read(len(_END)) == _END:
        return True
    at, kind = len(_SIGNATURE), b""
    while at + 12 <= size and kind != b"IEND":
        file.seek(at)
        length, kind = struct.unpack(">I4s", file.read(8))
        at += 12 + length
    return kind == b"IEND" and at <= size


def _u32(data: bytes) -> int:
    return int.from_bytes(data, "big")

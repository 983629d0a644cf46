"""Reading a dataset that `run` made: its pairs with what is recorded of them; pictures are decoded when asked for."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import overload

from torch import Tensor
from torch.utils.data import Dataset

from lolblur_synth.core.errors import SequenceError, UserError
from lolblur_synth.core.files import read_part
from lolblur_synth.dataset.layout import FOLDERS, SETTINGS, SPLITS, Folder, Split, image_path
from lolblur_synth.dataset.packs.contents import ORIGIN, is_pack, read_contents_of
from lolblur_synth.dataset.pairs import Place
from lolblur_synth.dataset.record_reader import read_records
from lolblur_synth.dataset.records import PairRecord, SequenceRecord
from lolblur_synth.dataset.shards import find_shards, members
from lolblur_synth.video.images import Pixels, decode_pixels, dequantize, read_pixels


@dataclass(frozen=True, slots=True)
class RecordedPair:
    """One pair: the records of it and of its sequence, and its five pictures, which are decoded when they are read."""

    root: Path  # the dataset
    record: PairRecord
    sequence: SequenceRecord
    shards: Mapping[Path, Place] | None = None  # of a packed one, where each of its paths is

    @property
    def name(self) -> str:
        """VVVV/FFFF."""
        return f"{self.sequence.video:04d}/{self.record.number:04d}"

    @property
    def split(self) -> Split:
        """That of its video."""
        return self.sequence.split

    @property
    def paths(self) -> dict[Folder, Path]:
        """Where its five pictures lie; those of a packed dataset, where they lay."""
        video, number = self.sequence.video, self.record.number
        return {folder: self.root / image_path(self.split, folder, video, number) for folder in FOLDERS}

    def pixels(self, folder: Folder = "low_blur_noise") -> Pixels:
        """Decode one picture, (H, W, 3), sRGB codes of 8 or 16 bits; raises `SequenceError` where it is damaged."""
        path = self.paths[folder]
        if self.shards is None:
            return read_pixels(path)
        place = self.shards.get(path)
        if place is None:
            raise SequenceError("is in none of the shards", where=path)
        return decode_pixels(read_part(place.path, place.start, place.size), f"{place.path}: {place.member}")

    def read(self, folder: Folder = "low_blur_noise") -> Tensor:
        """Decode one picture, (3, H, W), float32, sRGB in [0, 1]; raises as `pixels`."""
        return dequantize(self.pixels(folder))


class RecordedPairs(Sequence[RecordedPair]):
    """The pairs of a dataset, by sequence and number; a slice of them is such a sequence, too."""

    def __init__(self, rows: Sequence[RecordedPair]) -> None:
        self._rows = tuple(rows)

    def __len__(self) -> int:
        return len(self._rows)

    @overload
    def __getitem__(self, index: int) -> RecordedPair: ...
    @overload
    def __getitem__(self, index: slice) -> "RecordedPairs": ...
    def __getitem__(self, index: int | slice) -> "RecordedPair | RecordedPairs":
        """A pair, or those of a slice."""
        return RecordedPairs(self._rows[index]) if isinstance(index, slice) else self._rows[index]

    def tensors(self, *folders: Folder) -> "PairTensors":
        """The pairs as a torch `Dataset` of these pictures of each, or of all five."""
        unknown = [folder for folder in folders if folder not in FOLDERS]
        if unknown:
            raise ValueError(f"no folder {unknown[0]!r}; there are {', '.join(FOLDERS)}")
        return PairTensors(self, folders or FOLDERS)


class PairTensors(Dataset[dict[str, Tensor | str]]):
    """A torch `Dataset` of pairs: pictures (3, H, W), float32, sRGB in [0, 1], by their folders, and the `name`.

    Its items are such as `DataLoader` stacks by itself; it goes to the loader's workers.
    """

    def __init__(self, pairs: RecordedPairs, folders: Sequence[Folder]) -> None:
        self.pairs, self.folders = pairs, tuple(folders)

    def __len__(self) -> int:
        return len(self.pairs)

    def __getitem__(self, index: int) -> dict[str, Tensor | str]:
        """Decode the pictures of a pair; raises `SequenceError` where one is damaged."""
        pair = self.pairs[index]
        return {"name": pair.name, **{folder: pair.read(folder) for folder in self.folders}}


def read_dataset(root: Path | str, split: Split | None = None) -> RecordedPairs:
    """Pairs of a dataset, or of one split of it, by sequence and number; no picture is decoded.

    It may be packed into WebDataset shards. Raises `UserError` when the folder is no dataset made by `run` or `pack`,
    or a record is damaged.
    """
    return RecordedPairs([*_rows(Path(root), split)])


def _rows(root: Path, split: Split | None) -> Iterator[RecordedPair]:
    packed = is_pack(root)
    if not packed and not (root / SETTINGS).is_file():
        raise UserError(f"not a dataset made by lolblur-synth run (it has no {SETTINGS})", where=root)
    shards = _shards(root) if packed else None
    for sequence in read_records(root / ORIGIN if packed else root).values():
        if split in (None, sequence.split):
            yield from (RecordedPair(root, pair, sequence, shards) for pair in sequence.pairs)


def _shards(root: Path) -> dict[Path, Place]:
    """Where the pictures of a packed dataset are, by the paths that they had."""
    contents = read_contents_of(root)
    if contents.kind != "webdataset":
        raise UserError(
            f"is packed as {contents.kind}, which others read",
            where=root,
            advice="its README.md tells how; or give the dataset that was packed",
        )
    return {
        root / split / member.field.removesuffix(".png") / f"{member.key}.png": Place(
            shard, member.name, member.start, member.size
        )
        for split in SPLITS
        for shard in find_shards(root, split)
        for member in members(shard)
    }

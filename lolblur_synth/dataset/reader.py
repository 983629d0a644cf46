"""Reading a dataset that `run` made: its pairs with what is recorded of them, their pictures when they are asked for."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import overload

from torch import Tensor
from torch.utils.data import Dataset

from lolblur_synth.core.errors import UserError
from lolblur_synth.dataset.layout import FOLDERS, SETTINGS, Folder, Split, image_path
from lolblur_synth.dataset.record_reader import read_records
from lolblur_synth.dataset.records import PairRecord, SequenceRecord
from lolblur_synth.video.images import Pixels, dequantize, read_pixels


@dataclass(frozen=True, slots=True)
class RecordedPair:
    """One pair: the records of it and of its sequence, and its five pictures, which are decoded when they are read."""

    root: Path  # the dataset
    record: PairRecord
    sequence: SequenceRecord

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
        """Where its five pictures lie."""
        video, number = self.sequence.video, self.record.number
        return {folder: self.root / image_path(self.split, folder, video, number) for folder in FOLDERS}

    def pixels(self, folder: Folder = "low_blur_noise") -> Pixels:
        """Decode one picture, (H, W, 3), sRGB codes of 8 or 16 bits; raises `SequenceError` where it is damaged."""
        return read_pixels(self.paths[folder])

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

    Raises `UserError` when the folder is no dataset made by `run`, or a record is damaged.
    """
    return RecordedPairs([*_rows(Path(root), split)])


def _rows(root: Path, split: Split | None) -> Iterator[RecordedPair]:
    if not (root / SETTINGS).is_file():
        raise UserError(f"not a dataset made by lolblur-synth run (it has no {SETTINGS})", where=root)
    for sequence in read_records(root).values():
        if split in (None, sequence.split):
            yield from (RecordedPair(root, pair, sequence) for pair in sequence.pairs)

"""Reading a dataset that `run` made: its pairs with what is recorded of them."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from torch import Tensor

from lolblur_synth.core.errors import UserError
from lolblur_synth.dataset.layout import FOLDERS, SETTINGS, Folder, Split, image_path
from lolblur_synth.dataset.record_reader import read_records
from lolblur_synth.dataset.records import PairRecord, SequenceRecord
from lolblur_synth.video.images import read_image


@dataclass(frozen=True)
class RecordedPair:
    """One pair: where its five images lie, and the records of it and of its sequence."""

    name: str  # VVVV/FFFF
    split: Split
    paths: dict[Folder, Path]
    record: PairRecord
    sequence: SequenceRecord

    def read(self, folder: Folder = "low_blur_noise") -> Tensor:
        """Decode one image, (3, H, W), float32, sRGB in [0, 1]; raises `SequenceError` where it is damaged."""
        return read_image(self.paths[folder])


def read_dataset(root: Path | str, split: Split | None = None) -> Iterator[RecordedPair]:
    """Pairs of a dataset, or of one split of it, by sequence and number; no image is decoded.

    Raises `UserError` when the folder is no dataset made by `run`, or a record is damaged.
    """
    root = Path(root)
    if not (root / SETTINGS).is_file():
        raise UserError(f"not a dataset made by lolblur-synth run (it has no {SETTINGS})", where=root)
    for sequence in read_records(root).values():
        if split in (None, sequence.split):
            for pair in sequence.pairs:
                where = sequence.split, sequence.video, pair.number
                paths: dict[Folder, Path] = {
                    folder: root / image_path(where[0], folder, *where[1:]) for folder in FOLDERS
                }
                yield RecordedPair(f"{where[1]:04d}/{where[2]:04d}", sequence.split, paths, pair, sequence)

"""Shards of WebDataset, written by the package itself, as others make them."""

from pathlib import Path

import webdataset

from lolblur_synth.dataset.layout import Split
from lolblur_synth.dataset.pairs import find_pairs


def write_shards(root: Path, shards: Path, split: Split = "train", count: int = 2) -> Path:
    """The pairs of a split in `count` shards, in an order that is not that of their names; returns their folder."""
    shards.mkdir(exist_ok=True)
    for number in range(count):
        with (
            (shards / f"{split}-{number:06d}.tar").open("wb") as file,
            webdataset.TarWriter(file, encoder=False) as writer,
        ):
            for pair in find_pairs(root, split)[::-1][number::count]:
                pictures = {"low_blur_noise.png": pair.input, "high_sharp_scaled.png": pair.target}
                data = {name: picture.path.read_bytes() for name, picture in pictures.items()}
                writer.write({"__key__": pair.name, "txt": b"beside", **data})
    return shards

"""What the libraries themselves read of a pack: pictures and numbers are those of the records."""

import json
from pathlib import Path

import cv2
import lmdb
import numpy as np
import pyarrow.parquet
import pytest
import webdataset

from lolblur_synth.dataset.layout import FOLDERS
from lolblur_synth.dataset.packs import parquet
from lolblur_synth.dataset.packs.pack import pack
from lolblur_synth.dataset.packs.plan import Options
from lolblur_synth.dataset.reader import read_dataset
from lolblur_synth.dataset.rows import COLUMNS, rows
from lolblur_synth.video.images import Pixels, decode_pixels
from tests.support.hugging_face import load
from tests.support.packed import make_dataset


@pytest.fixture
def dataset(tmp_path) -> Path:
    return make_dataset(tmp_path / "dataset", sequences=5)


@pytest.fixture
def deep(tmp_path) -> Path:
    return make_dataset(tmp_path / "dataset", bits=16)


def numbers(dataset: Path, split: str) -> list[dict[str, object]]:
    """The rows of a split, by its records."""
    records = {pair.sequence.id: pair.sequence for pair in read_dataset(dataset, split)}
    return [
        {column.name: getattr(row, column.name) for column in COLUMNS}
        for record in records.values()
        for row in rows(record)
    ]


def decode(data: bytes) -> Pixels:
    """As any program with OpenCV would."""
    return cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)[..., ::-1]


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # webdataset closes no shard
@pytest.mark.parametrize("bits", [8, 16])
def test_webdataset_gives_each_pair_as_a_sample(tmp_path, bits):
    dataset = make_dataset(tmp_path / "dataset", bits=bits, sequences=5)
    files = pack(dataset, tmp_path / "out", Options("webdataset", megabytes=1)).files
    for split in ("train", "test"):
        urls = [str(tmp_path / "out" / name) for name in files if name.startswith(split)]
        samples = list(webdataset.WebDataset(urls, shardshuffle=False))
        pairs = list(read_dataset(dataset, split))
        assert [sample["__key__"] for sample in samples] == [pair.name for pair in pairs]
        for sample, pair, wanted in zip(samples, pairs, numbers(dataset, split), strict=True):
            for folder in FOLDERS:
                assert np.array_equal(decode(sample[f"{folder}.png"]), pair.pixels(folder))
            found = json.loads(sample["json"])
            assert len(found) > 35
            assert found == {name: wanted[name] for name in found}
    decoded = next(iter(webdataset.WebDataset(urls, shardshuffle=False).decode("rgb8")))
    assert np.array_equal(decoded["low_blur.png"], pairs[0].pixels("low_blur") >> (bits - 8))


def test_datasets_reads_shards(dataset, tmp_path):
    pack(dataset, tmp_path / "out", Options("webdataset"))
    found = load(str(tmp_path / "out"), cache=tmp_path / "cache")
    assert found.num_rows == {"train": 8, "test": 2}
    for split in found:
        for row, pair, wanted in zip(found[split], read_dataset(dataset, split), numbers(dataset, split), strict=True):
            assert row["__key__"] == pair.name
            assert np.array_equal(np.asarray(row["low_blur_noise.png"]), pair.pixels())
            assert row["json"] == {name: wanted[name] for name in row["json"]}


def test_datasets_reads_parquet(dataset, tmp_path):
    pack(dataset, tmp_path / "out", Options("parquet"))
    for names, options in (
        ((str(tmp_path / "out"),), {}),
        (("parquet",), {"data_files": {split: str(tmp_path / f"out/{split}-*") for split in ("train", "test")}}),
    ):
        found = load(*names, cache=tmp_path / "cache", **options)
        assert found.num_rows == {"train": 8, "test": 2}
        for split in found:
            pairs = read_dataset(dataset, split)
            for row, pair, wanted in zip(found[split], pairs, numbers(dataset, split), strict=True):
                for folder in FOLDERS:
                    assert np.array_equal(np.asarray(row.pop(folder)), pair.pixels(folder))
                assert row == wanted


def test_of_16_bits_parquet_gives_all(deep, tmp_path):
    pack(deep, tmp_path / "out", Options("parquet"))
    found = load(str(tmp_path / "out"), cache=tmp_path / "cache")["train"]
    for row, pair in zip(found, read_dataset(deep, "train"), strict=True):
        for folder in FOLDERS:
            assert np.array_equal(decode(row[folder]["bytes"]), pair.pixels(folder))
    assert "16 bits" in (tmp_path / "out/README.md").read_text()


def test_row_groups_are_small(dataset, tmp_path, monkeypatch):
    size = sum(path.stat().st_size for path in dataset.glob("train/*/0000/0001.png"))
    monkeypatch.setattr(parquet, "GROUP", 2.5 * size)
    pack(dataset, tmp_path / "out", Options("parquet"))
    with pyarrow.parquet.ParquetFile(tmp_path / "out/train-00000-of-00001.parquet") as file:
        groups = [file.metadata.row_group(number) for number in range(file.num_row_groups)]
    assert [group.num_rows for group in groups] == [2, 2, 2, 2]
    assert all(group.total_byte_size < 2.5 * size + 20_000 for group in groups)


def basicsr(folder: Path) -> dict[str, Pixels]:
    """As BasicSR's data set and its file client read: keys from `meta_info.txt` up to the first dot."""
    keys = [line.split(".")[0] for line in (folder / "meta_info.txt").read_text().splitlines()]
    with (
        lmdb.open(str(folder), readonly=True, lock=False, readahead=False) as environment,
        environment.begin(write=False) as transaction,
    ):
        return {key: decode(transaction.get(key.encode("ascii"))) for key in keys}


@pytest.mark.parametrize("bits", [8, 16])
def test_basicsr_finds_its_layout(tmp_path, bits):
    dataset = make_dataset(tmp_path / "dataset", bits=bits)
    pack(dataset, tmp_path / "out", Options("lmdb"))
    for split in ("train", "test"):
        pairs = read_dataset(dataset, split)
        for folder in FOLDERS:
            found = basicsr(tmp_path / "out" / split / f"{folder}.lmdb")
            assert list(found) == [pair.name for pair in pairs]
            assert all(np.array_equal(found[pair.name], pair.pixels(folder)) for pair in pairs)
    lines = (tmp_path / "out/train/low_blur.lmdb/meta_info.txt").read_text().splitlines()
    assert lines[:2] == ["0000/0001.png (24,40,3) 1", "0000/0002.png (24,40,3) 1"]
    assert sorted(path.name for path in (tmp_path / "out/train/low_blur.lmdb").iterdir()) == [
        "data.mdb", "meta_info.txt",
    ]  # fmt: skip


def test_sub_images_cover_the_picture(dataset, tmp_path):
    pack(dataset, tmp_path / "out", Options("lmdb", crop=16))
    found = basicsr(tmp_path / "out/train/low_blur.lmdb")
    first = read_dataset(dataset, "train")[0].pixels("low_blur")
    assert list(found)[:9] == [*(f"0000/0001_s{number:03d}" for number in range(1, 9)), "0000/0002_s001"]
    assert len(found) == 8 * 8
    assert np.array_equal(found["0000/0001_s001"], first[:16, :16])
    assert np.array_equal(found["0000/0001_s008"], first[8:24, 24:40])
    line = (tmp_path / "out/train/low_blur.lmdb/meta_info.txt").read_text().splitlines()[0]
    assert line == "0000/0001_s001.png (16,16,3) 1"


def test_shards_are_read_like_the_dataset(dataset, tmp_path):
    pack(dataset, tmp_path / "out", Options("webdataset", megabytes=1))
    there, here = read_dataset(dataset), read_dataset(tmp_path / "out")
    assert [pair.name for pair in here] == [pair.name for pair in there]
    for one, other in zip(here, there, strict=True):
        assert one.sequence == other.sequence
        assert all(np.array_equal(one.pixels(folder), other.pixels(folder)) for folder in FOLDERS)


def test_the_bytes_of_a_picture_can_be_decoded_alone(deep):
    pair = read_dataset(deep)[0]
    assert np.array_equal(decode_pixels(pair.paths["low_blur"].read_bytes(), "it"), pair.pixels("low_blur"))

"""Trainings on shards of WebDataset are those on the folders that they were made of, to the bit."""

import shutil
from functools import partial
from itertools import islice
from pathlib import Path

import pytest
import torch
from click.testing import CliRunner

from lolblur_synth.cli.main import cli
from lolblur_synth.core.errors import UserError
from lolblur_synth.dataset.pairs import find_pairs
from lolblur_synth.dataset.shards import members
from lolblur_synth.train.engine.callbacks import Callbacks
from lolblur_synth.train.restoration.decoded_cache import decode_all
from lolblur_synth.train.restoration.pairs import Pairs, loader
from lolblur_synth.train.restoration.train import train_lednet
from tests.support.commands import message
from tests.support.lol_blur import write_pairs
from tests.support.shards import write_shards
from tests.support.trainings import checkpoint, interrupt_at, tiny, write_dataset

CPU = torch.device("cpu")


@pytest.fixture(params=["uint8", "uint16"])
def both(request, tmp_path) -> tuple[Path, Path]:
    root = write_pairs(tmp_path / "folders", dtype=request.param)
    return root, write_shards(root, tmp_path / "shards", count=3)


@pytest.mark.parametrize("workers", [0, 1])
def test_batches_are_the_same_from_any_step_on(both, workers):
    folders, shards = (Pairs(root, crop=16, seed=1) for root in both)
    for first in (0, 5):
        there, here = (list(islice(loader(pairs, 2, workers, CPU, first_step=first), 4)) for pairs in (folders, shards))
        for one, other in zip(there, here, strict=True):
            assert one.names == other.names
            assert torch.equal(one.input, other.input)
            assert torch.equal(one.target, other.target)


def test_they_are_kept_decoded(both, tmp_path):
    folders, shards = both
    decode = partial(decode_all, tmp_path / "cache")
    kept = [Pairs(root, crop=16, decode=decode) for root in (folders, shards)]
    assert torch.equal(kept[0][1, 2].input, kept[1][1, 2].input)
    assert torch.equal(kept[1].whole(3).target, kept[0].whole(3).target)
    assert len(list((tmp_path / "cache").glob("*.pixels"))) == 2


def test_a_training_goes_on_from_folders_with_shards(tmp_path):
    data = write_dataset(tmp_path / "data")
    shards = tmp_path / "shards"
    for split in ("train", "test"):
        write_shards(data, shards, split)
    train_lednet(data, tmp_path / "whole", tiny())
    out = tmp_path / "parts"
    with pytest.raises(KeyboardInterrupt):
        train_lednet(data, out, tiny(), callbacks=Callbacks(on_step=interrupt_at(1)))
    assert 0 < checkpoint(out)["step"] < 4
    train_lednet(shards, out, tiny())
    one, other = checkpoint(tmp_path / "whole"), checkpoint(out)
    assert one["history"] == other["history"]
    assert all(torch.equal(value, other["net"][name]) for name, value in one["net"].items())


def run(data: Path, out: Path) -> str:
    words = ["train-lednet", "--data", str(data), "--out", str(out), "--set", "crop=32", "--set", "perceptual=0"]
    return message(CliRunner().invoke(cli, words))


def test_faults_of_shards_are_told(tmp_path):
    root = write_pairs(tmp_path / "folders")
    shards, out = tmp_path / "shards", tmp_path / "out"
    first = write_shards(root, shards, count=1) / "train-000000.tar"
    assert run(shards, out).startswith(f"{shards}: has no test split, as a dataset of one video")
    whole = first.read_bytes()
    (picture,) = [pair.input for pair in find_pairs(shards, "train") if pair.name == "0001/0001"]
    third = list(members(first))[2]
    boundary = third.start + -(-third.size // 512) * 512
    for size in (boundary, boundary - 600, boundary + 100, len(whole) // 2):
        first.write_bytes(whole[:size])
        with pytest.raises(
            UserError, match=r"train-000000\.tar: (cannot be read|is cut off).*; make or fetch it again"
        ):
            find_pairs(shards, "train")
    first.write_bytes(b"no tar")
    with pytest.raises(UserError, match=r"train-000000\.tar: cannot be read: .*; make or fetch it again"):
        find_pairs(shards, "train")
    first.write_bytes(whole)
    shutil.copy(first, shards / "train-000001.tar")
    with pytest.raises(UserError, match=r"train-000001\.tar: 000\d/000\d\.\w+\.png: is there twice, in train-000000"):
        find_pairs(shards, "train")
    (shards / "train-000001.tar").unlink()
    with pytest.raises(UserError, match=r"no pictures KEY\.low_blur\.png in its shards"):
        find_pairs(shards, "train", "low_blur")
    damaged = bytearray(whole)
    damaged[picture.start + 40 : picture.start + 60] = bytes(20)
    first.write_bytes(damaged)
    with pytest.raises(UserError, match=r"train-000000\.tar: 0001/0001\.low_blur_noise\.png: .*decoded"):
        Pairs(shards, crop=16).whole([pair.name for pair in find_pairs(shards, "train")].index("0001/0001"))
    damaged = bytearray(whole)
    damaged[picture.start + 18] ^= 1
    first.write_bytes(damaged)
    with pytest.raises(UserError, match=r"tar: 0001/0001\.low_blur_noise\.png: not a PNG, or its header is damaged"):
        find_pairs(shards, "train")

"""Rows of a dataset: typed, decoded when they are read, and as tensors for torch."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader

from lolblur_synth.core.errors import SequenceError, UserError
from lolblur_synth.dataset.layout import FOLDERS, SETTINGS
from lolblur_synth.dataset.publish import publish
from lolblur_synth.dataset.reader import RecordedPairs, read_dataset
from tests.support.staged import stage


@pytest.fixture
def root(tmp_path) -> Path:
    (tmp_path / SETTINGS).write_text("seed: 0\n")
    publish(tmp_path, stage(tmp_path, sequence=0, numbers=(1, 2)))
    publish(tmp_path, stage(tmp_path, sequence=1, numbers=(3, 4, 5), value=100))
    return tmp_path


def test_rows_are_a_sequence_of_typed_pairs(root):
    pairs = read_dataset(root, "train")
    assert [pair.name for pair in pairs] == [f"0003/000{number}" for number in (1, 2, 3, 4, 5)]
    assert pairs[-1].sequence.id == "0003-1"
    assert pairs[0].record.statistics["mean"] == 1.0
    assert isinstance(pairs[1:3], RecordedPairs)
    assert [pair.record.number for pair in pairs[1:3]] == [2, 3]
    assert len(read_dataset(root, "test")) == 0
    with pytest.raises(IndexError):
        pairs[5]


def test_a_picture_is_decoded_when_it_is_read(root):
    pairs = read_dataset(root)
    pairs[0].paths["low_sharp"].write_bytes(b"\x89PNG")
    assert np.array_equal(pairs[0].pixels("low_blur"), np.full((4, 6, 3), 6))
    assert torch.equal(pairs[2].read("low_blur_noise"), torch.full((3, 4, 6), 100 / 255))
    with pytest.raises(SequenceError, match="not a picture"):
        pairs[0].read("low_sharp")


def test_torch_stacks_what_it_gives(root):
    tensors = read_dataset(root).tensors("low_blur_noise", "high_sharp_scaled")
    batches = list(DataLoader(tensors, batch_size=2))
    assert [batch["name"] for batch in batches] == [
        ["0003/0001", "0003/0002"],
        ["0003/0003", "0003/0004"],
        ["0003/0005"],
    ]
    assert batches[0].keys() == {"name", "low_blur_noise", "high_sharp_scaled"}
    assert batches[1]["high_sharp_scaled"].shape == (2, 3, 4, 6)
    assert torch.equal(batches[1]["high_sharp_scaled"][0], torch.full((3, 4, 6), 103 / 255))
    assert read_dataset(root).tensors()[0].keys() == {"name", *FOLDERS}


def test_its_workers_read_the_same(root):
    tensors = read_dataset(root).tensors("low_blur")
    here, there = (
        list(DataLoader(tensors, batch_size=None, num_workers=workers, multiprocessing_context=context))
        for workers, context in ((0, None), (1, "spawn"))
    )
    assert [item["name"] for item in here] == [item["name"] for item in there]
    assert all(torch.equal(one["low_blur"], other["low_blur"]) for one, other in zip(here, there, strict=True))


def test_what_cannot_be_read_is_told(root, tmp_path):
    with pytest.raises(ValueError, match="no folder 'low_noise'; there are low_blur_noise, "):
        read_dataset(root).tensors("low_noise")
    with pytest.raises(UserError, match="not a dataset made by lolblur-synth run"):
        read_dataset(tmp_path / "nowhere")

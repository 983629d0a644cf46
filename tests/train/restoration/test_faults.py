"""What the trainer of LEDNet refuses, and what it leaves when it fails."""

import re
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import pytest
import torch

from lolblur_synth.config.loading import to_yaml
from lolblur_synth.config.training import RestorationNet
from lolblur_synth.core.errors import UserError
from lolblur_synth.dataset.layout import Split, image_path
from lolblur_synth.nets.weights.checkpoint import read_checkpoint
from lolblur_synth.train.engine.callbacks import Callbacks
from lolblur_synth.train.restoration.pairs import batches
from lolblur_synth.train.restoration.train import train_lednet
from lolblur_synth.video.images import write_png
from tests.support.disks import small_files
from tests.support.trainings import checkpoint, tiny, write_dataset, write_split


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return write_dataset(tmp_path / "data")


def remove_partner(data: Path) -> None:
    (data / image_path("train", "high_sharp_scaled", 1, 3)).unlink()


def shrink_partner(data: Path) -> None:
    write_png(data / image_path("test", "high_sharp_scaled", 1, 1), np.zeros((40, 40, 3), np.uint8))


def cut_off(data: Path) -> None:
    path = data / image_path("train", "low_blur_noise", 1, 2)
    path.write_bytes(path.read_bytes()[:-20])


def scramble(data: Path, split: Split = "train") -> None:
    path = data / image_path(split, "low_blur_noise", 1, 2)
    whole = path.read_bytes()
    path.write_bytes(whole[:60] + bytes(20) + whole[80:])


def empty(data: Path) -> None:
    for path in data.glob("train/*/*/*.png"):
        path.unlink()


@pytest.mark.parametrize(
    ("harm", "message"),
    [
        (remove_partner, "high_sharp_scaled/0001/0003.png"),
        (shrink_partner, "0001/0001.png.*40x40"),
        (cut_off, "low_blur_noise/0001/0002.png.*cut off"),
        (empty, "train/low_blur_noise: no"),
    ],
)
def test_a_dataset_with_a_fault_is_refused_before_anything_is_made(data, tmp_path, harm, message):
    harm(data)
    with pytest.raises(UserError, match=message):
        train_lednet(data, tmp_path / "run", tiny())
    assert not (tmp_path / "run").exists()


def test_a_crop_larger_than_the_pictures_is_refused_before_anything_is_made(data, tmp_path):
    with pytest.raises(UserError, match=r"smaller than the crop of 48; set a smaller crop"):
        train_lednet(data, tmp_path / "run", tiny(crop=48))
    assert not (tmp_path / "run").exists()


def test_a_picture_that_only_decoding_shows_to_be_damaged_is_named(data, tmp_path):
    scramble(data)
    with pytest.raises(UserError, match=r"low_blur_noise/0001/0002.png: .*"):
        train_lednet(data, tmp_path / "run", tiny(validate_every=0))
    assert checkpoint(tmp_path / "run")["step"] < 3


def test_what_fails_in_validation_loses_no_step(data, tmp_path):
    scramble(data, "test")
    with pytest.raises(UserError, match=r"test/low_blur_noise/0001/0002.png.*repair it"):
        train_lednet(data, tmp_path / "run", tiny(steps=9, save_every=9, validate_every=4, validate_pairs=3))
    assert checkpoint(tmp_path / "run")["step"] == 4


def test_another_run_is_not_overwritten_unless_asked(data, tmp_path):
    out = tmp_path / "run"
    config = tiny(steps=1, validate_every=0)
    train_lednet(data, out, config)
    changed = config.model_copy(update={"steps": 2, "batch": 1})
    with pytest.raises(UserError, match=r"other settings \(steps was 1, is 2; batch was 2, is 1\)"):
        train_lednet(data, out, changed)
    train_lednet(data, out, changed, overwrite=True)
    assert checkpoint(out)["step"] == 2
    write_split(data, "train", 6)
    with pytest.raises(UserError, match="holds a run on other pairs"):
        train_lednet(data, out, changed)


def test_a_checkpoint_of_another_network_is_told_by_its_differences(data, tmp_path):
    out = tmp_path / "run"
    train_lednet(data, out, tiny(steps=1, validate_every=0))
    wide = tiny(steps=1, validate_every=0, net=RestorationNet(channels=(4, 4, 4, 8)))
    (out / "config.yaml").write_text(to_yaml(wide))
    with pytest.raises(UserError, match=r"last.pt: of another network: .* is \(.*\), not \("):
        train_lednet(data, out, wide)
    torch.save({"step": 1}, out / "last.pt")
    with pytest.raises(UserError, match=r"last.pt: not a checkpoint of this run"):
        train_lednet(data, out, wide)


def test_a_loss_that_is_not_finite_names_its_pairs_and_keeps_the_state_before(data, tmp_path):
    out = tmp_path / "run"
    with pytest.raises(UserError) as caught:
        train_lednet(data, out, tiny(steps=9, save_every=9, validate_every=0, learning_rate=1.0))
    message = str(caught.value)
    found = re.search(
        r"loss of step (\d+), .* pairs are (0001/000\d, 0001/000\d); (.*) has the state after step (\d+)", message
    )
    assert found, message
    bad, kept = int(found[1]), int(found[4])
    assert 0 < kept == bad - 1 == checkpoint(out)["step"]
    assert found[3] == str(out / "last.pt")
    stream = batches(5, 2, 0)
    named = [[f"0001/000{index}" for _, index in next(stream)] for _ in range(bad)][-1]
    assert found[2].split(", ") == named
    for part in ("net", "optimizer"):
        flat = torch.utils._pytree.tree_leaves(checkpoint(out)[part])
        assert all(value.isfinite().all() for value in flat if isinstance(value, torch.Tensor))


def test_a_full_disk_while_saving_leaves_the_checkpoint_before_whole(data, tmp_path):
    config, out = tiny(validate_every=0), tmp_path / "run"
    told = r"last.pt: cannot be saved: File too large; the one before is still there"
    with ExitStack() as full:

        def fill(step: int, losses: Mapping[str, float]) -> None:
            if step == 3:  # the run that was saved at step 2 is to be saved at step 4
                full.enter_context(small_files(20_000))

        with pytest.raises(UserError, match=told):
            train_lednet(data, out, config, callbacks=Callbacks(on_step=fill))
    assert (out / "last.pt").stat().st_size > 20_000
    assert checkpoint(out)["step"] == 2
    assert not list(out.glob(".*"))
    assert read_checkpoint(out / "last.safetensors").metadata["step"] == 2
    train_lednet(data, out, config)
    train_lednet(data, tmp_path / "whole", config)
    left, right = checkpoint(out)["net"], checkpoint(tmp_path / "whole")["net"]
    assert all(torch.equal(value, right[key]) for key, value in left.items())


def test_a_perceptual_loss_without_its_network_is_an_error_before_anything_is_made(data, tmp_path, monkeypatch):
    monkeypatch.setenv("LOLBLUR_WEIGHTS", str(tmp_path / "weights"))
    with pytest.raises(UserError, match="vgg19"):
        train_lednet(data, tmp_path / "run", tiny(perceptual=0.01, crop=64))
    assert not (tmp_path / "run").exists()


def test_half_precision_of_16_bits_is_refused_on_the_cpu(data, tmp_path):
    with pytest.raises(UserError, match=r"precision=fp16: needs a CUDA device"):
        train_lednet(data, tmp_path / "run", tiny(precision="fp16"))
    assert not (tmp_path / "run").exists()
